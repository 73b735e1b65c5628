"""Access control lists (ACLs): reading them from requests, checking and writing them.

S3 User Guide, "Access control list (ACL) overview", "Controlling ownership of objects and
disabling ACLs for your bucket" and "Blocking public access to your Amazon S3 storage".
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.state.buckets import Bucket, Grant, ObjectVersion
from stslab.sandbox.state.snapshot import Account, Transaction, View
from stslab.structures import beside

ENFORCED = "BucketOwnerEnforced"
ALL = "FULL_CONTROL"
EVERYONE = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
ANONYMOUS = "65a011a29cdf8ec533ec3d1ccaae921c"  # the canonical id of callers without an account
PUBLIC = frozenset({EVERYONE, AUTHENTICATED})

Grants = tuple[Grant, ...] | None  # an ACL as records have it; None if only the owner has access

_TABLES = beside(__file__, "access.yaml")
_CANNED: Mapping[str, tuple[Grant, ...]] = {
    name: tuple(Grant(*one) for one in grants) for name, grants in _TABLES["canned"].items()
}
FULL = "bucket-owner-full-control"
PLAIN = frozenset({"private", "bucket-owner-read", FULL})
"""The canned ACLs that change nothing in a new bucket; two are for objects, and ignored."""
_MOST_GRANTS = 100
HEADERS: Mapping[str, str] = _TABLES["grants in headers"]
_NAMES = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}
_GRANTEE = re.compile(r"\s*((?i:id|uri|emailaddress))\s*=\s*(?!\s)\"?([^\",]*)(?:\"\s*)?")


def acls_enabled(bucket: Bucket) -> bool:
    return bucket.ownership != ENFORCED


def owner_of(view: View, bucket: Bucket, version: ObjectVersion | None = None) -> str:
    """The canonical id of the owner of a bucket, or of a version of an object in it."""
    if version is not None and version.owner and acls_enabled(bucket):
        return version.owner
    return canonical_id(view, bucket.owner, bucket.owner)


def canonical_id(view: View, account_id: str, usual: str = ANONYMOUS) -> str:
    """The canonical id of an account; ``usual`` if it does not exist."""
    account = view.get(Account, account_id, "")
    return account.canonical_id if account is not None else usual


def owner_of_new(view: View, request: ApiRequest, bucket: Bucket) -> str:
    """The owner of the version that a request stores; empty for the bucket's."""
    handed = request.params.get("ACL") == "bucket-owner-full-control"
    own = request.caller.account == bucket.owner
    if own or not acls_enabled(bucket) or (handed and bucket.ownership == "BucketOwnerPreferred"):
        return ""
    return canonical_id(view, request.caller.account)


def requested(view: View, request: ApiRequest, bucket: Bucket, owner_id: str) -> Grants:
    """The ACL in a request: a canned one, headers, or a document. Raises S3's errors."""
    canned, bucket_owner = request.params.get("ACL"), owner_of(view, bucket)
    headers = [name for name in HEADERS if request.params.get(name)]
    policy = request.params.get("AccessControlPolicy")
    if policy and (canned or headers):
        raise fault("UnexpectedContent")
    if canned and headers:
        raise fault("InvalidRequest", SAYS["ACL twice"])
    if headers:
        grants = [grant for name in headers for grant in _in_header(view, request, name, owner_id)]
    elif policy is not None:
        grants = list(_in_document(view, policy, owner_id))
    else:
        rows = ((one.grantee or bucket_owner, one) for one in _CANNED[canned or "private"])
        further = [Grant(grantee, one.permission) for grantee, one in rows if grantee != owner_id]
        return (Grant(owner_id, ALL), *further) if further else None
    if len(grants) > _MOST_GRANTS:
        raise fault("MalformedACLError")
    return tuple(grants) if grants != [Grant(owner_id, ALL)] else None


def _in_header(view: View, request: ApiRequest, name: str, owner_id: str) -> Iterator[Grant]:
    permission, text = HEADERS[name], request.params[name]
    for part in text.split(","):
        match = _GRANTEE.fullmatch(part)
        if match is None:
            header = f"x-amz-grant-{permission.lower().replace('_', '-')}"
            raise invalid_argument("Argument format not recognized", header, text)
        yield Grant(_checked(view, match[1].lower(), match[2], owner_id), permission)


def _in_document(view: View, policy: Document, owner_id: str) -> Iterator[Grant]:
    if "ID" not in policy.get("Owner", ()):
        raise fault("MalformedACLError")
    if _checked(view, "CanonicalUser/ID", policy["Owner"]["ID"], owner_id) != owner_id:
        raise ApiFault("AccessDenied", "Access Denied", log={"cause": "owner in the list"})
    for row in policy.get("Grants") or ():
        grantee, permission = row.get("Grantee") or {}, row.get("Permission")
        kind = grantee.get("Type", "")
        name = _NAMES.get(kind, "")
        if not permission or {one for one in _NAMES.values() if grantee.get(one)} != {name}:
            raise fault("MalformedACLError")
        yield Grant(_checked(view, f"{kind}/{name}", grantee[name], owner_id), permission)


def _checked(view: View, kind: str, grantee: str, owner_id: str) -> str:
    """``grantee``, which is named as S3 names what is wrong: by a header or in a document.

    The owner may be callers without an account.
    """
    what = kind.rpartition("/")[2].lower()
    if what == "emailaddress":  # supported until October 2025: "PutObjectAcl"
        raise fault("MethodNotAllowed")
    if what == "uri":
        if grantee not in (EVERYONE, AUTHENTICATED, _LOG_DELIVERY):
            raise invalid_argument("Invalid group uri", kind, grantee)
    elif grantee not in (owner_id, ANONYMOUS) and account_with(view, grantee) is None:
        raise invalid_argument("Invalid id", kind, grantee)
    return grantee


def account_with(view: View, canonical_id: str) -> Account | None:
    return next((one for one in view.everywhere(Account) if one.canonical_id == canonical_id), None)


def effective(bucket: Bucket, grants: Grants) -> tuple[Grant, ...]:
    """The grants that have an effect; with IgnorePublicAcls, public ones have none."""
    ignored = PUBLIC if bucket.block.ignore_public_acls else frozenset()
    return tuple(grant for grant in grants or () if grant.grantee not in ignored)


def written(bucket: Bucket, owner_id: str, grants: Grants) -> Answer:
    """An ACL as in GetBucketAcl's and GetObjectAcl's answers: the grants that have an effect."""
    rows = []
    owner_only = grants is None or not acls_enabled(bucket)
    for one in (Grant(owner_id, ALL),) if owner_only else effective(bucket, grants):
        kind, name = ("Group", "URI") if "://" in one.grantee else ("CanonicalUser", "ID")
        rows.append({"Grantee": {"Type": kind, name: one.grantee}, "Permission": one.permission})
    return {"Owner": {"ID": owner_id}, "Grants": rows}


def is_owners_alone(request: ApiRequest, view: View) -> bool:
    """Whether a request grants full control to its caller's account and nothing else."""
    given = [name for name in ("ACL", *HEADERS) if request.params.get(name)]
    match = _GRANTEE.fullmatch(request.params[given[0]]) if given == ["GrantFullControl"] else None
    own = canonical_id(view, request.caller.account)
    return match is not None and (match[1].lower(), match[2]) == ("id", own)


def check_creating(request: ApiRequest, view: View) -> None:
    """Refuse an ACL that the new bucket's ownership setting or Block Public Access forbids."""
    granted = any(request.params.get(name) for name in HEADERS)
    granted &= not is_owners_alone(request, view)
    given = granted or request.params.get("ACL", "private") not in PLAIN
    if request.params.get("ObjectOwnership", ENFORCED) == ENFORCED and given:
        raise fault("InvalidBucketAclWithObjectOwnership")
    if _is_public(request):
        raise fault("InvalidBucketAclWithBlockPublicAccessError")


def for_new(view: View, request: ApiRequest, bucket: Bucket, owner: str) -> Grants:
    """The ACL of a new object of this owner, which the bucket's settings may forbid."""
    owner_id = owner or owner_of(view, bucket)
    grants = requested(view, request, bucket, owner_id)
    if acls_enabled(bucket):
        return grants
    own = request.caller.account == bucket.owner
    plain = request.params.get("ACL", FULL) in (PLAIN if own else {FULL})
    # The writer may have full control too: it has no effect.
    both = {Grant(owner_id, ALL), Grant(canonical_id(view, request.caller.account), ALL)}
    if not plain or (grants is not None and (len(grants), {*grants}) != (len(both), both)):
        raise fault("AccessControlListNotSupported")
    return None


def new_grants(view: View, request: ApiRequest, bucket: Bucket, owner_id: str) -> Grants:
    """The ACL in PutBucketAcl or PutObjectAcl, checked by the bucket's settings."""
    given = (request.params.get(name) for name in ("ACL", "AccessControlPolicy", *HEADERS))
    if not any(one not in (None, "") for one in given):
        raise fault("MissingSecurityHeader", MissingHeaderName="x-amz-acl")
    grants = requested(view, request, bucket, owner_id)
    if not acls_enabled(bucket):
        raise fault("AccessControlListNotSupported")
    return grants


def refuse_public(request: ApiRequest, bucket: Bucket) -> None:
    """Refuse a public ACL if Block Public Access does, even if a policy allows it."""
    # Where ACLs are disabled, a write with one is refused for that.
    counts = acls_enabled(bucket) or request.operation.endswith("Acl")
    if counts and bucket.block.block_public_acls and _is_public(request):
        raise prevented(request, bucket, "public ACLs")


def prevented(request: ApiRequest, bucket: Bucket, why: str) -> ApiFault:
    """The error of what a bucket's settings refuse. Only the owner's account gets the reason."""
    key, operation = request.params.get("Key"), request.operation
    action = operation if operation.startswith(("Put", "Copy")) else "PutObject"
    message = f"User: {request.caller.principal.arn} is not authorized to perform: s3:{action} "
    message += f'on resource: "{bucket.arn}{f"/{key}" if key else ""}" because {SAYS[why]}'
    if request.caller.account != bucket.owner:
        return ApiFault("AccessDenied", "Access Denied", log={"cause": message})
    return fault("AccessDenied", message)


def _is_public(request: ApiRequest) -> bool:
    canned = _CANNED.get(request.params.get("ACL", ""), ())
    policy = request.params.get("AccessControlPolicy") or {}
    texts: Iterable[str] = (
        *(grant.grantee for grant in canned),
        *(str(request.params.get(name, "")) for name in HEADERS),
        *(str((row.get("Grantee") or {}).get("URI", "")) for row in policy.get("Grants") or ()),
    )
    return any(group in text for text in texts for group in PUBLIC)


def get_bucket_acl(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    return written(bucket, owner_of(view, bucket), bucket.grants)


def put_bucket_acl(tx: Transaction, request: ApiRequest) -> None:
    bucket = lookups.bucket_of(tx, request)
    tx.put(replace(bucket, grants=new_grants(tx, request, bucket, owner_of(tx, bucket))))
