"""What each S3 request needs: which actions, on the bucket, its objects, or a copy's source."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, unquote

from stslab.policy import catalogue
from stslab.sandbox.api.identifiers import REGION
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.services import Context, Keys, Need, Needs, iso
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import bucket_policy
from stslab.sandbox.s3.faults import fault, invalid_argument
from stslab.sandbox.s3.requests import actions
from stslab.sandbox.s3.requests.address import Address, checked
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import View

ARN = "arn:aws:s3:::"
# Reading an object that is not there tells so only to those who may list the bucket.
_READING = frozenset({"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectTagging"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, the records that it is about, and what is known of IAM."""

    request: ApiRequest
    view: View
    seen: View

    @property
    def where(self) -> Address:
        params = self.request.params
        return Address(params["Bucket"], params.get("Key", ""))

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
        """The need of an action on a bucket or an object."""
        creating = self.request.operation == "CreateBucket"
        bucket = None if creating else lookups.bucket_named(self.view, where.bucket)
        owner = bucket.owner if bucket is not None else self.request.caller.account
        arn = f"{ARN}{where.bucket}/{where.key}" if where.key else f"{ARN}{where.bucket}"
        policy = bucket_policy.of(self.view, self.seen, where, version, self.request.caller)
        return Need(
            action,
            arn,
            {**_request_keys(self.request, owner), **(context or {})},
            None if creating else policy,
            owner,
            shown=f'"{arn}"',
        )

    def on_object(self, action: str, where: Address, version: str | None = None) -> Need:
        """The need of an action on an object, with the tags that it has."""
        held = lookups.content_at(self.view, where, version)
        tags = held.tags if held is not None else {}
        return self.need(action, where, _tag_keys(action, tags), version)


def of(view: View, seen: View, request: ApiRequest) -> Needs:
    """All that the request needs. ``seen`` is what is known of IAM.

    Whether a bucket exists is no secret: its name is everybody's (S3 API Reference, "Error
    responses", NoSuchBucket), so that is said before permissions are asked for.

    Raises:
        ApiFault: there is no such bucket, it is not of the account that the request expects,
            or the source of a copy can't be read.
    """
    if "Bucket" in request.params and request.operation != "CreateBucket":
        bucket = lookups.bucket_of(view, request)
        if request.params.get("ExpectedBucketOwner") not in (None, bucket.owner):
            raise fault("AccessDenied")
        _check_region(request, bucket)
    usual = _object if "Key" in request.params else _bucket
    return tuple(_OF.get(request.operation, usual)(_Asked(request, view, seen)))


def _check_region(request: ApiRequest, bucket: Bucket) -> None:
    """Refuse a request that was signed for another region than the bucket's.

    A client signs for the region whose endpoint it addresses; us-east-1 is the global endpoint's
    too, behind which the bucket's own region answers. S3 User Guide, "Making requests using the
    REST API"; S3 API Reference, "Error responses".
    """
    signed = request.authenticated.region if request.authenticated else ""
    if signed in ("", bucket.region) or request.operation == "GetBucketLocation":
        return
    headers = (("x-amz-bucket-region", bucket.region),)
    if signed != REGION:
        endpoint = f"{bucket.name}.s3.{bucket.region}.amazonaws.com"
        raise fault("PermanentRedirect", headers=headers, Bucket=bucket.name, Endpoint=endpoint)
    message = (
        "The authorization header is malformed; "
        f"the region '{signed}' is wrong; expecting '{bucket.region}'"
    )
    raise fault("AuthorizationHeaderMalformed", message, headers=headers, Region=bucket.region)


def to_delete(view: View, seen: View, request: ApiRequest) -> Needs:
    """What deleting one of the objects that DeleteObjects lists needs."""
    return tuple(_object(_Asked(request, view, seen)))


def _service(asked: _Asked) -> Iterator[Need]:
    owner = asked.request.caller.account
    context = _request_keys(asked.request, owner)
    yield Need("s3:ListAllMyBuckets", f"{ARN}*", context, None, owner, shown="")


def _bucket(asked: _Asked) -> Iterator[Need]:
    listing = _listing_keys(asked.request)
    for action in actions.on_bucket(asked.request):
        yield asked.need(action, Address(asked.where.bucket), listing)


def _object(asked: _Asked) -> Iterator[Need]:
    where, version = asked.where, asked.version
    for action in actions.on_object(asked.request):
        yield asked.on_object(action, where, version)
    reading = asked.request.operation in _READING
    if reading and lookups.content_at(asked.view, where, version) is None:
        yield asked.need("s3:ListBucket", Address(where.bucket))


def _copy(asked: _Asked) -> Iterator[Need]:
    request = asked.request
    where, version = source(request)
    _check_source_owner(asked, where)
    yield asked.on_object("s3:GetObjectVersion" if version else "s3:GetObject", where, version)
    held = lookups.content_at(asked.view, where, version)
    copies_tags = request.params.get("TaggingDirective", "COPY") == "COPY"
    if copies_tags and held is not None and held.tags:
        tagging = "s3:GetObjectVersionTagging" if version else "s3:GetObjectTagging"
        yield asked.on_object(tagging, where, version)
        yield asked.on_object("s3:PutObjectTagging", asked.where)
    if held is None:
        yield asked.need("s3:ListBucket", Address(where.bucket))
    yield from _object(asked)


def _part_copy(asked: _Asked) -> Iterator[Need]:
    where, version = source(asked.request)
    _check_source_owner(asked, where)
    yield asked.on_object("s3:GetObjectVersion" if version else "s3:GetObject", where, version)
    yield from _object(asked)


def _each_object(_asked: _Asked) -> Iterator[Need]:
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
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise invalid_argument(message, "x-amz-copy-source", path)
    version = parse_qs(f"v={query}").get("v", [None])[0]
    return checked(Address(bucket, key)), version


def _check_source_owner(asked: _Asked, where: Address) -> None:
    expected = asked.request.params.get("ExpectedSourceBucketOwner")
    bucket = lookups.bucket_named(asked.view, where.bucket)
    if expected and bucket is not None and bucket.owner != expected:
        raise fault("AccessDenied")


_OF: Mapping[str, Callable[[_Asked], Iterator[Need]]] = {
    "ListBuckets": _service,
    "DeleteObjects": _each_object,
    "CopyObject": _copy,
    "UploadPartCopy": _part_copy,
}


# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "ACL": "s3:x-amz-acl",
    "BucketNamespace": "s3:x-amz-bucket-namespace",
    "CopySource": "s3:x-amz-copy-source",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:VersionId",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
# Only listing has these.
_OF_LISTING: Mapping[str, str] = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
}
_EXISTING_TAG = "s3:existingobjecttag/<key>"
_TLS = "1.3"


def _request_keys(request: ApiRequest, owner: str) -> Keys:
    """The keys that every S3 request has, whatever its action.

    Service Authorization Reference, "Condition keys for Amazon S3"; S3 User Guide, "Amazon S3
    condition key examples".
    """
    keys: Keys = {"s3:ResourceAccount": owner, "s3:TlsVersion": _TLS, **_signing(request)}
    for parameter, key in _OF_PARAMETERS.items():
        value = request.params.get(parameter)
        if value is not None:
            keys[key] = str(value)
    until = request.params.get("ObjectLockRetainUntilDate")
    if until is not None:
        keys["s3:object-lock-retain-until-date"] = iso(until)
        keys["s3:object-lock-remaining-retention-days"] = str((until - request.now).days)
    return {**keys, **_location(request), **_new_tags(request)}


def _listing_keys(request: ApiRequest) -> Keys:
    """The keys of a request that lists a bucket."""
    return {
        key: str(request.params[parameter])
        for parameter, key in _OF_LISTING.items()
        if parameter in request.params
    }


def _tag_keys(action: str, tags: Mapping[str, str]) -> Keys:
    """The keys of the tags that an object has, for the actions that know them."""
    if _EXISTING_TAG not in catalogue.condition_keys(action):
        return {}
    return {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}


def _location(request: ApiRequest) -> Keys:
    configuration = request.params.get("CreateBucketConfiguration") or {}
    location = configuration.get("LocationConstraint")
    return {"s3:LocationConstraint": location} if location else {}


def _new_tags(request: ApiRequest) -> Keys:
    tagging = request.params.get("Tagging")
    if not tagging:
        return {}
    if isinstance(tagging, str):
        tags = dict(parse_qsl(tagging, keep_blank_values=True))
    else:
        tags = {tag.get("Key", ""): tag.get("Value", "") for tag in tagging.get("TagSet", [])}
    keys: Keys = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    return {**keys, "s3:RequestObjectTagKeys": tuple(tags)}


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
