"""Bucket policies: their operations and checks, and what policies and ACLs grant to a caller.

S3 User Guide, "Bucket policies for Amazon S3", "Access control list (ACL) overview", section
"Mapping of ACL permissions and access policy permissions", and "Blocking public access to your
Amazon S3 storage"; S3 API Reference, "PutBucketPolicy".
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from stslab.errors import MalformedPolicy
from stslab.policy import NamedPolicy, PolicyKind, catalogue, parse
from stslab.policy.conditions import Condition, network
from stslab.policy.documents.statement import Statement
from stslab.policy.patterns import no_value
from stslab.sandbox.api import policies
from stslab.sandbox.api.faults import SAYS, fault
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Caller, Judge
from stslab.sandbox.s3 import lookups
from stslab.sandbox.s3.access import acl
from stslab.sandbox.state.buckets import Bucket, Grant, ObjectVersion
from stslab.sandbox.state.snapshot import Account, Transaction, View
from stslab.structures import beside, listed, without
from stslab.vocabulary import LATEST

# -- whether a policy is public, as Block Public Access defines it -----------------------------
# "Blocking public access to your Amazon S3 storage", section "The meaning of "public"".

Source = Mapping[str, Any]  # the JSON object of a statement
_TABLES = beside(__file__, "access.yaml")
_FIXING_KEYS = frozenset(_TABLES["fixing keys"])
_FIXING_OPERATORS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")
# What may be open as long as the account, or the role of a session, is fixed.
_IN_ACCOUNT = re.compile(r"arn:[^:]*:[^:]*:[^:]*:[0-9]{12}:((?!\$\{).)*")
_PARTLY_OPEN = {
    **dict.fromkeys(("aws:principalarn", "aws:sourcearn", "s3:dataaccesspointarn"), _IN_ACCOUNT),
    "aws:userid": re.compile(r"AROA\w+:\*"),
}
_BROADEST = {4: 8, 6: 32}  # the shortest prefix that counts as a fixed set of addresses


@functools.lru_cache(maxsize=256)
def policy_is_public(text: str) -> bool:
    """Whether a bucket policy grants access to others than fixed principals or places."""
    statements = parse(text, PolicyKind.RESOURCE).statements
    denials = [each for each in statements if not each.allows and _spares_fixed(each)]
    grants = (each for each in statements if each.allows and _is_public(each))
    return any(not any(_covers(denial, each) for denial in denials) for each in grants)


def _is_public(grant: Statement) -> bool:
    names = grant.principal.names if grant.principal else None
    open_to_all = names is None or any(kind == "Federated" or name == "*" for kind, name in names)
    return open_to_all and not _fixes(grant.conditions)


def _spares_fixed(denial: Statement) -> bool:
    """Whether a denial is for everyone, or for everyone without a fixed value."""
    everyone = denial.principal and denial.principal.public and not denial.principal.negated
    alone = len(denial.conditions) == 1 and _fixes(denial.conditions, negated=True)
    return bool(everyone) and (not denial.conditions or alone)


def _covers(denial: Statement, grant: Statement) -> bool:
    for denied, granted in ((denial.action, grant.action), (denial.resource, grant.resource)):
        if not denied or not granted or denied.negated or granted.negated:
            return False
        if not all(denied.applies(one, no_value) for one in granted.patterns):
            return False
    return True


def _fixes(conditions: Iterable[Condition], *, negated: bool = False) -> bool:
    """Whether a condition limits a statement to fixed values of a key that must be there."""
    there = {one.key.lower() for one in conditions if one.asks_presence and "false" in one.values}
    return any(
        one.test.operator.negated is negated and all(_is_fixed(one, value) for value in one.values)
        for one in conditions
        if one.key.lower() in there or not (one.test.if_exists or one.test.every)
    )


def _is_fixed(condition: Condition, value: str) -> bool:
    operator, key = condition.test.operator.name.replace("Not", ""), condition.key.lower()
    if operator == "IpAddress" and key == "aws:sourceip":
        within = network(value)
        return within is not None and within.prefixlen >= _BROADEST[within.version]
    marks = ("${",) if operator.startswith("StringEquals") else ("${", "*", "?")
    fixed = not any(mark in value for mark in marks)
    fixed = fixed or (key in _PARTLY_OPEN and bool(_PARTLY_OPEN[key].fullmatch(value)))
    return fixed and key in _FIXING_KEYS and operator.startswith(_FIXING_OPERATORS)


def put_bucket_policy(judge: Judge, tx: Transaction, request: ApiRequest) -> None:
    bucket = _own_bucket(tx, request)
    text = _checked(tx, str(request.params.get("Policy", "")), bucket.name)
    if bucket.block.block_public_policy and policy_is_public(text):
        raise acl.prevented(request, bucket, "public policies")
    try:
        stored = policies.with_ids(text, judge.seen(tx))
    except ApiFault as refused:
        raise _in_s3s_words(refused.message) from None
    tx.put(replace(bucket, policy=stored))


def get_bucket_policy(judge: Judge, view: View, request: ApiRequest) -> Answer:
    return {"Policy": policies.with_arns(_text(_own_bucket(view, request)), judge.seen(view))}


def _text(bucket: Bucket) -> str:
    if not bucket.policy:
        raise fault("NoSuchBucketPolicy", BucketName=bucket.name)
    return bucket.policy


def _own_bucket(view: View, request: ApiRequest) -> Bucket:
    """Others get MethodNotAllowed, whatever a policy allows (API Reference, "PutBucketPolicy")."""
    bucket = lookups.bucket_of(view, request)
    if bucket.owner != request.caller.account:
        raise fault("MethodNotAllowed")
    return bucket


def delete_bucket_policy(tx: Transaction, request: ApiRequest) -> None:
    tx.put(replace(_own_bucket(tx, request), policy=""))


def get_bucket_policy_status(view: View, request: ApiRequest) -> Answer:
    return {"PolicyStatus": {"IsPublic": policy_is_public(_text(lookups.bucket_of(view, request)))}}


_MAX_SIZE = 20 * 1024
_SYNTAX = ("Syntax errors in policy.", "Invalid policy syntax.")  # in IAM's words, and in S3's
_UNREADABLE: Mapping[str, str] = _TABLES["unreadable"]
_ACCOUNT = re.compile(r"(?:arn:aws:iam::)?([\d-]{12,14})(?::root)?")
_OF_NO_ACTION = re.compile("|".join(_TABLES["keys of no action"]))


def _checked(view: View, text: str, bucket: str) -> str:
    """Return the policy in S3's normalized form, or raise MalformedPolicy."""
    if not text.startswith("{"):
        raise fault("MalformedPolicy")
    try:
        parsed = parse(text, PolicyKind.RESOURCE)
        parsed.text().encode()
    except MalformedPolicy as error:
        raise _in_s3s_words(error.message.replace(*_SYNTAX)) from None
    except UnicodeEncodeError:  # half of a pair of surrogates
        raise fault("MalformedPolicy") from None
    for each in parsed.statements:
        if not each.resources:
            raise _malformed("Missing required field Resource")
        _check_principal(view, each)
        actions = {name: _matching(name) for name in listed(each.source[each.action.name])}
        for name, several in actions.items():
            if not several:
                raise _malformed("Policy has invalid action", name)
        named = {} if each.action.negated else actions
        _check_resources(each, named, f"arn:aws:s3:::{bucket}")
        _check_conditions(each.conditions, named.values())
    policy = json.loads(text)
    for each in listed(policy["Statement"]):
        each |= {name: _by_account(view, element) for name, element in each.items()}
    ordered = policies.normalized(policy)
    normalized = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)
    if len(normalized.encode()) > _MAX_SIZE:
        what = "Normalized policy document exceeds the maximum allowed size of"
        raise _malformed(f"{what} {_MAX_SIZE} bytes")
    return normalized


def _by_account(view: View, element: Any) -> Any:
    """A principal with canonical user ids as accounts (S3 User Guide, "Principals")."""
    if not isinstance(element, dict) or "CanonicalUser" not in element:
        return element
    accounts = (acl.account_with(view, one) for one in listed(element["CanonicalUser"]))
    named = [*listed(element.get("AWS", [])), *(one.root_arn for one in accounts if one)]
    return {**without(element, "CanonicalUser"), "AWS": named}


def _malformed(message: str, detail: str = "") -> ApiFault:
    return fault("MalformedPolicy", message, {"Detail": detail} if detail else {})


def _in_s3s_words(message: str) -> ApiFault:
    """IAM puts a wrong principal into the message, and S3 beside it."""
    said, _, wrong = message.partition(': "')
    return _malformed(said, wrong and '"' + wrong.replace('":', '" : ', 1))


def _check_principal(view: View, statement: Statement) -> None:
    for kind, name in (statement.principal and statement.principal.names) or ():
        account = _ACCOUNT.fullmatch(name) if kind == "AWS" else None
        unknown = account and not view.get(Account, account[1].replace("-", ""), "")
        if unknown or (kind == "CanonicalUser" and not acl.account_with(view, name)):
            raise _malformed("Invalid principal in policy", f'"{kind}" : "{name}"')


def _check_resources(statement: Statement, actions: Mapping[str, Iterable[str]], arn: str) -> None:
    element, names = statement.resources or ("", ())
    for wrong in names:
        if wrong != arn and not wrong.startswith((f"{arn}/", f"{arn}*")):
            raise _malformed("Policy has invalid resource", wrong)
    types = {"bucket" for name in names if not name.startswith(f"{arn}/")}
    types |= {"object" for name in names if name != arn}
    for action, several in actions.items() if element == "Resource" else ():
        if not any(types & catalogue.resource_types(each) for each in several):
            label = statement.source.get("Sid") or f"NO_ID-{statement.index}"
            raise _malformed(SAYS["policy action"], f'Action "{action}" in Statement "{label}"')


def _check_conditions(conditions: Iterable[Condition], actions: Iterable[Iterable[str]]) -> None:
    """Refuse a key that S3, or an action of the statement, lacks (humanmade/S3-Uploads#239)."""
    for one in conditions:
        message = _UNREADABLE.get(one.test.operator.wants, "")
        if message and not all("${" in value for value in one.unreadable):
            raise _malformed(message)
    keys = {_bare(one.key) for one in conditions if not _OF_NO_ACTION.fullmatch(one.key.lower())}
    if not keys <= {_bare(key) for key in catalogue.key_types("s3")}:
        raise _malformed("Policy has an invalid condition key")
    for several in actions:
        if not keys <= {_bare(key) for one in several for key in catalogue.condition_keys(one)}:
            raise _malformed(SAYS["policy condition"])


def _bare(key: str) -> str:
    return key.lower().partition("/")[0]


def _matching(pattern: str) -> tuple[str, ...]:
    pattern = pattern if pattern.strip("*") else "s3:*"
    actions = catalogue.matching_actions(pattern) if pattern.lower().startswith("s3:") else ()
    return tuple(one for one in actions if one != "s3:CreateBucket")  # there is no bucket yet


_ON_BUCKET: Mapping[str, list[str]] = _TABLES["on a bucket"]
_ON_OBJECT: Mapping[str, list[str]] = _TABLES["on an object"]
_ON_OWN_OBJECT: Mapping[str, list[str]] = _TABLES["on an object of one's own"]
_DELETING: Mapping[str, str] = _TABLES["deleting"]
_CONDITIONS = {
    acl.AUTHENTICATED: {"StringNotEquals": {"aws:PrincipalType": "Anonymous"}},
    acl.ANONYMOUS: {"StringEquals": {"aws:PrincipalType": "Anonymous"}},
}


def restricting(bucket: Bucket, caller: Caller) -> list[Source]:
    """A Deny for what RestrictPublicBuckets refuses: other accounts, where the policy is public."""
    abroad = bucket.policy and caller.account != bucket.owner
    if abroad and bucket.block.restrict_public_buckets and policy_is_public(bucket.policy):
        denied = {"Sid": "RestrictPublicBuckets", "Effect": "Deny", "Principal": "*"}
        return [{**denied, "Action": "*", "Resource": "*"}]
    return []


def deciding(
    view: View, bucket: Bucket, caller: Caller, action: str, found: ObjectVersion | None
) -> str:
    """The account that decides on an action: the bucket's, or that of an object with an ACL for it.

    If that ACL lets the bucket's account in, it decides what its own callers may do. S3 User Guide,
    "How Amazon S3 authorizes a request for an object operation".
    """
    permission = next((name for name, actions in _ON_OBJECT.items() if action in actions), "")
    if not permission or not found or not found.owner or found.marker:
        return bucket.owner
    theirs, ours = acl.owner_of(view, bucket, found), acl.owner_of(view, bucket)
    to_us = (
        grant.permission in (permission, acl.ALL)
        for grant in acl.effective(bucket, found.grants)
        if grant.grantee in (ours, *acl.PUBLIC)
    )
    if theirs == ours or (caller.account == bucket.owner and any(to_us)):
        return bucket.owner
    account = acl.account_with(view, theirs)
    return account.account if account else theirs


def bucket_policy(
    seen: View, bucket: Bucket, action: str, further: Iterable[Source], *, allows: bool = True
) -> NamedPolicy | None:
    """The bucket's policy, with ``further`` statements; ``seen``: see :meth:`Judge.seen`.

    It allows nothing on an object of another owner (``allows``). Who may not delete a version may
    not delete an object without versions ("DeleteObject").
    """
    text = policies.with_arns(bucket.policy, seen) if bucket.policy else ""
    if text and not bucket.versioning and action in _DELETING:
        text = _denying_too(text, action, _DELETING[action])
    if (grants := list(further)) or not allows:
        policy = json.loads(text) if text else {"Version": LATEST, "Statement": []}
        own = (one for one in listed(policy["Statement"]) if allows or one["Effect"] == "Deny")
        given = ({"Sid": f"AccessControlList{n}", **one} for n, one in enumerate(grants))
        policy["Statement"] = [*own, *given]
        text = json.dumps(policy) if policy["Statement"] else ""
    name = f"bucket policy of {bucket.name}"
    return policies.named(name, text, PolicyKind.RESOURCE) if text else None


def _denying_too(text: str, action: str, of: str) -> str:
    """The policy for a request of ``action``: what denies ``of`` (in lower case) denies it too."""
    policy = json.loads(text)
    statements = policy["Statement"] = listed(policy["Statement"])
    document = policies.named("", text, PolicyKind.RESOURCE).document
    both = document.about(action.lower())
    for each in document.about(of):
        if not each.allows and each not in both:
            kept = without(each.source, "NotAction")
            statements[each.index] = kept | {"Action": [*listed(kept.get("Action")), action]}
    return json.dumps(policy)


def acl_statements(
    view: View, bucket: Bucket, caller: Caller, found: ObjectVersion | None
) -> Iterator[Source]:
    """The ACLs as statements, without the owners' grants: their accounts have access anyway."""
    if not acl.acls_enabled(bucket):
        return
    # WRITE lets others create new objects, but change existing ones only if these are their own.
    on_bucket, owner = acl.effective(bucket, bucket.grants), acl.owner_of(view, bucket)
    # They are for one request only; how its key must be written depends on the policy's version.
    given, objects = [(one, _ON_BUCKET, bucket.arn, owner) for one in on_bucket], f"{bucket.arn}/*"
    if found is None or found.marker:
        given += [(one, _ON_BUCKET, objects, owner) for one in on_bucket]
    else:
        theirs = acl.owner_of(view, bucket, found)
        grants = (Grant(theirs, acl.ALL),) if found.grants is None else found.grants
        given += [(one, _ON_OBJECT, objects, theirs) for one in acl.effective(bucket, grants)]
        groups = {acl.EVERYONE} if theirs == acl.ANONYMOUS else acl.PUBLIC
        own = (one.permission for one in on_bucket if one.grantee in {theirs, *groups})
        given += [(Grant(theirs, one), _ON_OWN_OBJECT, objects, owner) for one in own]
    for grant, actions, resource, by in given:
        account, condition = acl.account_with(view, grant.grantee), _CONDITIONS.get(grant.grantee)
        permissions = actions if grant.permission == acl.ALL else (grant.permission,)
        allowed = [action for permission in permissions for action in actions.get(permission, ())]
        if by != owner and caller.account == bucket.owner and grant.grantee in acl.PUBLIC:
            account = acl.account_with(view, owner)  # it decides on its users: "User context"
        abroad = account is not None and grant.grantee != by
        if allowed and (abroad or condition or grant.grantee == acl.EVERYONE):
            yield {
                "Effect": "Allow",
                "Principal": {"AWS": account.root_arn} if account else "*",
                "Action": allowed,
                "Resource": resource,
                **({"Condition": condition} if condition else {}),
            }
