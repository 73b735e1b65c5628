"""Conditional requests, and requests for a part of an object.

S3 User Guide, "Adding preconditions to S3 operations with conditional requests"; RFC 9110,
sections 13 and 14; S3 API Reference, "GetObject" and "PutObject".
"""

import re
from typing import NamedTuple

from stslab.sandbox.api.faults import fault, invalid_argument, no_such_key
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import ObjectVersion
from stslab.sandbox.state.snapshot import View

_MOST_PARTS = 10_000
_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Span(NamedTuple):
    """The bytes of an object from ``start`` to before ``end``; ``partial``: a range or part."""

    start: int
    end: int
    partial: bool = False


def check_read(request: ApiRequest, version: ObjectVersion) -> None:
    failed = _failed(request, "", version)
    if failed in ("If-None-Match", "If-Modified-Since"):
        raise fault("NotModified", headers=(("ETag", f'"{version.etag}"'),))
    if failed:
        raise fault("PreconditionFailed", Condition=failed)


def check_source(request: ApiRequest, version: ObjectVersion) -> None:
    failed = _failed(request, "CopySource", version)
    if failed:
        raise fault("PreconditionFailed", Condition=f"x-amz-copy-source-{failed}")


def check_write(view: View, request: ApiRequest) -> None:
    """Check the conditions of a write, or of a deletion, on what is there."""
    where = Address(request.params["Bucket"], request.params["Key"])
    current = lookups.content_at(view, where, request.params.get("VersionId"))
    match, none_match = request.params.get("IfMatch"), request.params.get("IfNoneMatch")
    if none_match is not None:
        if none_match.strip() != "*":
            raise fault("NotImplemented", Header="If-None-Match")
        if current is not None:
            raise fault("PreconditionFailed", Condition="If-None-Match")
    if match is not None:
        if current is None:
            raise no_such_key(request.params["Key"])
        if not _matches(match, current.etag):
            raise fault("PreconditionFailed", Condition="If-Match")


def _failed(request: ApiRequest, prefix: str, version: ObjectVersion) -> str:
    """The name of the first condition that fails, or empty."""
    match, unmodified, none_match, modified = (
        request.params.get(f"{prefix}{name}")
        for name in ("IfMatch", "IfUnmodifiedSince", "IfNoneMatch", "IfModifiedSince")
    )
    changed = version.modified.replace(microsecond=0)
    if match is not None:
        if not _matches(match, version.etag):
            return "If-Match"
    elif unmodified is not None and changed > unmodified:
        return "If-Unmodified-Since"
    if none_match is not None:
        return "If-None-Match" if _matches(none_match, version.etag) else ""
    return "If-Modified-Since" if modified is not None and changed <= modified else ""


def _matches(header: str, etag: str) -> bool:
    etags = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    return "*" in etags or etag in etags


def requested_span(request: ApiRequest, version: ObjectVersion) -> Span:
    """The bytes that a read asks for: all, a range, or one part of a multipart upload."""
    number, header = request.params.get("PartNumber"), request.params.get("Range")
    if number is None:
        return span_of(header, version.size) if header else Span(0, version.size)
    check_number(number)
    if header:
        message = "Cannot specify both Range header and partNumber query parameter"
        raise fault("InvalidRequest", message)
    start = 0
    for part in version.parts:
        if part.number == number:
            return Span(start, start + part.size, partial=part.size > 0)
        start += part.size
    raise fault("InvalidPartNumber", ActualPartCount=len(version.parts), PartNumberRequested=number)


def check_number(number: int) -> None:
    if not 1 <= number <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise invalid_argument(message, "partNumber", number)


def span_of(header: str, size: int) -> Span:
    """The bytes of a Range header; all if it is invalid. Raises InvalidRange."""
    match = _RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return Span(0, size)
    start, end = (int(first), size) if first else (max(size - int(last), 0), size)
    if first and last:
        end = min(int(last) + 1, size)
    if start >= size:
        raise fault("InvalidRange", RangeRequested=header, ActualObjectSize=size)
    return Span(start, end, partial=True)
