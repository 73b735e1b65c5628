"""Policy documents as the policy engine reads them."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from stslab.policy import MalformedPolicy, NamedPolicy, PolicyKind, parse
from stslab.sandbox.api import faults, identifiers
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.state.identities import Role, User
from stslab.sandbox.state.snapshot import View
from stslab.vocabulary import LATEST


def named(name: str, text: str, kind: PolicyKind) -> NamedPolicy:
    """The policy with this text, by the name that messages have for it.

    A document that the engine can't read denies everything; it was refused when it was put,
    so only an account that was changed outside the sandbox holds one.
    """
    try:
        return NamedPolicy(name, parse(text, kind))
    except MalformedPolicy:
        denying = {"Effect": "Deny", "Action": "*", "Resource": "*"}
        if kind is PolicyKind.RESOURCE:
            denying["Principal"] = "*"
        return NamedPolicy(name, parse({"Version": LATEST, "Statement": denying}, kind))


def checked(text: str, kind: PolicyKind) -> str:
    """``text`` if the engine can read it as a policy of this kind; else MalformedPolicyDocument."""
    try:
        parse(text, kind)
    except MalformedPolicy as error:
        raise faults.malformed_policy(error.message) from error
    return text


_ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(user|role)/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)")
_SESSION = re.compile(r"arn:aws:sts::\d{12}:(assumed-role|federated-user)/[\w+=,.@/-]+")
_ACCOUNT = re.compile(r"\d{12}|arn:aws:iam::\d{12}:root")
_UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]{12,}")
_ELEMENTS = ("Principal", "NotPrincipal")

_KINDS: Mapping[str, type[User | Role]] = {"user": User, "role": Role}
_PREFIXES: Mapping[str, type[User | Role]] = {"AIDA": User, "AROA": Role}
_MOST_REMEMBERED = 4096
_LAST_KEYS: dict[str, str] = {}

Replace = Callable[[str], str]


def kept(text: str, view: View) -> str:
    """The document to keep: each user's or role's ARN replaced by its unique id.

    A principal that does not exist in ``view``, which is what the rest of AWS knows of IAM, is
    malformed.
    """
    return _replaced(text, lambda name: _id_of(name, view))


def shown(text: str, view: View) -> str:
    """The document as AWS shows and judges it: ids as ARNs, where they still belong to one."""
    if "AIDA" not in text and "AROA" not in text:
        return text
    return _replaced(text, lambda name: entity.arn if (entity := by_id(view, name)) else name)


def _replaced(text: str, replace: Replace) -> str:
    document = json.loads(text)
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    changed = [_replace_in(statement, replace) for statement in listed]
    return json.dumps(document, separators=(",", ":")) if any(changed) else text


def _replace_in(statement: Mapping[str, Any], replace: Replace) -> bool:
    changed = False
    for element in _ELEMENTS:
        principal = statement.get(element)
        if isinstance(principal, dict) and "AWS" in principal:
            before = principal["AWS"]
            several = isinstance(before, list)
            after = [replace(name) for name in before] if several else replace(before)
            principal["AWS"] = after
            changed = changed or before != after
    return changed


def _id_of(name: str, view: View) -> str:
    if name == "*" or _ACCOUNT.fullmatch(name) or _SESSION.fullmatch(name):
        return name
    entity = _by_arn(name, view) or by_id(view, name)
    if entity is None:
        raise ApiFault("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')
    return entity.unique_id


def _by_arn(arn: str, view: View) -> User | Role | None:
    match = _ENTITY.fullmatch(arn)
    if match is None:
        return None
    account, kind, name = match.groups()
    found = view.get(_KINDS[kind], account, name.lower())
    return found if found is not None and found.arn == arn else None


def by_id(view: View, unique_id: str) -> User | Role | None:
    """The user or role with this unique id, which names its account; None where it is gone."""
    if not _UNIQUE_ID.fullmatch(unique_id):
        return None
    kind, account = _PREFIXES[unique_id[:4]], identifiers.account_of_unique_id(unique_id)
    hinted = view.get(kind, account, _LAST_KEYS.get(unique_id, ""))
    if hinted is not None and hinted.unique_id == unique_id:
        return hinted
    for one in view.all(kind, account):
        if one.unique_id == unique_id:
            # So that a trust policy does not have all users looked through again.
            if len(_LAST_KEYS) >= _MOST_REMEMBERED:
                _LAST_KEYS.clear()
            _LAST_KEYS[unique_id] = one.key
            return one
    return None
