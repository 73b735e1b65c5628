"""A decision, with all that was considered, in AWS's words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stslab.policy.context import Request
from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.reading import Layer, Question, Reading
from stslab.policy.vocabulary import Outcome, PolicyKind

_ARTICLES: Final = {
    PolicyKind.IDENTITY: "an",
    PolicyKind.TRUST: "the",
}


def with_article(kind: PolicyKind) -> str:
    """``an identity-based policy``, ``the role trust policy``, ``a session policy``."""
    return f"{_ARTICLES.get(kind, 'a')} {kind}"


def denied_explicitly(kind: PolicyKind) -> str:
    """The words of "Troubleshoot access denied error messages" for a Deny."""
    return f"with an explicit deny in {with_article(kind)}"


def denied_implicitly(kind: PolicyKind, action: str) -> str:
    """The words of "Troubleshoot access denied error messages" where no Allow is found."""
    return f"no {kind} allows the {action} action"


def allowed(kinds: Sequence[PolicyKind], action: str) -> str:
    """Which kinds of policies grant the action."""
    verb = "allows" if len(kinds) == 1 else "allow"
    return f"{' and '.join(map(with_article, kinds))} {verb} the {action} action"


@dataclass(slots=True, eq=False)
class Decision:
    """What IAM decides of a request, and why.

    ``reason`` is one sentence in AWS's words; ``layers`` is what each type of policy said, in
    the order in which they are considered.
    """

    outcome: Outcome
    reason: str
    layers: Sequence[Layer]
    question: Question = field(repr=False)

    @property
    def request(self) -> Request:
        """The request that was decided."""
        return self.question.request

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is Outcome.ALLOWED

    @property
    def message(self) -> str:
        """AWS's message for a denial; empty for an allowed request."""
        if self.allowed:
            return ""
        request = self.request
        resource = "" if request.resource == "*" else f" on resource: {request.resource}"
        explicit = self.outcome is Outcome.EXPLICITLY_DENIED
        because = self.reason if explicit else f"because {self.reason}"
        return (
            f"User: {request.principal.arn} is not authorized to perform: "
            f"{request.action}{resource} {because}"
        )

    def as_dict(self) -> dict[str, Any]:
        """``{"decision", "reason", "layers": [...]}``; docs/policy.md has its shape."""
        return {
            "decision": self.outcome,
            "reason": self.reason,
            "layers": [_layer(layer, self.question) for layer in self.layers],
        }


def _layer(layer: Layer, question: Question) -> dict[str, Any]:
    told: dict[str, Any] = {"layer": layer.kind}
    if layer.level:
        told["level"] = layer.level
    told["decision"], told["blocks"] = layer.outcome, layer.blocks
    if layer.note:
        told["note"] = layer.note
    told["policies"] = [_reading(reading, question) for reading in layer.readings]
    return told


def _reading(reading: Reading, question: Question) -> dict[str, Any]:
    name, policy = reading.policy
    mismatches = reading.mismatches
    return {
        "policy": name,
        "statements": [
            _statement(statement, mismatches.get(statement.index, Mismatch.ACTION), question)
            for statement in policy.statements
        ],
    }


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, Any]:
    told = {
        "statement": statement.label,
        "effect": statement.effect,
        "matches": not mismatch,
    }
    if mismatch:
        told["mismatch"] = _MISMATCHES[mismatch](statement, question)
    return told


def _action(statement: Statement, question: Question) -> dict[str, Any]:
    name = statement.action.name
    return {
        "element": name,
        "wanted": statement.source[name],
        "found": question.request.action,
    }


def _resource(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.resource
    if element is None:
        return {}
    wanted = element.shown(question.context.single) if element.variables else element.patterns
    return {"element": element.name, "wanted": wanted, "found": question.request.resource}


def _principal(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.principal
    if element is None:
        return {}
    return {
        "element": element.name,
        "wanted": statement.source[element.name],
        "found": question.request.principal.arn,
    }


def _condition(statement: Statement, question: Question) -> dict[str, Any]:
    context = question.context
    return {
        "element": "Condition",
        "conditions": [condition.explain(context) for condition in statement.conditions],
    }


_MISMATCHES: Final = {
    Mismatch.ACTION: _action,
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: _principal,
    Mismatch.CONDITION: _condition,
}
