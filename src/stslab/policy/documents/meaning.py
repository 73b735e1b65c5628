"""Whether two policies say the same, whatever their form; else the statements that differ. Pure.

A statement with several principals, actions and resources says what one statement of each
would; where an element is negated they belong together (IAM User Guide, "IAM JSON policy elements
reference"). The order, ids, and lists of one make no difference.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from stslab.policy.documents.document import Policy
from stslab.policy.documents.statement import Statement

_ROOT: Final = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root")
Sources = tuple[Mapping[str, Any], ...]
_Said = list[tuple[Mapping[str, Any], set[tuple[object, ...]]]]


def differing(one: Policy, other: Policy) -> tuple[Sources, Sources]:
    """The statements of each that say something which the other does not; none if both mean one."""
    first, second = _said(one), _said(other)
    return _beyond(first, second), _beyond(second, first)


def _beyond(policy: _Said, other: _Said) -> Sources:
    known = {part for _, said in other for part in said}
    return tuple(source for source, said in policy if not said <= known)


def _said(policy: Policy) -> _Said:
    return [(one.source, set(_parts(one))) for one in policy.statements]


def _parts(statement: Statement) -> Iterator[tuple[object, ...]]:
    """What a statement says, in statements of one principal, one action and one resource."""
    resource = statement.resource
    resources = _split(resource.patterns, resource.name) if resource else [None]
    actions = _split(statement.action.patterns, statement.action.name)
    conditions = frozenset(
        (one.test.written.lower(), one.key.lower(), frozenset(one.values))
        for one in statement.conditions
    )
    for principal, action, each in product(_principals(statement), actions, resources):
        literal = not statement.variables and "${" in f"{each}{conditions}"
        yield statement.effect, principal, action, each, conditions, literal


def _principals(statement: Statement) -> list[object]:
    principal = statement.principal
    if principal is None or principal.names is None:
        return [principal and principal.name]
    names = [(kind, _ROOT.sub(r"\1", name)) for kind, name in principal.names]
    return _split(names, principal.name)


def _split(values: Any, name: str) -> list[object]:
    """Each value by itself; those of a negated element together."""
    return (
        [(name, frozenset(values))] if name.startswith("Not") else [(name, one) for one in values]
    )
