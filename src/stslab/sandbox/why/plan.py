"""Finds what to change: ideas that were tried, by deciding the request again with each."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from stslab.errors import PolicyError
from stslab.policy import Outcome
from stslab.policy.reading import Layer
from stslab.sandbox.why.options import Option, allows_more, options
from stslab.sandbox.why.situation import Situation

_MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Advice:
    """What refuses, and what can be done about it: any one of the options, the first for choice."""

    layer: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done. ``complete``: with the first option of each, it is allowed."""

    advice: tuple[Advice, ...]
    complete: bool


def plan(situation: Situation) -> Plan:
    """What to change, layer by layer, until the request is allowed or nothing helps."""
    found: list[Advice] = []
    for _ in range(_MOST_ROUNDS):
        decision = situation.decide()
        if decision.allowed:
            return Plan(tuple(found), complete=True)
        layer = next((each for each in decision.layers if each.blocks), None)
        working = _working(situation, layer) if layer else ()
        if layer is None or not working:
            break
        found.append(Advice(str(layer.kind), working))
        after = next((each.after for each in working if each.after), None)
        if after is None:
            break
        situation = after
    return Plan(tuple(found), complete=situation.decide().allowed)


def _working(situation: Situation, layer: Layer) -> tuple[Option, ...]:
    """The options that help: what is there is changed before anything is added."""
    tried = tuple(_tried(situation, layer, options(situation, layer)))
    if layer.outcome is Outcome.EXPLICITLY_DENIED or any(each.after for each in tried):
        return tried
    return tried + tuple(_tried(situation, layer, allows_more(situation, layer)))


def _tried(situation: Situation, layer: Layer, ideas: Iterator[Option]) -> Iterator[Option]:
    """The ideas after which the layer refuses less; those that can't be foreseen are believed."""
    before = _weight(situation, layer)
    with suppress(PolicyError):  # what would have to be written is no policy
        for option in ideas:
            if option.after is None or _weight(option.after, layer) < before:
                yield option


def _weight(situation: Situation, layer: Layer) -> int:
    """How many policies of this kind refuse: 0 where the layer does not stand in the way."""
    for each in situation.decide().layers:
        if each.kind is layer.kind and each.blocks:
            denying = sum(
                not statement.allows and not reading.mismatch(statement)
                for reading in each.readings
                for statement in reading.policy.document.statements
            )
            return 1 + denying
    return 0
