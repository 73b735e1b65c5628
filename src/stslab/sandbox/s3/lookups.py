"""Buckets, objects and versions, as the records of a view have them."""

import re

from stslab.sandbox.api.faults import fault, invalid_argument, no_such_key
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import Bucket, Object, ObjectVersion
from stslab.sandbox.state.snapshot import Account, View

MARKED = ("x-amz-delete-marker", "true")
_VERSION_ID = re.compile(r"null|[A-Za-z0-9_-]{32}")


def bucket_named(view: View, name: str) -> Bucket | None:
    return view.get(Bucket, "", name)


def bucket_of(view: View, request: ApiRequest) -> Bucket:
    name = request.params["Bucket"]
    found = bucket_named(view, name)
    if found is None:
        raise fault("NoSuchBucket", BucketName=name)
    return found


def canonical_id(view: View, bucket: Bucket) -> str:
    account = view.get(Account, bucket.owner, "")
    return account.canonical_id if account is not None else bucket.owner


def object_at(view: View, where: Address) -> Object | None:
    bucket = bucket_named(view, where.bucket)
    if bucket is None:
        return None
    return view.get(Object, bucket.owner, f"{bucket.name}/{where.key}")


def version_at(view: View, where: Address, version_id: str | None) -> ObjectVersion | None:
    """The version with this id, or the current one, be it a delete marker; or None."""
    held = object_at(view, where)
    if held is None:
        return None
    return held.current if version_id is None else version_of(held, version_id)


def version_of(held: Object, version_id: str) -> ObjectVersion | None:
    return next((one for one in held.versions if one.version_id == version_id), None)


def content_at(view: View, where: Address, version_id: str | None) -> ObjectVersion | None:
    """As :func:`version_at`, and None for a delete marker, which has no content."""
    found = version_at(view, where, version_id)
    return None if found is None or found.marker else found


def readable(view: View, request: ApiRequest) -> tuple[Bucket, ObjectVersion]:
    """The version that the request reads, and its bucket.

    S3 User Guide, "Working with delete markers"; S3 API Reference, "GetObject".
    """
    bucket = bucket_of(view, request)
    key, version_id = request.params["Key"], request.params.get("VersionId")
    check_version_id(version_id)
    found = version_at(view, Address(bucket.name, key), version_id)
    if found is None:
        if version_id is None:
            raise no_such_key(key)
        raise fault("NoSuchVersion", Key=key, VersionId=version_id)
    if not found.marker:
        return bucket, found
    marked = (MARKED, ("x-amz-version-id", found.version_id))
    if version_id is None:
        raise no_such_key(key, headers=marked)
    raise fault(
        "MethodNotAllowed",
        headers=(*marked, ("Allow", "DELETE")),
        Method=request.http.method,
        ResourceType="DeleteMarker",
    )


def check_version_id(version_id: str | None) -> None:
    if version_id is not None and not is_version_id(version_id):
        empty = "Version id cannot be the empty string"
        said = "Invalid version id specified" if version_id else empty
        raise invalid_argument(said, "versionId", version_id)


def is_version_id(version_id: str) -> bool:
    return _VERSION_ID.fullmatch(version_id) is not None


def shown_id(bucket: Bucket, version: ObjectVersion) -> str | None:
    """The id as answers show it, in buckets that keep versions or once did."""
    return version.version_id if bucket.versioning else None
