"""The preconditions of requests: If-Match, If-None-Match, and on the time.

S3 User Guide, "Adding preconditions to S3 operations with conditional requests"; RFC 9110,
section 13; S3 API Reference, "GetObject" and "PutObject".
"""

from stslab.sandbox.api.faults import SAYS, fault, no_such_key
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.s3 import lookups
from stslab.sandbox.state.buckets import ObjectVersion, Upload
from stslab.sandbox.state.snapshot import View


def check_read(request: ApiRequest, version: ObjectVersion, prefix: str = "") -> None:
    """Check the conditions on what is read: an object, or (``prefix``) a copy's source."""
    failed = _failed(request, prefix, version)
    if not prefix and failed in ("If-None-Match", "If-Modified-Since"):
        tag = ("ETag", f'"{version.etag}"')
        raise fault("NotModified", headers=(tag, lookups.last_modified(version)))
    if failed:
        condition = f"x-amz-copy-source-{failed}" if prefix else failed
        raise fault("PreconditionFailed", Condition=condition)


def condition(request: ApiRequest) -> tuple[str, str]:
    """The header and the value of a write's condition, or empty. Raises NotImplemented."""
    params, names = request.params, {"IfMatch": "If-Match", "IfNoneMatch": "If-None-Match"}
    given = {shown: params[name].strip() for name, shown in names.items() if name in params}
    name, value = next(iter(given.items()), ("", ""))
    refused = ""
    if len(given) > 1:
        refused = "Multiple conditional request headers present in the request"
    elif name and request.operation == "DeleteObject" and params.get("VersionId"):
        refused = SAYS["deletion in versions"]
    elif name and request.operation != "DeleteObject" and (value == "*") == (name == "If-Match"):
        refused = f"We don't accept the provided value of {name} header for this API"
    if refused:
        raise fault("NotImplemented", Header=",".join(given), additionalMessage=refused)
    return name, value


def check_write(view: View, request: ApiRequest, upload: Upload | None = None) -> None:
    """Check the condition of a write, on one ETag; an ``upload``'s is on what was as it began."""
    name, value = condition(request)
    if not name:
        return
    where = lookups.address_of(request)
    latest = lookups.version_at(view, where, None)
    is_there = bool(latest and not latest.marker)
    is_wanted = name == "If-Match"
    if is_wanted and not is_there and not (latest and value == "*"):  # or it is a delete marker
        raise no_such_key(where.key)
    if is_there != is_wanted or value.strip('"') not in ("*", latest and latest.etag):
        raise fault("PreconditionFailed", Condition=name)
    if upload and (upload.current or "") != lookups.identity(latest):
        raise fault("ConditionalRequestConflict", Condition=name, Key=where.key)


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
    unchanged = modified is not None and changed <= modified <= request.now
    return "If-Modified-Since" if unchanged else ""


def _matches(header: str, etag: str) -> bool:
    etags = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    return "*" in etags or etag in etags
