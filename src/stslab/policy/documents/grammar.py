"""What IAM refuses in a policy, with IAM's own messages where they are known.

"Grammar of the IAM JSON policy language", "IAM JSON policy elements reference", and for the
messages "Troubleshoot IAM policies". The message is IAM's; the hint says where.
:mod:`stslab.policy.documents.elements` reads what the elements of a statement hold.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from stslab.errors import MalformedPolicy
from stslab.policy.documents import elements
from stslab.policy.documents.elements import SYNTAX
from stslab.policy.documents.statement import Statement
from stslab.policy.vocabulary import LATEST, LEGACY, PolicyKind

_SID: Final = re.compile(r"[A-Za-z0-9]*")

_POLICY_ELEMENTS: Final = {"Version", "Id", "Statement"}
_STATEMENT_ELEMENTS: Final = set(
    """
    Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition
    """.split()
)
_OF_RESOURCES: Final = (PolicyKind.RESOURCE, PolicyKind.TRUST)
_WITH_PRINCIPAL: Final = (*_OF_RESOURCES, PolicyKind.RCP)
_RCP_FULL: Final = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def read_policy(document: object, kind: PolicyKind) -> list[Statement]:
    """The statements of ``document``."""
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
    if "Id" in document and kind not in _OF_RESOURCES:  # "Policy grammar notes"
        raise MalformedPolicy(SYNTAX, f"A {kind} has no Id.")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy(SYNTAX, "Id is a text.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicy(SYNTAX, "Statement is a statement, or a list of one or more.")
    return statements


def _statement(index: int, source: object, kind: PolicyKind, *, variables: bool) -> Statement:
    """One statement; what is wrong with it is told with its place, here."""
    try:
        return _read_statement(index, source, kind, variables=variables)
    except MalformedPolicy as error:
        where = f"Statement {index + 1}"
        raise MalformedPolicy(error.message, where + error.hint) from None


def _read_statement(index: int, source: object, kind: PolicyKind, *, variables: bool) -> Statement:
    if not isinstance(source, dict):
        raise MalformedPolicy(SYNTAX, " is no JSON object.")
    principal, action, resource = _names(tuple(source), kind)
    effect = source.get("Effect")
    if effect not in ("Allow", "Deny"):
        problem = "has no Effect" if effect is None else f"has the Effect {effect!r}"
        raise MalformedPolicy(SYNTAX, f" {problem}: it is 'Allow' or 'Deny'.")
    if effect == "Allow" and principal == "NotPrincipal":
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    sid = source.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(SYNTAX, ": Sid is a text.")
    if kind is not PolicyKind.RESOURCE and not _SID.fullmatch(sid):
        raise MalformedPolicy(
            f"The following Statement Ids are invalid: {sid}",
            ": A Sid has letters and digits only.",
        )
    return Statement(
        index,
        source,
        principal=elements.principal(principal, source[principal], kind) if principal else None,
        action=elements.action(action, source[action], kind),
        resources=(resource, elements.resources(source[resource], resource, kind))
        if resource
        else None,
        tests=elements.tests(source["Condition"]) if "Condition" in source else (),
        variables=variables,
    )


@lru_cache(maxsize=1024)
def _names(given: tuple[str, ...], kind: PolicyKind) -> tuple[str, str, str]:
    """Which element a statement has about principals, actions and resources; ``""`` for none.

    That is told from the elements' names alone: most statements have the same.
    """
    unknown = set(given) - _STATEMENT_ELEMENTS
    if unknown:
        raise MalformedPolicy(SYNTAX, f" has an unknown element {min(unknown, key=str)!r}.")
    principal, action, resource = (
        _either(given, name, f"Not{name}") for name in ("Principal", "Action", "Resource")
    )
    if principal and kind not in _WITH_PRINCIPAL:
        raise MalformedPolicy("Policy document should not specify a principal.")
    if not principal and kind in _WITH_PRINCIPAL:
        raise MalformedPolicy("Missing required field Principal")
    if principal == "NotPrincipal" and kind is not PolicyKind.RESOURCE:
        raise MalformedPolicy("Has prohibited field NotPrincipal")
    if not action:
        raise MalformedPolicy("Policy statement must contain actions.")
    if resource and kind is PolicyKind.TRUST:
        raise MalformedPolicy(f"Has prohibited field {resource}")
    if not resource and kind not in _OF_RESOURCES:
        raise MalformedPolicy("Policy statement must contain resources.")
    return principal, action, resource


def _either(given: tuple[str, ...], name: str, negated: str) -> str:
    if name in given and negated in given:
        raise MalformedPolicy(SYNTAX, f" has both {name} and {negated}.")
    return name if name in given else negated if negated in given else ""
