"""A policy, read and compiled once, and a name for it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from stslab.policy.documents.statement import Statement
from stslab.policy.patterns.tokens import no_value
from stslab.policy.remembered import SHORT
from stslab.policy.vocabulary import LEGACY, PolicyKind

_ACTIONS_REMEMBERED: Final = 64


class Policy:
    """What :func:`stslab.policy.parse` gives: a valid policy. It does not change.

    ``document`` is the policy's JSON object, with all lists and values as they were given. Two
    policies are equal when their kinds and documents are.
    """

    __slots__ = ("_about", "document", "kind", "statements")

    def __init__(
        self, kind: PolicyKind, document: Mapping[str, Any], statements: Sequence[Statement]
    ) -> None:
        self.kind = kind
        self.document = document
        self.statements = statements
        self._about: dict[str, list[Statement]] = {}

    @property
    def version(self) -> str:
        """The version of the policy language; a policy without one has the older."""
        return str(self.document.get("Version", LEGACY))

    def about(self, action: str) -> list[Statement]:
        """The statements whose Action applies to ``action`` (lower case).

        They are remembered for a few actions: a policy meets few.
        """
        found = self._about.get(action)
        if found is None:
            found = [each for each in self.statements if each.action.applies(action, no_value)]
            if len(action) < SHORT and len(self._about) < _ACTIONS_REMEMBERED:
                self._about[action] = found
        return found

    def text(self, indent: int | None = None) -> str:
        """The policy as JSON, which parses to an equal policy."""
        return json.dumps(self.document, indent=indent, ensure_ascii=False)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Policy)
            and self.kind is other.kind
            and self.document == other.document
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.text()))

    def __repr__(self) -> str:
        return f"<Policy: {self.kind}, {len(self.statements)} statements>"


class NamedPolicy(NamedTuple):
    """A policy, and how messages call it: "inline policy StsAssumePolicy of user alice"."""

    name: str
    document: Policy
