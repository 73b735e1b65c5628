"""What each S3 request needs: which actions, on the bucket, its objects, or a copy's source."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote

import msgspec
from msgspec.structs import replace

from stslab.policy import catalogue
from stslab.sandbox.api.faults import fault, invalid_argument
from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import (
    ApiRequest,
    Context,
    Keys,
    Need,
    Needs,
    Pairs,
    iso,
    request_tags,
)
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl, policies
from stslab.sandbox.s3.requests.address import Address, checked
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import View

ARN = "arn:aws:s3:::"
_TLS = "1.3"
_DIGITS = 12
_EXISTING_TAG = "s3:existingobjecttag/<key>"
# Reading an object that is not there tells so only to those who may list the bucket.
_READING = frozenset({"GetObject", "HeadObject", "GetObjectTagging"})


class _Further(msgspec.Struct, frozen=True, rename={"operations": "of", "params": "with"}):
    operations: frozenset[str]
    params: tuple[str, ...]
    action: str


class _Tables(msgspec.Struct, frozen=True):
    """What ``needs.yaml`` holds."""

    actions: Mapping[str, tuple[str, ...]]
    unversioned: frozenset[str]
    further: tuple[_Further, ...]
    creating: Mapping[str, str]
    keys: Mapping[str, str]
    listing_keys: Mapping[str, str]


_TABLES = msgspec.yaml.decode(Path(__file__).with_name("needs.yaml").read_bytes(), type=_Tables)


def actions(request: ApiRequest) -> tuple[str, ...]:
    """The actions that an operation needs on the bucket or the object that it names."""
    names = _TABLES.actions.get(request.operation, (request.operation,))
    if request.params.get("VersionId") and "Key" in request.params:
        kept = _TABLES.unversioned
        names = tuple(n if n in kept else n.replace("Object", "ObjectVersion") for n in names)
    given = {**request.params, **_configuration(request)}
    given["IfMatch"] = (given.get("IfMatch") or "*").strip("*")
    if request.operation == "CreateBucket" and given.get("ACL") in acl.PLAIN:
        given["ACL"] = ""  # S3 API Reference, "CreateBucket": s3:CreateBucket suffices
    more = (
        one.action
        for one in _TABLES.further
        if request.operation in one.operations and any(map(given.get, one.params))
    )
    return tuple(f"s3:{name}" for name in (*names, *more))


def _configuration(request: ApiRequest) -> Document:
    return request.params.get("CreateBucketConfiguration") or {}


class _Asked(msgspec.Struct, frozen=True):
    """A request, the records that it is about, and what is known of IAM."""

    request: ApiRequest
    view: View
    seen: View

    @property
    def where(self) -> Address:
        return Address(self.request.params["Bucket"], self.request.params.get("Key", ""))

    @property
    def version(self) -> str | None:
        found: str | None = self.request.params.get("VersionId")
        return found

    def need(
        self,
        action: str,
        where: Address,
        context: Context | None = None,
        version: str | None = None,
    ) -> Need:
        creating = self.request.operation == "CreateBucket"
        bucket = None if creating else lookups.bucket_named(self.view, where.bucket)
        owner = bucket.owner if bucket is not None else self.request.caller.account
        arn = f"{ARN}{where.bucket}/{where.key}" if where.key else f"{ARN}{where.bucket}"
        policy = policies.of(self.view, self.seen, where, version, self.request.caller)
        return Need(
            action,
            arn,
            {**_request_keys(self.request, owner), **(context or {})},
            None if creating else policy,
            owner,
            shown=f'"{arn}"',
        )

    def on_object(self, action: str, where: Address, version: str | None = None) -> Need:
        """The need of an action on an object, with the tags that it has, if the action asks."""
        held = lookups.content_at(self.view, where, version)
        tags = held.tags if held and _EXISTING_TAG in catalogue.condition_keys(action) else {}
        keys = {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}
        return self.need(action, where, keys, version)


def of(view: View, seen: View, request: ApiRequest) -> Needs:
    """All that the request needs. ``seen`` is what is known of IAM.

    Whether a bucket exists is no secret: its name is everybody's (S3 API Reference, "Error
    responses", NoSuchBucket), so that is said before permissions are asked for.
    """
    if "Bucket" in request.params and request.operation != "CreateBucket":
        bucket = lookups.bucket_of(view, request)
        if (expected := request.params.get("ExpectedBucketOwner", bucket.owner)) != bucket.owner:
            is_account = len(expected) == _DIGITS and expected.isdecimal()
            raise fault("AccessDenied" if is_account else "InvalidBucketOwnerAWSAccountID")
        _check_region(request, bucket)
    usual = _object if "Key" in request.params else _bucket
    return tuple(_OF.get(request.operation, usual)(_Asked(request, view, seen)))


def _check_region(request: ApiRequest, bucket: Bucket) -> None:
    """Refuse a request that was signed for another region than the bucket's.

    A client signs for the region whose endpoint it addresses; us-east-1 is the global endpoint's
    too, behind which the bucket's own region answers. S3 User Guide, "Making requests using the
    REST API"; S3 API Reference, "Error responses".
    """
    proof = request.authenticated
    signed = proof.region if proof and proof.version == "AWS4-HMAC-SHA256" else ""
    if signed in ("", bucket.region) or request.operation == "GetBucketLocation":
        return
    headers = _located(bucket)
    if signed != REGION:
        endpoint = f"{bucket.name}.s3.{bucket.region}.amazonaws.com"
        raise fault("PermanentRedirect", headers=headers, Bucket=bucket.name, Endpoint=endpoint)
    code, what = "AuthorizationHeaderMalformed", "The authorization header is malformed"
    if proof is not None and proof.auth_type == "REST-QUERY-STRING":
        code = "AuthorizationQueryParametersError"
        what = "Error parsing the X-Amz-Credential parameter"
    message = f"{what}; the region '{signed}' is wrong; expecting '{bucket.region}'"
    raise fault(code, message, headers=headers, Region=bucket.region)


def _located(bucket: Bucket) -> Pairs:
    """The header that tells where a bucket is, whether the caller may use it or not."""
    return (("x-amz-bucket-region", bucket.region),)


def to_delete(view: View, seen: View, request: ApiRequest) -> Needs:
    """What deleting one of the objects that DeleteObjects lists needs."""
    return tuple(_object(_Asked(request, view, seen)))


def _service(asked: _Asked) -> Iterator[Need]:
    owner = asked.request.caller.account
    context = _request_keys(asked.request, owner)
    yield Need("s3:ListAllMyBuckets", f"{ARN}*", context, None, owner, shown="")


def _bucket(asked: _Asked) -> Iterator[Need]:
    listing = _keys_of(asked.request, _TABLES.listing_keys)
    for action in actions(asked.request):
        yield asked.need(action, asked.where, listing)


def _head_bucket(asked: _Asked) -> Iterator[Need]:
    headers = _located(lookups.bucket_of(asked.view, asked.request))
    yield from (replace(need, headers=headers) for need in _bucket(asked))


def _object(asked: _Asked) -> Iterator[Need]:
    where, version = asked.where, asked.version
    for action in actions(asked.request):
        yield asked.on_object(action, where, version)
    reading = asked.request.operation in _READING
    if reading and lookups.content_at(asked.view, where, version) is None:
        yield asked.need("s3:ListBucket", Address(where.bucket))


def _copy(asked: _Asked) -> Iterator[Need]:
    where, version = source(asked.request)
    held = lookups.content_at(asked.view, where, version)
    yield from _source(asked)
    copies_tags = asked.request.params.get("TaggingDirective", "COPY") == "COPY"
    if copies_tags and held is not None and held.tags:
        tagging = "s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging"
        yield asked.on_object(tagging, where, version)
        yield asked.on_object("s3:PutObjectTagging", asked.where)
    if held is None:
        yield asked.need("s3:ListBucket", Address(where.bucket))
    yield from _object(asked)


def _source(asked: _Asked) -> Iterator[Need]:
    """What reading a copy's source needs; its bucket may have to be of an account."""
    where, version = source(asked.request)
    expected = asked.request.params.get("ExpectedSourceBucketOwner")
    bucket = lookups.bucket_named(asked.view, where.bucket)
    if expected and bucket is not None and bucket.owner != expected:
        raise fault("AccessDenied")
    yield asked.on_object("s3:GetObjectVersion" if version else "s3:GetObject", where, version)


def source(request: ApiRequest) -> tuple[Address, str | None]:
    path, _, query = str(request.params["CopySource"]).partition("?versionId=")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(message, "x-amz-copy-source", path)
    version = parse_qs(f"v={query}").get("v", [None])[0]
    return checked(Address(bucket, key)), version


_OF: Mapping[str, Callable[[_Asked], Iterator[Need]]] = {
    "HeadBucket": _head_bucket,
    "ListBuckets": _service,
    # Each key is decided on when this is carried out, and reported.
    "DeleteObjects": lambda _: iter(()),
    "CopyObject": _copy,
    "UploadPartCopy": lambda asked: chain(_source(asked), _object(asked)),
}


def _request_keys(request: ApiRequest, owner: str) -> Keys:
    """The keys that every S3 request has, whatever its action.

    Service Authorization Reference, "Condition keys for Amazon S3"; S3 User Guide, "Amazon S3
    condition key examples".
    """
    keys: Keys = {"s3:ResourceAccount": owner, "s3:TlsVersion": _TLS, **_signing(request)}
    keys |= _keys_of(request, _TABLES.keys)
    until = request.params.get("ObjectLockRetainUntilDate")
    if until is not None:
        keys["s3:object-lock-retain-until-date"] = iso(until)
        keys["s3:object-lock-remaining-retention-days"] = str((until - request.now).days)
    if request.operation in _TABLES.creating:
        keys["s3:ObjectCreationOperation"] = _TABLES.creating[request.operation]
    configuration = _configuration(request)
    if configuration.get("LocationConstraint"):
        keys["s3:LocationConstraint"] = configuration["LocationConstraint"]
    return {**keys, **_new_tags(request), **request_tags(_tags(configuration.get("Tags")))}


def _keys_of(request: ApiRequest, names: Mapping[str, str]) -> Keys:
    given = {key: request.params.get(parameter) for parameter, key in names.items()}
    return {key: str(value) for key, value in given.items() if value is not None}


def _new_tags(request: ApiRequest) -> Keys:
    tagging = request.params.get("Tagging")
    is_text = isinstance(tagging, str)
    tags = dict(parse_qsl(tagging, True)) if is_text else _tags((tagging or {}).get("TagSet"))
    keys: Keys = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    return {**keys, "s3:RequestObjectTagKeys": tuple(tags)} if tags else keys


def _tags(tag_set: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tag_set or ()}


def _signing(request: ApiRequest) -> Keys:
    proof = request.authenticated
    if proof is None or not proof.auth_type:
        return {}
    keys: Keys = {
        "s3:authType": proof.auth_type,
        "s3:signatureversion": proof.version,
        "s3:signatureAge": str(max(int(proof.age.total_seconds() * 1000), 0)),
    }
    return {**keys, "s3:x-amz-content-sha256": proof.payload_hash} if proof.payload_hash else keys
