"""The learner's score: what they predicted, by concept. What the account proved is another."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guess:
    """One prediction: what it was about, and whether it was right."""

    concept: str
    right: bool


@dataclass(frozen=True, slots=True)
class Concept:
    """How the predictions about one concept went."""

    name: str
    right: int
    of: int


def by_concept(guesses: Iterable[Guess]) -> tuple[Concept, ...]:
    """Each concept in the order in which it came up."""
    counted: dict[str, list[bool]] = {}
    for one in guesses:
        counted.setdefault(one.concept, []).append(one.right)
    return tuple(Concept(name, sum(each), len(each)) for name, each in counted.items())
