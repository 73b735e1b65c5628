"""Finds the bucket, object or version that a request names, or raises S3's error."""

from datetime import datetime
from email.utils import format_datetime

from stslab.policy.request import ACCOUNT
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument, no_such_key
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.pages import in_token
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import NULL, Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import View

# Other operations on an object whose current version is a delete marker are not allowed.
_READS = frozenset({"GetObject", "GetObjectAcl", "GetObjectAttributes", "HeadObject"})


def stamp(moment: datetime) -> str:
    """A version id begins with the time, so that it has a place in lists after its deletion."""
    return f"{int(moment.timestamp() * 1_000_000):014x}"


def existing(view: View, name: str) -> Bucket:
    bucket = view.get(Bucket, "", name)
    if bucket is None:
        raise fault("NoSuchBucket", BucketName=name)
    return bucket


def bucket_of(view: View, request: ApiRequest) -> Bucket:
    return existing(view, request.params["Bucket"])


def require_owner(bucket: Bucket, expected: str | None) -> None:
    if expected is not None and not ACCOUNT.fullmatch(expected):
        raise fault("InvalidBucketOwnerAWSAccountID", SAYS["owner"].format(expected))
    if expected not in (None, bucket.owner):
        raise ApiFault("AccessDenied", "Access Denied", log={"cause": "expected owner"})


def address_of(request: ApiRequest) -> Address:
    return Address(request.params["Bucket"], request.params.get("Key", ""))


def object_at(view: View, where: Address) -> Object | None:
    bucket = view.get(Bucket, "", where.bucket)
    return view.get(Object, bucket.owner, f"{bucket.name}/{where.key}") if bucket else None


def version_at(view: View, where: Address, version_id: str | None) -> ObjectVersion | None:
    """The version with this id, or the current one (None); it may be a delete marker."""
    item = object_at(view, where)
    if item is None or version_id is None:
        return item.current if item else None
    return next((one for one in item.versions if one.version_id == version_id), None)


def identity(version: ObjectVersion | None) -> str:
    """What tells a version from any other; empty without one."""
    return f"{version.version_id}{stamp(version.modified)}" if version else ""


def content_at(view: View, where: Address, version_id: str | None) -> ObjectVersion | None:
    """Like :func:`version_at`, but None for a delete marker."""
    version = version_at(view, where, version_id)
    return None if version is None or version.marker else version


def readable(view: View, request: ApiRequest) -> tuple[Bucket, ObjectVersion]:
    """S3 User Guide, "Working with delete markers"; S3 API Reference, "GetObject"."""
    bucket, where = bucket_of(view, request), address_of(request)
    key, version_id = where.key, request.params.get("VersionId")
    check_version_id(view, where, version_id)
    version = version_at(view, where, version_id)
    if version is None:
        missing = fault("NoSuchVersion", Key=key, VersionId=version_id)
        raise missing if version_id is not None else no_such_key(key)
    if not version.marker:
        return bucket, version
    marked = (("x-amz-delete-marker", "true"), ("x-amz-version-id", version.version_id))
    if version_id is None and request.operation in _READS:
        raise no_such_key(key, headers=marked)
    refused = {"Method": request.http.method, "ResourceType": "DeleteMarker"}
    shown = marked if version_id or request.operation != "PutObjectAcl" else ()
    headers = (*shown, ("Allow", "DELETE"), last_modified(version))
    raise fault("MethodNotAllowed", extra=refused, headers=headers)


def last_modified(version: ObjectVersion) -> tuple[str, str]:
    return ("Last-Modified", format_datetime(version.modified, usegmt=True))


def check_version_id(
    view: View, where: Address, version_id: str | None, name: str = "versionId"
) -> None:
    if version_id is not None and not is_version_id(view, where, version_id):
        says = SAYS["bad version" if version_id else "version empty"]
        raise invalid_argument(says, name, version_id)


def is_version_id(view: View, where: Address, version_id: str) -> bool:
    """Whether S3 can have given out this id."""
    can_be = version_id == NULL or in_token(version_id) != ""
    return can_be or version_at(view, where, version_id) is not None


def shown_id(bucket: Bucket, version: ObjectVersion) -> str | None:
    """The version id in answers; None if the bucket never had versioning."""
    return version.version_id if bucket.versioning else None
