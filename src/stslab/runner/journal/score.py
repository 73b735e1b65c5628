"""The learner's score: what they predicted, by concept. What the account proved is another."""

from collections.abc import Iterable
from dataclasses import dataclass

from stslab.runner.journal.records import Prediction


@dataclass(frozen=True, slots=True)
class Concept:
    """How often the learner predicted something about a concept, and was right."""

    name: str
    right: int
    of: int


def by_concept(predictions: Iterable[Prediction]) -> tuple[Concept, ...]:
    """Each concept in the order in which it came up."""
    counted: dict[str, list[bool]] = {}
    for one in predictions:
        counted.setdefault(one.concept, []).append(one.right)
    return tuple(Concept(name, sum(each), len(each)) for name, each in counted.items())
