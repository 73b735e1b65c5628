"""The principals that trust policies name, kept by unique id, as AWS keeps them.

A user or role that is deleted and made again is another principal: the policy keeps the id of
the first, and shows it, since no ARN belongs to it any more (IAM User Guide, "AWS JSON policy
elements: Principal").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.saved.account import World

_ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(user|role)/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)")
_SESSION = re.compile(r"arn:aws:sts::\d{12}:(assumed-role|federated-user)/[\w+=,.@/-]+")
_ACCOUNT = re.compile(r"\d{12}|arn:aws:iam::\d{12}:root")
_UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]{12,}")
_ELEMENTS = ("Principal", "NotPrincipal")

Replace = Callable[[str], str]


def kept(text: str, world: World) -> str:
    """The document to keep: each user's or role's ARN replaced by its unique id.

    Raises:
        ApiFault: MalformedPolicyDocument: it names a principal that does not exist.
    """
    return _replaced(text, lambda name: _id_of(name, world))


def shown(text: str, world: World) -> str:
    """The document as AWS shows and judges it: ids as ARNs, where they still belong to one."""
    if "AIDA" not in text and "AROA" not in text:
        return text
    return _replaced(text, lambda name: _arn_of(name, world))


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
            after = [replace(name) for name in before] if _is_list(before) else replace(before)
            principal["AWS"] = after
            changed = changed or before != after
    return changed


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _id_of(name: str, world: World) -> str:
    if name == "*" or _ACCOUNT.fullmatch(name) or _SESSION.fullmatch(name):
        return name
    entity = _by_arn(name, world) or _by_id(name, world)
    if entity is None:
        raise ApiFault("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"')
    return str(entity.id)


def _arn_of(name: str, world: World) -> str:
    entity = _by_id(name, world)
    return name if entity is None else str(entity.arn)


def _by_arn(arn: str, world: World) -> Any:
    match = _ENTITY.fullmatch(arn)
    if match is None or match[1] not in world.accounts:
        return None
    if world.replica is not None and world.replica.hides(arn):
        return None
    account, kind, name = match.groups()
    backend = world.account(account).iam
    if kind == "user":
        found = backend.users.get(name)
    else:
        found = next((role for role in list(backend.roles.values()) if role.name == name), None)
    return found if found is not None and found.arn == arn else None


def _by_id(unique_id: str, world: World) -> Any:
    if not _UNIQUE_ID.fullmatch(unique_id):
        return None
    for account in world.accounts.values():
        role = account.iam.roles.get(unique_id)
        if role is not None:
            return role
        for user in list(account.iam.users.values()):
            if user.id == unique_id:
                return user
    return None
