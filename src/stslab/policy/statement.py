"""A statement, compiled: whether it applies to a request, and if not, why not."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from stslab.policy.conditions import Condition
from stslab.policy.context import Context, Request
from stslab.policy.glob import Glob
from stslab.policy.matching import Level, PrincipalElement


class Mismatch(IntEnum):
    """The first element of a statement that does not apply to a request."""

    NONE = 0
    ACTION = 1
    PRINCIPAL = 2
    RESOURCE = 3
    CONDITION = 4


class Element:
    """``Action`` or ``Resource``, or with ``negated`` their ``Not…`` counterparts."""

    __slots__ = ("globs", "name", "negated", "patterns")

    def __init__(self, name: str, patterns: Sequence[str], globs: Sequence[Glob]) -> None:
        self.name = name
        self.negated = name.startswith("Not")
        self.patterns = tuple(patterns)
        self.globs = tuple(globs)

    def applies(self, value: str, context: Context) -> bool:
        """Whether the element applies to ``value``."""
        for pattern in self.globs:
            if pattern.matches(value, context.single):
                return not self.negated
        return self.negated


class Statement:
    """One statement. ``source`` is its JSON object; ``index`` its place in the policy, from 0."""

    __slots__ = (
        "action",
        "allows",
        "conditions",
        "effect",
        "index",
        "principal",
        "resource",
        "sid",
        "source",
    )

    def __init__(
        self,
        index: int,
        source: Mapping[str, Any],
        action: Element,
        resource: Element | None,
        principal: PrincipalElement | None,
        conditions: Sequence[Condition],
    ) -> None:
        self.index = index
        self.source = source
        self.sid: str | None = source.get("Sid")
        self.effect: str = source["Effect"]
        self.allows = self.effect == "Allow"
        self.action = action
        self.resource = resource
        self.principal = principal
        self.conditions = tuple(conditions)

    def mismatch(self, request: Request, action: str, context: Context) -> Mismatch:
        """Which element does not apply to ``request``; ``action`` is its action in lower case.

        Whom a ``Principal`` element names is not looked at here: see :meth:`level`.
        """
        if not self.action.applies(action, context):
            return Mismatch.ACTION
        if self.resource is not None and not self.resource.applies(request.resource, context):
            return Mismatch.RESOURCE
        for condition in self.conditions:
            if not condition.holds(context):
                return Mismatch.CONDITION
        return Mismatch.NONE

    def level(self, request: Request) -> Level:
        """How closely the statement names who asks."""
        return Level.NONE if self.principal is None else self.principal.level(request.principal)

    @property
    def label(self) -> str:
        """How messages name the statement: its Sid, or its number from 1."""
        return self.sid or f"statement {self.index + 1}"
