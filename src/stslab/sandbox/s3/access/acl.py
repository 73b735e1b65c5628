"""Access control lists: asked for, refused, shown.

S3 User Guide, "Access control list (ACL) overview", "Controlling ownership of objects and
disabling ACLs for your bucket" and "Blocking public access to your Amazon S3 storage".
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from stslab.sandbox.api.faults import fault, invalid_argument, malformed
from stslab.sandbox.api.model import Answer, ApiRequest, Reads, Writes
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket, Grant
from stslab.sandbox.state.snapshot import Account, Transaction, View

ENFORCED = "BucketOwnerEnforced"
ALL = "FULL_CONTROL"
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
PUBLIC = frozenset({EVERYONE, AUTHENTICATED})

Grants = tuple[Grant, ...] | None
"""A list as records have it; None where only the owner has access."""

# What the canned lists give beside all to the owner. Two name the bucket's owner, who owns the
# objects here, and one a service.
_CANNED: Mapping[str, tuple[Grant, ...]] = {
    "private": (),
    "public-read": (Grant(EVERYONE, "READ"),),
    "public-read-write": (Grant(EVERYONE, "READ"), Grant(EVERYONE, "WRITE")),
    "authenticated-read": (Grant(AUTHENTICATED, "READ"),),
    "aws-exec-read": (),
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
    "log-delivery-write": (Grant(_LOG_DELIVERY, "WRITE"), Grant(_LOG_DELIVERY, "READ_ACP")),
}
PLAIN = frozenset({"private", "bucket-owner-read", "bucket-owner-full-control"})
"""The canned lists that change nothing in a new bucket; two are for objects, and ignored."""
_MOST_GRANTS = 100
_HEADERS: Mapping[str, str] = {
    "GrantFullControl": ALL,
    "GrantRead": "READ",
    "GrantReadACP": "READ_ACP",
    "GrantWrite": "WRITE",
    "GrantWriteACP": "WRITE_ACP",
}
_GRANTEE = re.compile(r"\s*(id|uri|emailAddress)\s*=\s*\"?([^\",]*)\"?\s*")


def acls_enabled(bucket: Bucket) -> bool:
    """Whether the bucket's ownership setting, or its having none, lets lists count."""
    return bucket.ownership != ENFORCED


def asked(view: View, request: ApiRequest, owner_id: str) -> Grants:
    """The list that the request asks for, in one of the three ways to write it."""
    canned = request.params.get("ACL")
    written = [name for name in _HEADERS if request.params.get(name)]
    policy = request.params.get("AccessControlPolicy")
    if sum(map(bool, (canned, written, policy))) > 1:
        message = "Specifying both Canned ACLs and Header Grants is not allowed"
        raise fault("InvalidRequest", message)
    if written:
        found = [each for name in written for each in _of_header(request, name)]
    elif policy is not None:
        found = list(_of_policy(policy, owner_id))
    else:
        own = _CANNED[canned or "private"]
        return (Grant(owner_id, ALL), *own) if own else None
    for each in found:
        _check_grantee(view, each.grantee)
    if len(found) > _MOST_GRANTS:
        raise fault("MalformedACLError")
    return tuple(found) if found != [Grant(owner_id, ALL)] else None


def _of_header(request: ApiRequest, name: str) -> Iterator[Grant]:
    for one in request.params[name].split(","):
        named = _GRANTEE.fullmatch(one)
        if named is None:
            raise invalid_argument("Argument format not recognized", name, request.params[name])
        kind, grantee = named.groups()
        yield Grant(f"mailto:{grantee}" if kind == "emailAddress" else grantee, _HEADERS[name])


def _of_policy(policy: Document, owner_id: str) -> Iterator[Grant]:
    if (policy.get("Owner") or {}).get("ID") != owner_id:
        raise fault("MalformedACLError") if "Owner" not in policy else fault("AccessDenied")
    for each in policy.get("Grants") or ():
        grantee, permission = each.get("Grantee") or {}, each.get("Permission")
        named = grantee.get("ID") or grantee.get("URI")
        if not permission or not (named or grantee.get("EmailAddress")):
            raise malformed()
        yield Grant(named or f"mailto:{grantee['EmailAddress']}", permission)


def _check_grantee(view: View, grantee: str) -> None:
    if grantee.startswith("mailto:"):
        raise fault("UnresolvableGrantByEmailAddress")
    if "://" in grantee:
        if grantee not in (EVERYONE, AUTHENTICATED, _LOG_DELIVERY):
            raise invalid_argument("Invalid group uri", "Group/URI", grantee)
    elif account_with(view, grantee) is None:
        raise invalid_argument("Invalid id", "CanonicalUser/ID", grantee)


def account_with(view: View, canonical_id: str) -> Account | None:
    accounts = view.everywhere(Account)
    return next((one for one in accounts if one.canonical_id == canonical_id), None)


def shown(grants: Grants, owner_id: str) -> Answer:
    held = (Grant(owner_id, ALL),) if grants is None else grants
    return {
        "Owner": {"ID": owner_id},
        "Grants": [{"Grantee": _grantee(one), "Permission": one.permission} for one in held],
    }


def _grantee(one: Grant) -> Mapping[str, str]:
    if "://" in one.grantee:
        return {"Type": "Group", "URI": one.grantee}
    return {"Type": "CanonicalUser", "ID": one.grantee}


def check_creating(request: ApiRequest) -> None:
    """Refuse a new bucket whose list its ownership setting or Block Public Access forbids."""
    ownership = request.params.get("ObjectOwnership", ENFORCED)
    plain = request.params.get("ACL", "private") in PLAIN
    if ownership == ENFORCED and (_lists(request) or not plain):
        raise fault("InvalidBucketAclWithObjectOwnership")
    if _is_public(request):
        raise fault("InvalidBucketAclWithBlockPublicAccessError")


def check_storing(request: ApiRequest, bucket: Bucket) -> None:
    plain = request.params.get("ACL", "") in ("", "bucket-owner-full-control")
    if not acls_enabled(bucket) and (_lists(request) or not plain):
        raise fault("AccessControlListNotSupported")
    _refuse_public(request, bucket)


def changed(view: View, request: ApiRequest, bucket: Bucket) -> Grants:
    """The list that a request which does nothing else asks for, where the bucket's settings let."""
    if not acls_enabled(bucket):
        raise fault("AccessControlListNotSupported")
    _refuse_public(request, bucket)
    if not any(request.params.get(name) for name in ("ACL", "AccessControlPolicy", *_HEADERS)):
        raise fault("MissingSecurityHeader", MissingHeaderName="x-amz-acl")
    return asked(view, request, lookups.canonical_id(view, bucket))


def _refuse_public(request: ApiRequest, bucket: Bucket) -> None:
    if bucket.block.block_public_acls and _is_public(request):
        raise fault("AccessDenied")


def _is_public(request: ApiRequest) -> bool:
    canned = _CANNED.get(request.params.get("ACL", ""), ())
    policy = request.params.get("AccessControlPolicy") or {}
    written: Iterable[str] = (
        *(one.grantee for one in canned),
        *(str(request.params.get(name, "")) for name in _HEADERS),
        *(str((one.get("Grantee") or {}).get("URI", "")) for one in policy.get("Grants") or ()),
    )
    return any(group in text for text in written for group in PUBLIC)


def _lists(request: ApiRequest) -> bool:
    return any(request.params.get(name) for name in _HEADERS)


def _get(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    return shown(bucket.grants, lookups.canonical_id(view, bucket))


def _put(tx: Transaction, request: ApiRequest) -> None:
    bucket = lookups.bucket_of(tx, request)
    tx.put(replace(bucket, grants=changed(tx, request, bucket)))


READS: Reads = {"GetBucketAcl": _get}
WRITES: Writes = {"PutBucketAcl": _put}
