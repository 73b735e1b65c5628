"""What IAM refuses in a policy, with IAM's own messages where they are known.

"Grammar of the IAM JSON policy language", "IAM JSON policy elements reference", and for the
messages "Troubleshoot IAM policies". The message is IAM's; the hint says where.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stslab.errors import MalformedPolicy
from stslab.policy.conditions import read_test
from stslab.policy.matching import TYPES, PrincipalElement, is_aws_principal
from stslab.policy.statement import Statement
from stslab.policy.vocabulary import LATEST, LEGACY, PolicyKind

SYNTAX: Final = "Syntax errors in policy."
_NO_VENDOR: Final = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_NO_PROVIDER: Final = "Federated principals must be valid domain names or SAML metadata ARNs"
_ACTION: Final = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9.*?-]*:[^:]*|\*")
_SID: Final = re.compile(r"[A-Za-z0-9]*")
_FOREIGN: Final = re.compile(r"[^\t\n\r\x20-\xff]")
_PROVIDER: Final = re.compile(
    r"arn:[^:]+:iam::[0-9]{12}:(?:saml|oidc)-provider/.+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
)
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
_NAMELESS: Final = frozenset(
    {PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION, PolicyKind.SCP}
)
_WITH_ID: Final = frozenset({PolicyKind.RESOURCE, PolicyKind.TRUST})
_RCP_FULL: Final = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def read_policy(document: object, kind: PolicyKind) -> list[Statement]:
    """The statements of ``document``.

    Raises:
        MalformedPolicy: IAM would refuse the document.
    """
    statements = _statements(document, kind)
    variables = isinstance(document, Mapping) and document.get("Version") == LATEST
    found = [
        _statement(index, each, kind, variables=variables) for index, each in enumerate(statements)
    ]
    if kind is PolicyKind.RCP:
        for each in found:
            _check_rcp(each)
    if len(found) > 1:
        sids = [sid for each in found if (sid := each.source.get("Sid"))]
        if len(sids) != len(set(sids)):
            raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return found


def _check_rcp(statement: Statement) -> None:
    """What "RCP syntax" (AWS Organizations) leaves out of the language."""
    source = {name: value for name, value in statement.source.items() if name != "Sid"}
    if source["Effect"] == "Allow" and source != _RCP_FULL:
        raise MalformedPolicy(SYNTAX, "Of resource control policies only RCPFullAWSAccess allows.")
    if "NotAction" in source:
        raise MalformedPolicy(SYNTAX, "A resource control policy has no NotAction.")
    actions = source["Action"]
    if source["Effect"] == "Deny" and "*" in ([actions] if isinstance(actions, str) else actions):
        raise MalformedPolicy(SYNTAX, "A resource control policy names the service of its actions.")


def _statements(document: object, kind: PolicyKind) -> Sequence[object]:
    if not isinstance(document, dict):
        raise MalformedPolicy(SYNTAX, "A policy is a JSON object.")
    if not document.keys() <= _POLICY_ELEMENTS:
        unknown = min(document.keys() - _POLICY_ELEMENTS, key=str)
        raise MalformedPolicy(SYNTAX, f"A policy has no element {unknown!r}.")
    if document.get("Version", LEGACY) not in (LATEST, LEGACY):
        raise MalformedPolicy(SYNTAX, f"Version is {LATEST!r} or {LEGACY!r}.")
    if "Id" in document:
        _check_id(document["Id"], kind)
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy(SYNTAX, "Statement is a statement, or a list of one or more.")
    return statements


def _check_id(value: object, kind: PolicyKind) -> None:
    """Allowed in resource-based policies only ("Policy grammar notes")."""
    if kind not in _WITH_ID:
        raise MalformedPolicy(SYNTAX, f"A {kind} has no Id.")
    if not isinstance(value, str):
        raise MalformedPolicy(SYNTAX, "Id is a text.")


def _statement(index: int, source: object, kind: PolicyKind, *, variables: bool) -> Statement:
    where = f"Statement {index + 1}"
    if not isinstance(source, dict):
        raise MalformedPolicy(SYNTAX, f"{where} is no JSON object.")
    if not source.keys() <= _STATEMENT_ELEMENTS:
        unknown = min(source.keys() - _STATEMENT_ELEMENTS, key=str)
        raise MalformedPolicy(SYNTAX, f"{where} has an unknown element {unknown!r}.")
    effect = source.get("Effect")
    if effect not in ("Allow", "Deny"):
        problem = "has no Effect" if effect is None else f"has the Effect {effect!r}"
        raise MalformedPolicy(SYNTAX, f"{where} {problem}: it is 'Allow' or 'Deny'.")
    if "Sid" in source:
        _check_sid(source["Sid"], where, kind)
    return Statement(
        index,
        source,
        principal=_principal(source, where, kind),
        actions=_actions(source, where, kind),
        resources=_resources(source, where, kind),
        condition=_condition(source["Condition"], where) if "Condition" in source else None,
        variables=variables,
    )


def _check_sid(sid: object, where: str, kind: PolicyKind) -> None:
    if not isinstance(sid, str):
        raise MalformedPolicy(SYNTAX, f"{where}: Sid is a text.")
    if kind is not PolicyKind.RESOURCE and not _SID.fullmatch(sid):
        raise MalformedPolicy(
            f"The following Statement Ids are invalid: {sid}", "A Sid has letters and digits only."
        )


def _either(source: Mapping[str, Any], name: str, negated: str, where: str) -> str:
    """Which of the two elements the statement has, or ``""``."""
    if name not in source:
        return negated if negated in source else ""
    if negated in source:
        raise MalformedPolicy(SYNTAX, f"{where} has both {name} and {negated}.")
    return name


def _texts(value: object, where: str, name: str) -> list[str]:
    """One text, or a list of texts, as a list."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list):
        raise MalformedPolicy(SYNTAX, f"{where}: {name} is a text or a list of texts.")
    for each in found:
        if not isinstance(each, str):
            raise MalformedPolicy(SYNTAX, f"{where}: {name} has {each!r}, which is no text.")
        if not each.isascii() and _FOREIGN.search(each):
            raise MalformedPolicy(SYNTAX, f"{where}: {name} has a character beyond U+00FF.")
    return found


def _actions(source: Mapping[str, Any], where: str, kind: PolicyKind) -> tuple[str, list[str]]:
    name = _either(source, "Action", "NotAction", where)
    actions = _texts(source[name], where, name) if name else None
    if not actions:
        raise MalformedPolicy("Policy statement must contain actions.", where)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise MalformedPolicy(_problem_of_action(action), f"{where}: {action!r}")
    if kind is PolicyKind.TRUST and not all(each.lower().startswith("sts:") for each in actions):
        raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.", where)
    return name, actions


def _problem_of_action(action: str) -> str:
    vendor, colon, name = action.partition(":")
    if not colon:
        return _NO_VENDOR
    if ":" in name:
        return "Actions/Condition can contain only one colon."
    return f"Vendor {vendor} is not valid"


def _resources(
    source: Mapping[str, Any], where: str, kind: PolicyKind
) -> tuple[str, list[str]] | None:
    """A trust policy has no Resource; other resource-based policies need none."""
    name = _either(source, "Resource", "NotResource", where)
    if kind is PolicyKind.TRUST and name:
        raise MalformedPolicy(f"Has prohibited field {name}", where)
    if not name and kind in {PolicyKind.TRUST, PolicyKind.RESOURCE}:
        return None
    resources = _texts(source[name], where, name) if name else None
    if not resources:
        raise MalformedPolicy("Policy statement must contain resources.", where)
    if kind is not PolicyKind.RESOURCE:
        for resource in resources:
            if not resource.startswith("arn:") and resource.strip("*"):
                raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".', where)
    return name, resources


def _principal(source: Mapping[str, Any], where: str, kind: PolicyKind) -> PrincipalElement | None:
    name = _either(source, "Principal", "NotPrincipal", where)
    if kind in _NAMELESS:
        if name:
            raise MalformedPolicy("Policy document should not specify a principal.", where)
        return None
    if not name:
        raise MalformedPolicy("Missing required field Principal", where)
    if name == "NotPrincipal" and kind is not PolicyKind.RESOURCE:
        raise MalformedPolicy("Has prohibited field NotPrincipal", where)
    value = source[name]
    if kind is PolicyKind.RCP and value not in ("*", {"AWS": "*"}):
        raise MalformedPolicy(
            SYNTAX, f"{where}: the Principal of a resource control policy is '*'."
        )
    if value == "*":
        return PrincipalElement(name, None)
    return PrincipalElement(name, _principals(value, name, where, kind))


def _principals(value: object, name: str, where: str, kind: PolicyKind) -> list[tuple[str, str]]:
    """(type, name) of each principal in the element."""
    if not isinstance(value, dict) or not value:
        raise MalformedPolicy(f"Invalid principal in policy: {value!r}", f"{where}: {name}")
    principals = []
    for type_, names in value.items():
        if type_ not in TYPES or (type_ == "CanonicalUser" and kind is not PolicyKind.RESOURCE):
            raise MalformedPolicy(f"Invalid principal in policy: {type_!r}", f"{where}: {name}")
        for each in _texts(names, where, name):
            if not each or (type_ == "AWS" and not is_aws_principal(each)):
                raise MalformedPolicy(f'Invalid principal in policy: "{type_}":"{each}"', where)
            if type_ == "Federated" and not _PROVIDER.fullmatch(each):
                raise MalformedPolicy(_NO_PROVIDER, f"{where}: {each!r}")
            principals.append((type_, each))
    return principals


def _condition(element: object, where: str) -> Mapping[str, Mapping[str, list[str]]]:
    if not isinstance(element, dict):
        raise MalformedPolicy(SYNTAX, f"{where}: Condition is a JSON object.")
    condition = {}
    for written, keys in element.items():
        if read_test(written) is None:
            raise MalformedPolicy(f"Invalid Condition type : {written}.", where)
        if not isinstance(keys, dict):
            raise MalformedPolicy(SYNTAX, f"{where}: {written} is a JSON object.")
        condition[written] = {
            key: _condition_values(key, value, where) for key, value in keys.items()
        }
    return condition


def _condition_values(key: str, value: object, where: str) -> list[str]:
    """The values; an empty list is one that IAM accepts, and that the key never matches."""
    if not _CONDITION_KEY.fullmatch(key):
        raise MalformedPolicy(_NO_VENDOR, f"{where}: condition key {key!r}")
    if isinstance(value, str):
        return _texts(value, where, key)
    values = value if isinstance(value, list) else [value]
    return _texts([_value_text(each) for each in values], where, key)


def _value_text(value: object) -> object:
    """Quotation marks are optional for numbers and Booleans ("The policy language and JSON")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
