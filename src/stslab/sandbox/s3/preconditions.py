"""The preconditions of requests: If-Match, If-None-Match, and on the time.

S3 User Guide, "Adding preconditions to S3 operations with conditional requests"; RFC 9110,
section 13; S3 API Reference, "GetObject" and "PutObject".
"""

from stslab.sandbox.api.faults import fault, no_such_key
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import ObjectVersion
from stslab.sandbox.state.snapshot import View


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
