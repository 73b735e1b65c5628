"""Bucket policies: put, shown, and what they and lists say to a caller.

S3 User Guide, "Bucket policies for Amazon S3", "Access control list (ACL) overview", section
"Mapping of ACL permissions and access policy permissions", and "Blocking public access to your
Amazon S3 storage"; S3 API Reference, "PutBucketPolicy".
"""

import functools
import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from stslab.errors import MalformedPolicy
from stslab.policy import NamedPolicy, PolicyKind, catalogue, parse
from stslab.sandbox.api import policies
from stslab.sandbox.api.faults import fault
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Caller, Judge, Reads, Writes
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.address import Address
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.structures import listed
from stslab.vocabulary import LATEST, LEGACY

# -- what Block Public Access calls public -----------------------------------------------------
# "Blocking public access to your Amazon S3 storage", section "The meaning of "public"".

Statement = Mapping[str, Any]
_FIXING_KEYS = frozenset(
    """
    aws:principalorgid aws:principalorgpaths aws:principalarn aws:principalaccount aws:sourcearn
    aws:sourcevpc aws:sourcevpce aws:sourceowner aws:sourceaccount aws:userid
    s3:x-amz-server-side-encryption-aws-kms-key-id s3:dataaccesspointarn s3:dataaccesspointaccount
    """.split()
)
_FIXING_OPERATORS = ("stringequals", "stringlike", "arnequals", "arnlike")
_BROADEST = {4: 8, 6: 32}  # the shortest prefix that still names a fixed set of addresses


@functools.lru_cache(maxsize=256)
def policy_is_public(text: str) -> bool:
    """Whether a bucket policy grants something to anyone but fixed principals or places."""
    return any(_is_public(one) for one in _statements(text) if one.get("Effect") == "Allow")


def _is_public(statement: Statement) -> bool:
    if "NotPrincipal" in statement:
        return True
    named = statement.get("Principal", {})
    open_to_all = (
        isinstance(named, str)
        or "Federated" in named
        or any(_is_open(value) for values in named.values() for value in listed(values))
    )
    return open_to_all and not any(
        _fixes(operator.lower(), key.lower(), listed(values))
        for operator, tests in statement.get("Condition", {}).items()
        for key, values in tests.items()
    )


def _fixes(operator: str, key: str, values: list[Any]) -> bool:
    """Whether a condition limits the grant to fixed values."""
    if operator == "ipaddress" and key == "aws:sourceip":
        return all(_is_narrow(str(value)) for value in values)
    if key in _FIXING_KEYS and operator.startswith(_FIXING_OPERATORS):
        return not operator.endswith("ifexists") and not any(_is_open(one) for one in values)
    return False


def _is_narrow(cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.is_private or network.prefixlen >= _BROADEST[network.version]


def _is_open(value: object) -> bool:
    return any(mark in str(value) for mark in ("*", "?", "${"))


def _statements(text: str) -> list[Statement]:
    return listed(json.loads(text).get("Statement", []))


def put(judge: Judge, tx: Transaction, request: ApiRequest) -> None:
    """PutBucketPolicy: keep a policy that is one, for this bucket, and may be public."""
    bucket = _own_bucket(tx, request)
    text = str(request.params.get("Policy", ""))
    _check(tx, text, bucket.name)
    if bucket.block.block_public_policy and policy_is_public(text):
        raise fault(
            "AccessDenied",
            f"User: {request.caller.principal.arn} is not authorized to perform: "
            f's3:PutBucketPolicy on resource: "{bucket.arn}" because public policies are prevented '
            "by the BlockPublicPolicy setting in S3 Block Public Access.",
        )
    try:
        kept = policies.with_ids(text, judge.seen(tx))
    except ApiFault:
        raise fault("MalformedPolicy", "Invalid principal in policy") from None
    tx.put(replace(bucket, policy=kept))


def get(judge: Judge, view: View, request: ApiRequest) -> Answer:
    """GetBucketPolicy: the policy's text, with principals that are gone by their ids."""
    return {"Policy": policies.with_arns(_text(view, request), judge.seen(view))}


def _status(view: View, request: ApiRequest) -> Answer:
    return {"PolicyStatus": {"IsPublic": policy_is_public(_text(view, request))}}


def _text(view: View, request: ApiRequest) -> str:
    bucket = _own_bucket(view, request)
    if not bucket.policy:
        raise fault("NoSuchBucketPolicy", BucketName=bucket.name)
    return bucket.policy


def _own_bucket(view: View, request: ApiRequest) -> Bucket:
    """The bucket; whose policy only its own account may read or write.

    S3 API Reference, "PutBucketPolicy": others get MethodNotAllowed, whatever is allowed.
    """
    bucket = lookups.bucket_of(view, request)
    if bucket.owner != request.caller.account:
        raise fault("MethodNotAllowed")
    return bucket


READS: Reads = {"GetBucketPolicyStatus": _status}
WRITES: Writes = {
    "DeleteBucketPolicy": lambda tx, request: tx.put(replace(_own_bucket(tx, request), policy="")),
}

_MAX_SIZE = 20 * 1024
_NEEDED = (
    ("Effect",),
    ("Principal", "NotPrincipal"),
    ("Action", "NotAction"),
    ("Resource", "NotResource"),
)
_TYPES = frozenset({"bucket", "object"})
# What requests through access points have, and those on buckets whose tags count.
_WITHOUT_ACTION = ("s3:accesspoint", "s3:buckettag", "s3:dataaccesspoint")


def _check(view: View, text: str, bucket: str) -> None:
    if len(text.encode()) > _MAX_SIZE:
        raise fault("PolicyTooLarge")
    if lacking := _lacking(text):
        raise fault("MalformedPolicy", lacking)
    try:
        parse(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise fault("MalformedPolicy", error.message) from None
    for statement in _statements(text):
        _check_canonical(view, statement)
        _check_actions(statement)
        _check_resources(statement, f"arn:aws:s3:::{bucket}")
        _check_conditions(statement)


def _lacking(text: str) -> str:
    """What S3 says, in words of its own, of a text that is no policy in the first place."""
    if not text.startswith("{"):
        return "Policies must be valid JSON and the first byte must be '{'"
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""  # that is told in IAM's words
    if document.get("Version", LATEST) not in (LATEST, LEGACY):
        return "The policy must contain a valid version string"
    if document.get("Statement") == []:
        return "Could not parse the policy: Statement is empty!"
    statements = [one for one in listed(document.get("Statement")) if isinstance(one, dict)]
    absent = (names[0] for one in statements for names in _NEEDED if not one.keys() & {*names})
    name = next(absent, "") if "Statement" in document else "Statement"
    return f"Missing required field {name}" if name else ""


def _check_canonical(view: View, statement: Statement) -> None:
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    ids = _listed(principal, "CanonicalUser") if isinstance(principal, dict) else []
    if not all(acl.account_with(view, one) for one in ids):
        raise fault("MalformedPolicy", "Invalid principal in policy")


def _check_actions(statement: Statement) -> None:
    for pattern in _listed(statement, "Action", "NotAction"):
        if not _matching(pattern):
            raise fault("MalformedPolicy", "Policy has invalid action")


def _check_resources(statement: Statement, arn: str) -> None:
    resources = _listed(statement, "Resource", "NotResource")
    if any(one != arn and not one.startswith((f"{arn}/", f"{arn}*")) for one in resources):
        raise fault("MalformedPolicy", "Policy has invalid resource")
    if "Action" not in statement or "Resource" not in statement:
        return
    there = {kind for one in resources for kind in _types_of(one, arn)}
    for pattern in _listed(statement, "Action"):
        if not any(there & catalogue.resource_types(each) for each in _matching(pattern)):
            raise fault("MalformedPolicy", "Action does not apply to any resource(s) in statement")


def _check_conditions(statement: Statement) -> None:
    """Refuse keys that S3 does not have, and those that one of the statement's actions has not.

    That one action suffices to be refused is in https://github.com/humanmade/S3-Uploads/issues/239.
    """
    named = {_bare(key) for keys in statement.get("Condition", {}).values() for key in keys}
    asked = {key for key in named if key.startswith("s3:") and not key.startswith(_WITHOUT_ACTION)}
    if not asked <= {_bare(key) for key in catalogue.key_types("s3")}:
        raise fault("MalformedPolicy", "Policy has an invalid condition key")
    for pattern in _listed(statement, "Action"):
        had = {_bare(key) for one in _matching(pattern) for key in catalogue.condition_keys(one)}
        if not asked <= had:
            what = "Conditions do not apply to combination of actions and resources in statement"
            raise fault("MalformedPolicy", what)


def _bare(key: str) -> str:
    return key.lower().partition("/")[0]


def _types_of(resource: str, arn: str) -> frozenset[str]:
    """What a resource of this bucket may be; one that goes on after a wildcard, either."""
    if resource == arn:
        return frozenset({"bucket"})
    return frozenset({"object"}) if resource.startswith(f"{arn}/") else _TYPES


def _matching(pattern: str) -> tuple[str, ...]:
    if not pattern.strip("*"):
        return catalogue.matching_actions("s3:*")
    return catalogue.matching_actions(pattern) if pattern.lower().startswith("s3:") else ()


def _listed(statement: Statement, *names: str) -> list[str]:
    return listed(next((statement[name] for name in names if name in statement), []))


_ON_BUCKET: Mapping[str, tuple[str, ...]] = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": ("s3:PutObject", "s3:DeleteObject"),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
_ON_OBJECT: Mapping[str, tuple[str, ...]] = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion"),
    "READ_ACP": ("s3:GetObjectAcl", "s3:GetObjectVersionAcl"),
    "WRITE_ACP": ("s3:PutObjectAcl", "s3:PutObjectVersionAcl"),
}
_WITH_ACCOUNT = {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}}
_EMPTY = '{"Version": "2012-10-17", "Statement": []}'


def of(
    view: View, seen: View, where: Address, version: str | None, caller: Caller
) -> NamedPolicy | None:
    """The bucket's policy with what the lists of the bucket and the object grant.

    ``seen`` is what is known of IAM. With RestrictPublicBuckets, a public policy speaks to the
    owner's account only; lists count where the bucket's ownership setting lets them.
    """
    bucket = lookups.bucket_named(view, where.bucket)
    if bucket is None:
        return None
    text = "" if _restricted(bucket, caller) else bucket.policy
    text = policies.with_arns(text, seen) if text else text
    granted = list(_granted(view, bucket, where, version)) if acl.acls_enabled(bucket) else []
    if granted:
        policy = json.loads(text or _EMPTY)
        policy["Statement"] = listed(policy["Statement"]) + [
            {"Sid": f"AccessControlList{number}", **one} for number, one in enumerate(granted)
        ]
        text = json.dumps(policy)
    if not text:
        return None
    return policies.named(f"bucket policy of {bucket.name}", text, PolicyKind.RESOURCE)


def _restricted(bucket: Bucket, caller: Caller) -> bool:
    return (
        bucket.block.restrict_public_buckets
        and caller.account != bucket.owner
        and bool(bucket.policy)
        and policy_is_public(bucket.policy)
    )


def _granted(
    view: View, bucket: Bucket, where: Address, version: str | None
) -> Iterator[Statement]:
    """The lists as statements: those that grant to the owner say what its account can anyway."""
    yield from _granting(view, bucket, bucket.grants, _ON_BUCKET, (bucket.arn, f"{bucket.arn}/*"))
    held = lookups.version_at(view, where, version) if where.key else None
    if held is not None:
        resource = _literal(f"{bucket.arn}/{where.key}")
        yield from _granting(view, bucket, held.grants, _ON_OBJECT, (resource,))


def _granting(
    view: View,
    bucket: Bucket,
    grants: acl.Grants,
    actions: Mapping[str, tuple[str, ...]],
    resources: tuple[str, ...],
) -> Iterator[Statement]:
    ignored = acl.PUBLIC if bucket.block.ignore_public_acls else frozenset()
    for grant in grants or ():
        principal = _principal(view, bucket, grant.grantee)
        meant = [
            action
            for permission, names in actions.items()
            for action in names
            if grant.permission in (permission, acl.ALL)
        ]
        if principal is not None and meant and grant.grantee not in ignored:
            yield {
                "Effect": "Allow",
                "Principal": principal,
                "Action": meant,
                "Resource": list(resources),
                **({"Condition": _WITH_ACCOUNT} if grant.grantee == acl.AUTHENTICATED else {}),
            }


def _principal(view: View, bucket: Bucket, grantee: str) -> str | Mapping[str, str] | None:
    if grantee in acl.PUBLIC:
        return "*"
    account = acl.account_with(view, grantee)
    if account is None or account.account == bucket.owner:
        return None
    return {"AWS": account.root_arn}


def _literal(arn: str) -> str:
    """``arn`` as a pattern that matches nothing else."""
    return arn.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}")
