"""The score, by concept."""

from stslab.runner.journal.records import Prediction
from stslab.runner.journal.standing import Concept, by_concept


def said(concept: str, *, right: bool) -> Prediction:
    return Prediction("stage", 0, concept, "Allowed", right)


def test_concepts_in_the_order_in_which_they_came_up() -> None:
    predictions = [said("who", right=True), said("what", right=False), said("who", right=False)]
    assert by_concept(predictions) == (Concept("who", 1, 2), Concept("what", 0, 1))
    assert by_concept([]) == ()
