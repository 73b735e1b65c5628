"""A policy, read and compiled once, and a name for it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stslab.policy.statement import Statement
from stslab.policy.vocabulary import PolicyKind

LATEST = "2012-10-17"
LEGACY = "2008-10-17"


class Policy:
    """What :func:`stslab.policy.parse` gives: a valid policy. It does not change.

    ``document`` is the policy's JSON object, with all lists and values as they were given.
    Two policies are equal when their kinds and documents are.
    """

    __slots__ = ("document", "kind", "statements")

    def __init__(
        self, kind: PolicyKind, document: Mapping[str, Any], statements: Sequence[Statement]
    ) -> None:
        self.kind = kind
        self.document = document
        self.statements = tuple(statements)

    @property
    def version(self) -> str:
        """The version of the policy language; a policy without one has the older."""
        return str(self.document.get("Version", LEGACY))

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
