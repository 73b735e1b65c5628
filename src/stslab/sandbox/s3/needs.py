"""The permissions that each S3 request needs on the bucket, its objects, or a copy's source."""

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode

import msgspec
from msgspec.structs import replace

from stslab.policy import catalogue
from stslab.sandbox.api import model
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.http import ENDPOINT
from stslab.sandbox.api.identifiers import account_of_key
from stslab.sandbox.api.model import ApiRequest, Keys, Need, Needs, Params, request_tags, tags_in
from stslab.sandbox.s3 import lookups, settings
from stslab.sandbox.s3.access import acl, policies
from stslab.sandbox.s3.requests.address import BUCKET_NAME, Address, checked
from stslab.sandbox.signing import canonical, s3
from stslab.sandbox.state.buckets import Bucket, Upload
from stslab.sandbox.state.snapshot import View
from stslab.structures import beside
from stslab.vocabulary import REGION

ARN = "arn:aws:s3:::"
# A copy's source as a URL, with the bucket in its path.
_URL = re.compile(rf"https?://{ENDPOINT}\.amazonaws\.com(/[^?]*)(?:\?versionId=[^&]*)?")


class _Further(msgspec.Struct, frozen=True, rename={"operations": "of", "params": "with"}):
    operations: frozenset[str]
    params: tuple[str, ...]
    action: str


class _Tables(msgspec.Struct, frozen=True):
    actions: Mapping[str, tuple[str, ...]]
    unversioned: frozenset[str]
    further: tuple[_Further, ...]
    creating: frozenset[str]
    signed: Mapping[str, str]
    keys: Mapping[str, str]
    defaults: Mapping[str, Mapping[str, str]]
    of_initiator: frozenset[str]
    reading: frozenset[str]
    finding: frozenset[str]
    untagged: frozenset[str]


_TABLES = msgspec.convert(beside(__file__, "needs.yaml"), _Tables)


def actions(request: ApiRequest, bucket: Bucket | None = None) -> tuple[str, ...]:
    """The actions that a request needs on its bucket, or on an object in ``bucket``."""
    names = _TABLES.actions.get(request.operation, (request.operation,))
    if request.params.get("VersionId") and "Key" in request.params:
        same = _TABLES.unversioned
        names = tuple(n if n in same else n.replace("Object", "ObjectVersion") for n in names)
    given = {**request.params, **(request.params.get("CreateBucketConfiguration") or {})}
    if given.get("VersionId") or given.get("IfMatch") == "*":  # neither compares an ETag
        given.pop("IfMatch", None)
    own = request.operation == "CreateBucket" or (bucket and bucket.owner == request.caller.account)
    if own and given.get("ACL") in acl.PLAIN:
        given["ACL"] = ""  # it changes nothing: S3 API Reference, "CreateBucket" and "PutObject"
    if bucket and not acl.acls_enabled(bucket) and (given.get("ACL") or acl.FULL) != acl.FULL:
        given |= dict.fromkeys(("ACL", *acl.HEADERS))  # S3 refuses it
    further = (
        row.action
        for row in _TABLES.further
        if request.operation in row.operations and any(map(given.get, row.params))
    )
    return tuple(f"s3:{name}" for name in (*names, *further))


class _Call(msgspec.Struct, frozen=True):
    """A request with the account; ``seen``: as :meth:`Judge.seen` returns it."""

    request: ApiRequest
    view: View
    seen: View

    def need(self, action: str, where: Address, version: str | None = None) -> Need:
        """The need for an action on a bucket, or on an object."""
        bucket = self.view.get(Bucket, "", where.bucket)
        if bucket and self.request.operation == "CreateBucket":  # its own, again
            bucket = bucket if bucket.owner == self.request.caller.account else None
        owner = bucket.owner if bucket is not None else self.request.caller.account
        arn = f"{ARN}{where.bucket}/{where.key}" if where.key else f"{ARN}{where.bucket}"
        upload = self.view.get(Upload, owner, self.request.params.get("UploadId", ""))
        keys = _request_keys(self.request, owner)
        if upload is not None:  # its parts become what it asked for
            keys |= _keys_of(upload.asked, _TABLES.keys)
        if bucket and self.request.operation in _TABLES.creating:  # the key that S3 uses
            used = upload.draft.encryption if upload else settings.encryption(self.request, bucket)
            keys |= _keys_of({"SSEKMSKeyId": used.get("SSEKMSKeyId")}, _TABLES.keys)
        if version:
            keys["s3:VersionId"] = version
        found = lookups.version_at(self.view, where, version) if where.key else None
        if found and self.request.operation not in _TABLES.untagged:
            keys |= {f"s3:ExistingObjectTag/{key}": value for key, value in found.tags.items()}
        policy, decides = None, owner
        # "GetBucketLocation" (S3 API Reference): in other regions its policy doesn't apply.
        if bucket and (action != "s3:GetBucketLocation" or bucket.region == self.request.region):
            new = action == "s3:PutObjectAcl" and self.request.operation in _TABLES.creating
            before, caller = None if new else found, self.request.caller
            decides = policies.deciding(self.view, bucket, caller, action, before)
            further = (
                *policies.acl_statements(self.view, bucket, caller, found),
                *self._allowed(action, bucket, upload),
                *policies.restricting(bucket, caller),
            )
            allows = decides == owner
            policy = policies.bucket_policy(self.seen, bucket, action, further, allows=allows)
        own = {key: value for key, value in keys.items() if catalogue.may_have(key, action)}
        return Need(action, arn, own, policy, decides)

    def _allowed(
        self, action: str, bucket: Bucket, upload: Upload | None
    ) -> Iterator[policies.Source]:
        """Statements for what S3 allows unless a policy denies it.

        Setting the ACL of an object that a caller may put (S3 User Guide, "Bucket policy examples
        using condition keys"); for the initiator of an upload and the initiator's account, stopping
        it ("Multipart upload API and permissions").
        """
        caller, principals = self.request.caller, list[str]()
        everyone = "*" if caller.kind == "Anonymous" else f"arn:aws:iam::{caller.account}:root"
        abroad = [everyone] if caller.account != bucket.owner else []
        if action == "s3:PutObjectAcl" and self.request.operation in _TABLES.creating:
            principals = abroad
        elif upload is not None and action in _TABLES.of_initiator:
            of_user = account_of_key(upload.initiator[:-1])
            principals = [upload.initiator, *(abroad if of_user == caller.account else ())]
        if principals:
            allowed = {"Sid": "AllowedByS3", "Effect": "Allow", "Principal": {"AWS": principals}}
            yield {**allowed, "Action": action, "Resource": "*"}


def needs_of(view: View, seen: View, request: ApiRequest) -> Needs:
    """NoSuchBucket comes first: it is not secret (S3 API Reference, "Error responses")."""
    must_sign = request.operation in _TABLES.signed and not _may_hand_over(view, request)
    if request.caller.kind == "Anonymous" and must_sign:
        raise fault("AccessDenied", _TABLES.signed[request.operation])
    if "Bucket" in request.params and request.operation != "CreateBucket":
        bucket = lookups.bucket_of(view, request)
        lookups.require_owner(bucket, request.params.get("ExpectedBucketOwner"))
        _check_region(request, bucket)
        acl.refuse_public(request, bucket)
    usual = _object if "Key" in request.params else _bucket
    return tuple(_OF.get(request.operation, usual)(_Call(request, view, seen)))


def _may_hand_over(view: View, request: ApiRequest) -> bool:
    """Whether this sets the ACL of an object that belongs to callers without an account."""
    found = lookups.content_at(view, lookups.address_of(request), request.params.get("VersionId"))
    return request.operation == "PutObjectAcl" and bool(found and found.owner == acl.ANONYMOUS)


def _check_region(request: ApiRequest, bucket: Bucket) -> None:
    """Refuse a request that was signed for another region, or as the bucket's does not know it.

    A client signs for the region of its endpoint, with us-east-1 for the global one. S3 User
    Guide, "Making requests using the REST API"; S3 API Reference, "Error responses".
    """
    proof = request.authenticated
    signed, oldest = proof.region if proof else "", bucket.region in canonical.OLDEST_REGIONS
    if proof and proof.version and not signed and not oldest:
        raise fault("InvalidRequest", SAYS["mechanism"])
    if signed in ("", bucket.region) or request.operation == "GetBucketLocation":
        return
    headers = (("x-amz-bucket-region", bucket.region),)
    if not {signed, bucket.region} <= canonical.DEFAULT_REGIONS:
        message = SAYS["location"].format(settings.constraint(bucket) or "unspecified")
        raise fault("IllegalLocationConstraintException", message, headers=headers)
    if signed != REGION:
        place = "" if bucket.region == REGION else f"{'-' if oldest else '.'}{bucket.region}"
        endpoint = f"{bucket.name}.s3{place}.amazonaws.com"
        raise fault("PermanentRedirect", headers=headers, Endpoint=endpoint, Bucket=bucket.name)
    code = s3.HEADER if proof and proof.auth_type == "REST-HEADER" else s3.QUERY
    message = f"{SAYS[code]}the region '{signed}' is wrong; expecting '{bucket.region}'"
    raise fault(code, message, headers=headers, Region=bucket.region)


def _list_buckets(call: _Call) -> Iterator[Need]:
    if call.request.caller.kind == "Anonymous":
        raise fault("TemporaryRedirect", headers=(("Location", "https://aws.amazon.com/s3/"),))
    yield replace(call.need("s3:ListAllMyBuckets", Address("*")), shown="")


def _bucket(call: _Call) -> Iterator[Need]:
    request = call.request
    plain = request.operation == "CreateBucket" and acl.is_owners_alone(request, call.view)
    names = (one for one in actions(request) if not (plain and one == "s3:PutBucketAcl"))
    return (call.need(action, lookups.address_of(request)) for action in names)


def _with_region(call: _Call) -> Iterator[Need]:
    """Even callers without access get the bucket's region."""
    headers = (("x-amz-bucket-region", lookups.bucket_of(call.view, call.request).region),)
    return (replace(need, headers=headers) for need in _bucket(call))


def _object(call: _Call) -> Iterator[Need]:
    where, version = lookups.address_of(call.request), call.request.params.get("VersionId")
    operation, bucket = call.request.operation, lookups.bucket_of(call.view, call.request)
    missing = lookups.content_at(call.view, where, version) is None
    if not missing or operation not in _TABLES.reading:
        yield from (call.need(each, where, version) for each in actions(call.request, bucket))
    if missing and operation in _TABLES.finding:
        yield _finding(call, where)


def _finding(call: _Call, where: Address) -> Need:
    """The need to learn that an object is missing, as a list of the one key would tell."""
    need = call.need("s3:ListBucket", Address(where.bucket))
    return replace(need, context={**need.context, "s3:prefix": where.key})


def _copy(call: _Call) -> Iterator[Need]:
    """Read the source, with its tags, and write, with those that the copy gets."""
    where, version = source(call.request)
    params, read = call.request.params, "s3:GetObjectVersion" if version else "s3:GetObject"
    reading = replace(call, request=replace(call.request, operation="GetObject"))
    if bucket := call.view.get(Bucket, "", where.bucket):
        lookups.require_owner(bucket, params.get("ExpectedSourceBucketOwner"))
    content = lookups.content_at(call.view, where, version)
    yield reading.need(read, where, version)
    if content is None:
        yield _finding(call, where)
    elif "UploadId" not in params and params.get("TaggingDirective") != "REPLACE":
        if content.tags:
            yield reading.need(f"{read}Tagging", where, version)
        given = {**params, "Tagging": urlencode(content.tags)}
        call = replace(call, request=replace(call.request, params=given))
    yield from _object(call)


def source(request: ApiRequest) -> tuple[Address, str | None]:
    """The address and the version id of a copy's source. Raises InvalidArgument."""
    header, given = "x-amz-copy-source", str(request.params["CopySource"])
    path, named, query = given.partition("?versionId=")
    if named and not query:
        raise invalid_argument(SAYS["version empty"], header, given)
    url = _URL.fullmatch(given)
    plain = unquote_plus(url[1] if url else path, errors="surrogateescape")
    bucket, _, key = plain.removeprefix("/").partition("/")
    broken = re.search("%(?![0-9A-Fa-f]{2})", path) or re.search("[\udc80-\udcff]", plain)
    no_name = not BUCKET_NAME.fullmatch(bucket)
    for what, wrong in (("encoding", broken), ("bucket name", no_name), ("object key", not key)):
        if wrong:
            raise invalid_argument(f"Invalid copy source {what}", header, header)
    return checked(Address(bucket, key)), parse_qs(f"v={query}").get("v", [None])[0]


_OF: Mapping[str, Callable[[_Call], Iterator[Need]]] = {
    **dict.fromkeys(("HeadBucket", "ListObjects", "ListObjectsV2"), _with_region),
    "ListBuckets": _list_buckets,
    # The handler decides on each object, and reports the errors.
    "DeleteObjects": lambda _: iter(()),
    "CopyObject": _copy,
    "UploadPartCopy": _copy,
}


def _request_keys(request: ApiRequest, owner: str) -> Keys:
    """The condition keys of all actions.

    Service Authorization Reference, "Condition keys for Amazon S3"; S3 User Guide, "Amazon S3
    condition key examples" (of a copy's source, its bucket and key in plain text).
    """
    proof = request.authenticated
    keys: Keys = {"s3:ResourceAccount": owner, **({"s3:TlsVersion": "1.3"} if proof else {})}
    if proof is None:  # a service signs its calls, as public records of CloudTrail show
        keys |= {"s3:authType": "REST-HEADER", "s3:signatureversion": canonical.ALGORITHM}
    elif proof.auth_type:
        keys["s3:authType"], keys["s3:signatureversion"] = proof.auth_type, proof.version
        if proof.auth_type == "REST-QUERY-STRING":
            keys["s3:signatureAge"] = str(max(int(proof.age.total_seconds() * 1000), 0))
        if proof.payload_hash:
            keys["s3:x-amz-content-sha256"] = proof.payload_hash
    asked = dict(request.params)
    for name in ("CreateBucketConfiguration", "LegalHold", "Retention"):
        asked |= request.params.get(name) or {}
    keys |= {**_TABLES.defaults.get(request.operation, {}), **_keys_of(asked, _TABLES.keys)}
    if until := keys.get("s3:object-lock-retain-until-date"):
        ends = model.moment(str(until))
        keys["s3:object-lock-retain-until-date"] = model.iso(ends)
        keys["s3:object-lock-remaining-retention-days"] = str((ends - request.now).days)
    if "CopySource" in request.params:
        keys["s3:x-amz-copy-source"] = "{0.bucket}/{0.key}".format(source(request)[0])
    if etag := request.params.get("IfMatch"):
        keys["s3:if-match"] = etag.strip('"')
    if tagging := request.params.get("Tagging"):
        is_text = isinstance(tagging, str)
        tags = dict(parse_qsl(tagging, True)) if is_text else tags_in(tagging.get("TagSet"))
        keys |= {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
        keys |= {"s3:RequestObjectTagKeys": tuple(tags)} if tags else {}
    return keys | request_tags(asked)


def _keys_of(params: Params, names: Mapping[str, str]) -> Keys:
    return {key: str(params[name]) for name, key in names.items() if params.get(name) is not None}
