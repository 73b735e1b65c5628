"""What each S3 request needs: which actions, on the bucket, its objects, or a copy's source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.need import Need, Needs
from stslab.sandbox.s3 import errors
from stslab.sandbox.s3.access import bucket_policy
from stslab.sandbox.s3.requests import actions, keys
from stslab.sandbox.s3.requests.address import Address, checked
from stslab.sandbox.saved import moto_backends
from stslab.sandbox.saved.account import World

ARN = "arn:aws:s3:::"
FORBIDDEN = 403
# Reading an object that is not there tells so only to who may list the bucket.
_READING = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging"})


def of(request: ApiRequest, world: World) -> Needs:
    """All that the request needs.

    Whether a bucket exists is no secret: its name is everybody's (S3 API Reference, "Error
    responses", NoSuchBucket), so that is said before permissions are asked for.

    Raises:
        ApiFault: there is no such bucket, it is not of the account that the request expects,
            or the source of a copy can't be read.
    """
    name = request.params.get("Bucket", "")
    if name and request.operation != "CreateBucket" and world.owner_of_bucket(name) is None:
        raise errors.no_such_bucket(request)
    _expected(request, world, "Bucket", "ExpectedBucketOwner")
    return tuple(_OF[request.operation](request, world))


def on_bucket(request: ApiRequest, world: World, action: str, context: Any = None) -> Need:
    """The need of ``action`` on the request's bucket."""
    return _need(request, world, action, Address(request.params["Bucket"]), context or {})


def on_object(
    request: ApiRequest, world: World, action: str, where: Address, version: str | None = None
) -> Need:
    """The need of ``action`` on an object, with the tags that it has."""
    tags = _tags(where, version)
    return _need(request, world, action, where, keys.existing_tags(action, tags))


def _need(
    request: ApiRequest, world: World, action: str, where: Address, context: Mapping[str, Any]
) -> Need:
    creating = request.operation == "CreateBucket"
    there = None if creating else world.owner_of_bucket(where.bucket)
    owner = there or request.caller.account
    arn = f"{ARN}{where.bucket}/{where.key}" if where.key else f"{ARN}{where.bucket}"
    return Need(
        action,
        arn,
        {**keys.of_request(request, owner), **context},
        None if creating else bucket_policy.of(world, where.bucket, where.key, request.caller),
        owner,
        shown=f'"{arn}"',
    )


def _service(request: ApiRequest, _world: World) -> Iterator[Need]:
    owner = request.caller.account
    context = keys.of_request(request, owner)
    yield Need("s3:ListAllMyBuckets", f"{ARN}*", context, None, owner, shown="")


def _bucket(request: ApiRequest, world: World) -> Iterator[Need]:
    listing = keys.listing(request)
    for action in actions.on_bucket(request):
        yield on_bucket(request, world, action, listing)


def _object(request: ApiRequest, world: World) -> Iterator[Need]:
    where = Address(request.params["Bucket"], request.params["Key"])
    for action in actions.on_object(request):
        yield on_object(request, world, action, where, request.params.get("VersionId"))
    if request.operation in _READING and found(where, request.params.get("VersionId")) is None:
        yield on_bucket(request, world, "s3:ListBucket")


def _copy(request: ApiRequest, world: World) -> Iterator[Need]:
    where, version = source(request)
    _expected_source(request, world, where)
    reading = "s3:GetObjectVersion" if version else "s3:GetObject"
    yield on_object(request, world, reading, where, version)
    if request.params.get("TaggingDirective", "COPY") == "COPY" and _tags(where, version):
        tagging = "s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging"
        yield on_object(request, world, tagging, where, version)
        to = Address(request.params["Bucket"], request.params["Key"])
        yield on_object(request, world, "s3:PutObjectTagging", to)
    if found(where, version) is None:
        yield _need(request, world, "s3:ListBucket", Address(where.bucket), {})
    yield from _object(request, world)


def _part_copy(request: ApiRequest, world: World) -> Iterator[Need]:
    where, version = source(request)
    reading = "s3:GetObjectVersion" if version else "s3:GetObject"
    yield on_object(request, world, reading, where, version)
    yield from _object(request, world)


def _each_object(_request: ApiRequest, _world: World) -> Iterator[Need]:
    """DeleteObjects decides for each key when it is carried out, and reports each."""
    return iter(())


def source(request: ApiRequest) -> tuple[Address, str | None]:
    """The object that a copy reads, and its version.

    Raises:
        ApiFault: the source is not ``bucket/key``.
    """
    path, _, query = str(request.params["CopySource"]).partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise ApiFault(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            extra={"ArgumentName": "x-amz-copy-source", "ArgumentValue": path},
        )
    version = parse_qs(f"v={query}").get("v", [None])[0]
    return checked(Address(bucket, key)), version


def source_header(request: ApiRequest) -> str:
    """The source of a copy, written so that it can be read in one way only."""
    where, version = source(request)
    path = f"{where.bucket}/{quote(where.key, safe='/')}"
    return f"{path}?versionId={quote(version, safe='')}" if version else path


def found(where: Address, version: str | None) -> Any:
    """The object in moto of this key and version, or None (a delete marker is none either)."""
    bucket = moto_backends.bucket(where.bucket)
    if bucket is None:
        return None
    for held in reversed(bucket.keys.getlist(where.key, [])):
        if version in (None, held.version_id):
            return held if hasattr(held, "value") else None
    return None


def _tags(where: Address, version: str | None) -> Mapping[str, str]:
    held = found(where, version)
    if held is None:
        return {}
    backend = moto_backends.s3(moto_backends.bucket_owner(where.bucket) or "")
    tags: Mapping[str, str] = backend.tagger.get_tag_dict_for_resource(held.arn)
    return tags


def _expected(request: ApiRequest, world: World, bucket: str, parameter: str) -> None:
    expected = request.params.get(parameter)
    owner = world.owner_of_bucket(request.params.get(bucket, ""))
    if expected and owner and owner != expected:
        raise ApiFault("AccessDenied", "Access Denied", FORBIDDEN)


def _expected_source(request: ApiRequest, world: World, where: Address) -> None:
    expected = request.params.get("ExpectedSourceBucketOwner")
    if expected and world.owner_of_bucket(where.bucket) not in (None, expected):
        raise ApiFault("AccessDenied", "Access Denied", FORBIDDEN)


_OF: Mapping[str, Callable[[ApiRequest, World], Iterator[Need]]] = {
    **dict.fromkeys(actions.BUCKET, _bucket),
    **dict.fromkeys(actions.OBJECT, _object),
    "ListBuckets": _service,
    "DeleteObjects": _each_object,
    "CopyObject": _copy,
    "UploadPartCopy": _part_copy,
}
OPERATIONS = frozenset(_OF)
