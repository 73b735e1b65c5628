"""A decision, with all that was considered, in AWS's words; and which gates refused.

A gate is what can refuse: the request's signature, or one type of policy. A refused request
names each gate that refused by itself, so that whoever fixes only the others is still refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from stslab.policy.context import Request
from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.reading import Layer, Question, level_of
from stslab.policy.vocabulary import Gate, Outcome, PolicyKind

GATES: Final = {kind: Gate[kind.name] for kind in PolicyKind}
"""The gate that each kind of policy is."""

_ARTICLES: Final = {PolicyKind.IDENTITY: "an", PolicyKind.TRUST: "the"}


def with_article(kind: PolicyKind) -> str:
    """``an identity-based policy``, ``the role trust policy``, ``a session policy``."""
    return f"{_ARTICLES.get(kind, 'a')} {kind}"


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
        return self.question.request

    @property
    def allowed(self) -> bool:
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


def _layer(layer: Layer, question: Question) -> dict[str, object]:
    told: dict[str, object] = {"layer": layer.kind}
    if layer.level:
        told["level"] = layer.level
    told["decision"], told["blocks"] = layer.outcome, layer.blocks
    if layer.note:
        told["note"] = layer.note
    told["policies"] = [
        {
            "policy": reading.policy.name,
            "statements": [
                _statement(one, reading.mismatches.get(one.index, Mismatch.ACTION), question)
                for one in reading.policy.document.statements
            ],
        }
        for reading in layer.readings
    ]
    return told


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, object]:
    told = {"statement": statement.label, "effect": statement.effect, "matches": not mismatch}
    if mismatch:
        told["mismatch"] = _MISMATCHES[mismatch](statement, question)
    return told


def _resource(statement: Statement, question: Question) -> dict[str, object]:
    element = statement.resource
    if element is None:
        return {}
    wanted = element.shown(question.context.single) if element.variables else element.patterns
    return {"element": element.name, "wanted": wanted, "found": question.request.resource}


def _named(statement: Statement, name: str, found: str) -> dict[str, object]:
    return {"element": name, "wanted": statement.source[name], "found": found}


_MISMATCHES: Final[Mapping[Mismatch, Callable[[Statement, Question], dict[str, object]]]] = {
    Mismatch.ACTION: lambda of, asked: _named(of, of.action.name, asked.request.action),
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: lambda of, asked: _named(
        of, of.principal.name if of.principal else "", asked.request.principal.arn
    ),
    Mismatch.CONDITION: lambda of, asked: {
        "element": "Condition",
        "conditions": [condition.explain(asked.context) for condition in of.conditions],
    },
}


class Refusal(NamedTuple):
    """The gates that refused, in their order, and the condition keys because of which."""

    gates: tuple[Gate, ...]
    keys: tuple[str, ...]


def refusal(decision: Decision) -> Refusal:
    """Which gates refused. None where the request is allowed, or a rule of the service refused.

    A gate refused if a Deny in it matched, or if an Allow that it alone had to give is missing.
    Where in one account the identity's policy or the resource's would do and neither allows,
    that is the identity policy. A trust policy that names the caller itself and whose condition
    does not hold refuses alone: were it fulfilled, no other policy would have to allow.
    """
    refusing = [layer for layer in decision.layers if layer.blocks and not decision.allowed]
    gates = {GATES[layer.kind] for layer in refusing}
    keys = dict.fromkeys(key for layer in refusing for key in _keys(layer, decision.question))
    return Refusal(tuple(gate for gate in Gate if gate in gates), tuple(keys))


def _keys(layer: Layer, question: Question) -> Iterator[str]:
    """The condition keys of the Denies that matched, or else of the Allows that did not."""
    for statement, mismatch in (
        (reading.policy.document.statements[index], mismatch)
        for reading in layer.readings
        for index, mismatch in reading.mismatches.items()
    ):
        if layer.denies:
            if mismatch is Mismatch.NONE and not statement.allows:
                yield from (condition.key for condition in statement.conditions)
        elif mismatch is Mismatch.CONDITION and statement.allows and level_of(statement, question):
            failing = (one for one in statement.conditions if not one.holds(question.context))
            yield from (condition.key for condition in failing)
