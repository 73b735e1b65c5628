"""What IAM refuses in a policy, with IAM's own messages where they are known.

"Grammar of the IAM JSON policy language", "IAM JSON policy elements reference", "Creating
roles and attaching policies" and, for the messages, "Troubleshoot IAM policies".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.conditions import read_test
from stslab.policy.document import LATEST, LEGACY
from stslab.policy.matching import TYPES, is_aws_principal
from stslab.policy.vocabulary import PolicyKind

SYNTAX: Final = "Syntax errors in policy."
_VENDOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_SID: Final = re.compile(r"[A-Za-z0-9]*")
_FOREIGN: Final = re.compile(r"[^\t\n\r\x20-\xff]")
_CONDITION_KEY: Final = re.compile(r"[^\s:*?][^:*?]*:.+", re.DOTALL)

_POLICY_ELEMENTS: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS: Final = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_WITHOUT_PRINCIPAL: Final = frozenset(
    {PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION, PolicyKind.SCP}
)


def _refuse(message: str, where: str = "") -> MalformedPolicy:
    return MalformedPolicy(message, where)


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement's elements after validation, lists where there may be lists."""

    source: Mapping[str, Any]
    action_name: str
    actions: Sequence[str]
    resource_name: str
    resources: Sequence[str] | None
    principal_name: str
    principals: str | Mapping[str, Sequence[str]] | None
    condition: Mapping[str, Mapping[str, Sequence[str]]]


def check_policy(document: object, kind: PolicyKind) -> list[Checked]:
    """The statements of ``document``.

    Raises:
        MalformedPolicy: the message is IAM's; the hint says where.
    """
    if not isinstance(document, Mapping):
        raise _refuse(SYNTAX, "A policy is a JSON object.")
    unknown = document.keys() - _POLICY_ELEMENTS
    if unknown:
        raise _refuse(SYNTAX, f"A policy has no element {min(unknown, key=str)!r}.")
    if document.get("Version", LEGACY) not in (LATEST, LEGACY):
        raise _refuse(SYNTAX, f"Version is {LATEST!r} or {LEGACY!r}.")
    if not isinstance(document.get("Id", ""), str):
        raise _refuse(SYNTAX, "Id is a text.")
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _refuse(SYNTAX, "Statement is a statement, or a list of one or more.")
    checked = [check_statement(each, number, kind) for number, each in enumerate(statements, 1)]
    _check_unique_sids(statements)
    return checked


def _check_unique_sids(statements: Sequence[Mapping[str, Any]]) -> None:
    if len(statements) == 1:
        return
    sids = [each["Sid"] for each in statements if each.get("Sid")]
    if len(sids) != len(set(sids)):
        raise _refuse("Statement IDs (SID) in a single policy must be unique.")


def check_statement(statement: object, number: int, kind: PolicyKind) -> Checked:
    """The elements of one statement, the ``number``-th (from 1) of its policy."""
    where = f"Statement {number}"
    if not isinstance(statement, Mapping):
        raise _refuse(SYNTAX, f"{where} is no JSON object.")
    unknown = statement.keys() - _STATEMENT_ELEMENTS
    if unknown:
        raise _refuse(SYNTAX, f"{where} has an unknown element {min(unknown, key=str)!r}.")
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        problem = "has no Effect" if effect is None else f"has the Effect {effect!r}"
        raise _refuse(SYNTAX, f"{where} {problem}: it is 'Allow' or 'Deny'.")
    _check_sid(statement, where, kind)
    principal_name, principals = _principals(statement, where, kind)
    action_name, actions = _actions(statement, where, kind)
    resource_name, resources = _resources(statement, where, kind)
    condition = _condition(statement.get("Condition"), where) if "Condition" in statement else {}
    return Checked(
        statement,
        action_name,
        actions,
        resource_name,
        resources,
        principal_name,
        principals,
        condition,
    )


def _check_sid(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> None:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise _refuse(SYNTAX, f"{where}: Sid is a text.")
    if kind is not PolicyKind.RESOURCE and not _SID.fullmatch(sid):
        raise _refuse(
            f"The following Statement Ids are invalid: {sid}", "A Sid has letters and digits only."
        )


def _either(statement: Mapping[str, Any], name: str, where: str) -> str:
    """Which of ``name`` and ``Not``-``name`` the statement has, or ``""``."""
    negated = f"Not{name}"
    if name in statement:
        if negated in statement:
            raise _refuse(SYNTAX, f"{where} has both {name} and {negated}.")
        return name
    return negated if negated in statement else ""


def texts(value: object, where: str) -> list[str]:
    """One text, or a list of texts, as a list."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list):
        raise _refuse(SYNTAX, f"{where} is a text or a list of texts.")
    for each in found:
        if not isinstance(each, str):
            raise _refuse(SYNTAX, f"{where} has {each!r}, which is no text.")
        if not each.isascii() and _FOREIGN.search(each):
            raise _refuse(SYNTAX, f"{where} has a character beyond U+00FF.")
    return found


def _actions(statement: Mapping[str, Any], where: str, kind: PolicyKind) -> tuple[str, list[str]]:
    name = _either(statement, "Action", where)
    actions = texts(statement[name], f"{where}: {name}") if name else []
    if not actions:
        raise _refuse("Policy statement must contain actions.", where)
    for action in actions:
        _check_action(action, where)
    if kind is PolicyKind.TRUST and not all(each.lower().startswith("sts:") for each in actions):
        raise _refuse("AssumeRole policy may only specify STS AssumeRole actions.", where)
    return name, actions


def _check_action(action: str, where: str) -> None:
    if action in ("*", "*:*"):
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise _refuse(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            f"{where}: {action!r}",
        )
    if ":" in name:
        raise _refuse("Actions/Condition can contain only one colon.", f"{where}: {action!r}")
    if not _VENDOR.fullmatch(vendor):
        raise _refuse(f"Vendor {vendor} is not valid", f"{where}: {action!r}")


def _resources(
    statement: Mapping[str, Any], where: str, kind: PolicyKind
) -> tuple[str, list[str] | None]:
    name = _either(statement, "Resource", where)
    if kind is PolicyKind.TRUST:
        if name:
            raise _refuse(f"Has prohibited field {name}", where)
        return "", None
    if not name and kind is PolicyKind.RESOURCE:
        return "", None
    resources = texts(statement[name], f"{where}: {name}") if name else []
    if not resources:
        raise _refuse("Policy statement must contain resources.", where)
    if kind is not PolicyKind.RESOURCE:
        for resource in resources:
            _check_resource(resource, where)
    return name, resources


def _check_resource(resource: str, where: str) -> None:
    if resource.strip("*") and not resource.startswith("arn:"):
        raise _refuse(f'Resource {resource} must be in ARN format or "*".', where)


def _principals(
    statement: Mapping[str, Any], where: str, kind: PolicyKind
) -> tuple[str, str | Mapping[str, list[str]] | None]:
    name = _either(statement, "Principal", where)
    if kind in _WITHOUT_PRINCIPAL:
        if name:
            raise _refuse("Policy document should not specify a principal.", where)
        return "", None
    if not name:
        raise _refuse("Missing required field Principal", where)
    if name == "NotPrincipal" and kind is not PolicyKind.RESOURCE:
        raise _refuse("Has prohibited field NotPrincipal", where)
    value = statement[name]
    if kind is PolicyKind.RCP and value not in ("*", {"AWS": "*"}):
        raise _refuse(SYNTAX, f"{where}: the Principal of a resource control policy is '*'.")
    return name, value if value == "*" else _principal_map(value, name, where, kind)


def _principal_map(
    value: object, name: str, where: str, kind: PolicyKind
) -> Mapping[str, list[str]]:
    if not isinstance(value, Mapping) or not value:
        raise _refuse(f"Invalid principal in policy: {value!r}", f"{where}: {name}")
    principals = {}
    for type_, names in value.items():
        if type_ not in TYPES or (type_ == "CanonicalUser" and kind is not PolicyKind.RESOURCE):
            raise _refuse(f"Invalid principal in policy: {type_!r}", f"{where}: {name}")
        principals[type_] = texts(names, f"{where}: {name}")
        for each in principals[type_]:
            if not each or (type_ == "AWS" and not is_aws_principal(each)):
                raise _refuse(f'Invalid principal in policy: "{type_}":"{each}"', where)
    return principals


def _condition(element: object, where: str) -> Mapping[str, Mapping[str, list[str]]]:
    if not isinstance(element, Mapping):
        raise _refuse(SYNTAX, f"{where}: Condition is a JSON object.")
    condition = {}
    for written, keys in element.items():
        if read_test(written) is None:
            raise _refuse(f"Invalid Condition type : {written}.", where)
        if not isinstance(keys, Mapping):
            raise _refuse(SYNTAX, f"{where}: {written} is a JSON object.")
        condition[written] = {key: _condition_values(key, keys[key], where) for key in keys}
    return condition


def _condition_values(key: str, value: object, where: str) -> list[str]:
    if not _CONDITION_KEY.fullmatch(key):
        raise _refuse(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            f"{where}: condition key {key!r}",
        )
    values = value if isinstance(value, list) else [value]
    if not values:
        raise _refuse(SYNTAX, f"{where}: condition key {key!r} has no values.")
    return texts([_value_text(each) for each in values], f"{where}: condition key {key!r}")


def _value_text(value: object) -> object:
    """Quotation marks are optional for numbers and Booleans ("The policy language and JSON")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
