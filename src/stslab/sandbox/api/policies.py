"""Policies: parsed for the engine, their principals kept by unique id, and who uses them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from stslab.errors import MalformedPolicy
from stslab.policy import NamedPolicy, PolicyKind, parse
from stslab.sandbox.api import faults, identifiers
from stslab.sandbox.state.identities import Group, Identity, Role, User
from stslab.sandbox.state.snapshot import View
from stslab.structures import listed, mapped
from stslab.vocabulary import LATEST, LEGACY

Uses = tuple[Mapping[str, int], Mapping[str, int]]
"""By ARN, how many identities have the managed policy, and how many have it as boundary."""


def named(name: str, text: str, kind: PolicyKind) -> NamedPolicy:
    """The policy; one that is refused, from outside or an older version, denies everything."""
    try:
        return NamedPolicy(name, parse(text, kind))
    except MalformedPolicy:
        denying = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
        document = {"Version": LATEST, "Statement": denying}
        return NamedPolicy(name, parse(document, PolicyKind.RESOURCE))


_INDENTED = {
    PolicyKind.IDENTITY: "The policy failed legacy parsing",
    PolicyKind.TRUST: "JSON strings must not have leading spaces",
}
"""IAM's messages for a text that begins with white space."""
_VARIABLE_ACCOUNT = re.compile(r"arn:[^:]*:iam:[^:]*:[^:]*\$\{")
_INCOMPLETE = re.compile(r"arn(:[^:]*){1,4}")  # "Grammar of the IAM JSON policy language"


def checked(text: str, kind: PolicyKind) -> str:
    """Return ``text``, or raise MalformedPolicyDocument if it is not a policy of this kind."""
    try:
        policy = parse(text, kind)
    except MalformedPolicy as error:
        raise faults.malformed_policy(error.message) from error
    # A statement that is not in a list must follow the version: 99designs/iamy#65.
    late = isinstance(policy.document["Statement"], dict) and [*policy.document][-1] == "Version"
    if kind in _INDENTED and (text[:1].isspace() or (late and kind is PolicyKind.IDENTITY)):
        raise faults.malformed_policy(_INDENTED[kind])
    for one in chain.from_iterable((each.resources or ("", ()))[1] for each in policy.statements):
        if _VARIABLE_ACCOUNT.match(one):
            raise faults.malformed_policy(_INDENTED[PolicyKind.IDENTITY])
        if one.startswith("arn:aws-"):
            other = one.split(":")[1]
            raise faults.malformed_policy(f'Partition "{other}" is not valid for resource "{one}".')
    for each in policy.statements if kind is PolicyKind.SESSION else ():
        for one in listed(each.source[each.resources[0]]) if each.resources else ():
            if _INCOMPLETE.fullmatch(one):
                raise faults.malformed_policy(f'Resource {one} must be in ARN format or "*".')
    return text


_ORDER = "Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition".split()
_ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(user|role)/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)")
_SESSION = re.compile(
    r"arn:aws:sts::(\d{12}):(?:assumed-role/([\w+=,.@-]+)|federated-user)/[\w+=,.@/-]+"
)
_ACCOUNT = re.compile(r"\d{4}-?\d{4}-?\d{4}")
_ROOT = re.compile(r"arn:aws:iam::\d{12}:root")
UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]{12,}")
_KINDS: Mapping[str, type[User | Role]] = {"user": User, "AIDA": User, "role": Role, "AROA": Role}
_MOST_REMEMBERED = 4096
_LAST_KEYS: dict[str, str] = {}


def normalized(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A bucket's or a trust policy as AWS keeps it: in its order, with texts, not lists of one."""
    texts = mapped(policy, json.dumps, of=int)  # also true and false, which are of this type
    ordered = {"Version": LEGACY} | {n: texts[n] for n in ("Version", "Id") if n in texts}
    statements = listed(texts["Statement"])
    ordered["Statement"] = [{n: _single(s[n]) for n in _ORDER if n in s} for s in statements]
    return ordered


def _single(value: object) -> object:
    if isinstance(value, dict):
        return {name: _single(inner) for name, inner in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def with_ids(text: str, view: View) -> str:
    """As AWS stores it: users and roles by unique id. Raises MalformedPolicyDocument."""
    return _replaced(text, lambda name: _id_of(name, view))


def with_arns(text: str, view: View) -> str:
    """The document as AWS shows and evaluates it: ARNs in place of unique ids that still exist."""
    if "AIDA" not in text and "AROA" not in text:
        return text
    return _replaced(text, lambda name: entity.arn if (entity := by_id(view, name)) else name)


def _replaced(text: str, replace: Callable[[str], str]) -> str:
    """The document with its AWS principals changed; the same text if none is."""
    document, changed = json.loads(text), False
    for statement in listed(document["Statement"]):
        for principal in map(statement.get, ("Principal", "NotPrincipal")):
            if isinstance(principal, dict) and "AWS" in principal:
                before = principal["AWS"]
                principal["AWS"] = mapped(before, replace)
                changed = changed or before != principal["AWS"]
    return json.dumps(document, separators=(",", ":")) if changed else text


def _id_of(name: str, view: View) -> str:
    if _ACCOUNT.fullmatch(name):
        return f"arn:aws:iam::{name.replace('-', '')}:root"
    if name == "*" or _ROOT.fullmatch(name):
        return name
    if session := _SESSION.fullmatch(name):  # of a federated user, or of a role that is there
        account, role = session.groups()
        there = view.get(Role, account, role.lower()) if role else None
        if not role or (there and there.name == role):  # a principal's capitals count
            return name
    entity = by_id(view, name)
    if match := _ENTITY.fullmatch(name):
        account, kind, entity_name = match.groups()
        entity = view.get(_KINDS[kind], account, entity_name.lower())
    if entity is None or name not in (entity.arn, entity.unique_id):
        raise faults.malformed_policy(f'Invalid principal in policy: "AWS":"{name}"')
    return entity.unique_id


def by_id(view: View, unique_id: str) -> User | Role | None:
    """The user or role with this unique id, in whatever account; None if it is deleted."""
    if not UNIQUE_ID.fullmatch(unique_id):
        return None
    kind, account = _KINDS[unique_id[:4]], identifiers.account_of_key(unique_id[:-1]) or ""
    hinted = view.get(kind, account, _LAST_KEYS.get(unique_id, ""))
    if hinted is not None and hinted.unique_id == unique_id:
        return hinted
    for one in view.all(kind, account):
        if one.unique_id == unique_id:
            # Without this, each use of a trust policy would search all users.
            if len(_LAST_KEYS) >= _MOST_REMEMBERED:
                _LAST_KEYS.clear()
            _LAST_KEYS[unique_id] = one.key
            return one
    return None


def uses_of(view: View, account: str) -> Uses:
    kinds: tuple[type[Identity], ...] = (User, Role, Group)
    holders = [one for kind in kinds for one in view.all(kind, account)]
    attached = Counter(arn for holder in holders for arn in holder.attached)
    return attached, Counter(one.boundary for one in holders if one.boundary)
