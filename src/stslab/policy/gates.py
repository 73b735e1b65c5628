"""Which gates refused a request, and which condition keys decided it.

A gate is what can refuse: the request's signature, or one type of policy. A refused request
names each gate that refused by itself, so that whoever fixes only the others is still refused.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from stslab.policy.decision import Decision
from stslab.policy.documents.matching import Level
from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.reading import Layer, Question, Reading, level_of
from stslab.policy.vocabulary import Gate, PolicyKind

GATES: Final = {
    PolicyKind.SCP: Gate.SCP,
    PolicyKind.RCP: Gate.RCP,
    PolicyKind.RESOURCE: Gate.RESOURCE,
    PolicyKind.TRUST: Gate.TRUST,
    PolicyKind.IDENTITY: Gate.IDENTITY,
    PolicyKind.BOUNDARY: Gate.BOUNDARY,
    PolicyKind.SESSION: Gate.SESSION,
}
"""The gate that each kind of policy is."""

_RESOURCES: Final = frozenset({PolicyKind.RESOURCE, PolicyKind.TRUST})


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
    if decision.allowed:
        return Refusal((), ())
    refusing = [layer for layer in decision.layers if layer.blocks]
    gates = {GATES[layer.kind] for layer in refusing}
    keys = dict.fromkeys(key for layer in refusing for key in _keys(layer, decision.question))
    return Refusal(tuple(gate for gate in Gate if gate in gates), tuple(keys))


def _mismatching(reading: Reading, mismatch: Mismatch) -> Iterator[Statement]:
    for index, found in reading.mismatches.items():
        if found is mismatch:
            yield reading.policy.document.statements[index]


def _keys(layer: Layer, question: Question) -> Iterator[str]:
    """The condition keys of the Denies that matched, or else of the Allows that did not."""
    naming = layer.kind in _RESOURCES
    for reading in layer.readings:
        if layer.denies:
            for statement in _mismatching(reading, Mismatch.NONE):
                if not statement.allows:
                    yield from (condition.key for condition in statement.conditions)
            continue
        for statement in _mismatching(reading, Mismatch.CONDITION):
            if statement.allows and not (naming and level_of(statement, question) is Level.NONE):
                failing = (one for one in statement.conditions if not one.holds(question.context))
                yield from (condition.key for condition in failing)
