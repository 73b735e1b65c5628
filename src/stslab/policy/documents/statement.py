"""A statement: whether it applies to a request, and if not, which element does not.

A policy is validated whole when it is parsed. What a request needs of it is compiled when
the first request needs it: most requests need no more of most statements than the action.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from stslab.policy.conditions.conditions import Condition, Test
from stslab.policy.context import Context, Request
from stslab.policy.documents.matching import PrincipalElement
from stslab.policy.patterns import Glob, Lookup, glob


class Mismatch(IntEnum):
    """The first element of a statement that does not apply to a request."""

    NONE = 0
    ACTION = 1
    PRINCIPAL = 2
    RESOURCE = 3
    CONDITION = 4

    __hash__ = int.__hash__  # Enum's own is a Python function: too slow for each decision


_APPLIES: Final = Mismatch.NONE
_RESOURCE: Final = Mismatch.RESOURCE
_CONDITION: Final = Mismatch.CONDITION


class Element:
    """``Action`` or ``Resource``, or with ``negated`` their ``Not…`` counterparts.

    Texts without wildcards and those that only end in ``*`` are compared at once; the rest
    are patterns. ``variables``: some of them have policy variables.
    """

    __slots__ = ("_exact", "_globs", "_prefixes", "name", "negated", "patterns", "variables")

    def __init__(self, name: str, patterns: Sequence[str], *, variables: bool, arn: bool) -> None:
        self.name = name
        self.negated = name[0] == "N"
        self.patterns = patterns
        exact: list[str] = []
        prefixes: list[str] = []
        globs: list[Glob] = []
        for pattern in patterns:
            if "?" in pattern or "${" in pattern or "*" in pattern[:-1]:
                globs.append(glob(pattern, variables=variables, arn=arn))
            elif pattern[-1:] == "*":
                prefixes.append(pattern[:-1])
            else:
                exact.append(pattern)
        self._exact = exact
        self._prefixes = tuple(prefixes)
        self._globs = globs
        self.variables = variables and any(pattern.variables for pattern in globs)

    def applies(self, value: str, lookup: Lookup) -> bool:
        """Whether the element applies to ``value``; ``lookup`` gives variables their values."""
        if value in self._exact or value.startswith(self._prefixes):
            return not self.negated
        for pattern in self._globs:
            if pattern.matches(value, lookup):
                return not self.negated
        return self.negated

    def shown(self, lookup: Lookup) -> list[str]:
        variables = {pattern.text: pattern.shown(lookup) for pattern in self._globs}
        return [variables.get(pattern, pattern) for pattern in self.patterns]


class Statement:
    """One statement, valid. ``source`` is its JSON object; ``index`` its place, from 0.

    ``variables``: the policy's version has policy variables. Resources and conditions are
    compiled when a request first gets as far as to them.
    """

    __slots__ = (
        "_conditions",
        "_resource",
        "_resources",
        "_tests",
        "action",
        "allows",
        "effect",
        "index",
        "label",
        "principal",
        "source",
        "variables",
    )

    def __init__(
        self,
        index: int,
        source: Mapping[str, Any],
        *,
        action: Element,
        resources: tuple[str, Sequence[str]] | None,
        principal: PrincipalElement | None,
        tests: Sequence[tuple[Test, str, Sequence[str]]],
        variables: bool,
    ) -> None:
        self.index = index
        self.source = source
        self.effect: str = source["Effect"]
        self.allows = self.effect == "Allow"
        self.label: str = source.get("Sid") or f"statement {index + 1}"
        self.variables = variables
        self.action = action
        self.principal = principal
        self._resources = resources
        self._resource: Element | None = None
        self._tests = tests
        self._conditions: tuple[Condition, ...] | None = None if tests else ()

    @property
    def resource(self) -> Element | None:
        if self._resource is None and self._resources is not None:
            name, patterns = self._resources
            self._resource = Element(name, patterns, variables=self.variables, arn=True)
        return self._resource

    @property
    def conditions(self) -> tuple[Condition, ...]:
        if self._conditions is None:
            self._conditions = tuple(
                [Condition(*each, variables=self.variables) for each in self._tests]
            )
        return self._conditions

    def mismatch(self, request: Request, context: Context) -> Mismatch:
        """Which element does not apply to ``request``, whose action the statement is about.

        Whom a ``Principal`` element names is not looked at here.
        """
        resource = self._resource or self.resource
        if resource is not None and not resource.applies(request.resource, context.single):
            return _RESOURCE
        conditions = self._conditions
        if conditions is None:
            conditions = self.conditions
        for condition in conditions:
            if not condition.holds(context):
                return _CONDITION
        return _APPLIES
