"""Conditional requests, and which part of an object is asked for.

S3 User Guide, "Adding preconditions to S3 operations with conditional requests"; RFC 9110,
sections 13 and 14; S3 API Reference, "GetObject" and "PutObject".
"""

import re
from typing import NamedTuple

from stslab.sandbox.api.faults import fault, no_such_key
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.state.buckets import ObjectVersion

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class Span(NamedTuple):
    """Bytes of an object, from ``start`` to before ``end``; ``partial`` where not all of it."""

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


def check_write(request: ApiRequest, current: ObjectVersion | None) -> None:
    """Hold a write against what it demands of the object that is there; None where none is."""
    match, none_match = request.params.get("IfMatch"), request.params.get("IfNoneMatch")
    if none_match is not None:
        if none_match.strip() != "*":
            raise fault("NotImplemented", Header="If-None-Match")
        if current is not None:
            raise fault("PreconditionFailed", Condition="If-None-Match")
    if match is not None:
        if current is None:
            raise no_such_key(request.params["Key"])
        if not _names(match, current.etag):
            raise fault("PreconditionFailed", Condition="If-Match")


def _failed(request: ApiRequest, prefix: str, version: ObjectVersion) -> str:
    """The first condition that does not hold; empty where all do."""
    match, unmodified, none_match, modified = (
        request.params.get(f"{prefix}{name}")
        for name in ("IfMatch", "IfUnmodifiedSince", "IfNoneMatch", "IfModifiedSince")
    )
    changed = version.modified.replace(microsecond=0)
    if match is not None:
        if not _names(match, version.etag):
            return "If-Match"
    elif unmodified is not None and changed > unmodified:
        return "If-Unmodified-Since"
    if none_match is not None:
        return "If-None-Match" if _names(none_match, version.etag) else ""
    return "If-Modified-Since" if modified is not None and changed <= modified else ""


def _names(header: str, etag: str) -> bool:
    listed = [one.strip().removeprefix("W/").strip('"') for one in header.split(",")]
    return "*" in listed or etag in listed


def asked_span(request: ApiRequest, version: ObjectVersion) -> Span:
    """The bytes that a read asks for: all, a range, or one part of an upload.

    A range that can't be read counts as none.
    """
    number, asked = request.params.get("PartNumber"), request.params.get("Range")
    if number is None:
        return ranged(asked, version.size) if asked else Span(0, version.size)
    if asked:
        message = "Cannot specify both Range header and partNumber query parameter"
        raise fault("InvalidRequest", message)
    start = 0
    for part in version.parts:
        if part.number == number:
            return Span(start, start + part.size, partial=True)
        start += part.size
    raise fault("InvalidPartNumber", ActualPartCount=len(version.parts), PartNumberRequested=number)


def ranged(asked: str, size: int) -> Span:
    found = _RANGE.fullmatch(asked)
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return Span(0, size)
    start, end = (int(first), size) if first else (max(size - int(last), 0), size)
    if first and last:
        end = min(int(last) + 1, size)
    if start >= size:
        raise fault("InvalidRange", RangeRequested=asked, ActualObjectSize=size)
    return Span(start, end, partial=True)
