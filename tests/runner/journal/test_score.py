"""The score, by concept."""

from stslab.runner.journal.records import Prediction
from stslab.runner.journal.standing import Concept, by_concept


def said(number: int, concept: str, *, right: bool) -> Prediction:
    return Prediction("stage", number, concept, "Allowed", right)


def test_concepts_in_the_order_in_which_they_came_up() -> None:
    who, what, again = (0, "who", True), (1, "what", False), (2, "who", False)
    predictions = [said(at, concept, right=right) for at, concept, right in (who, what, again)]
    assert by_concept(predictions) == (Concept("who", 1, 2), Concept("what", 0, 1))
    assert by_concept([]) == ()


def test_of_a_question_the_first_answer_counts() -> None:
    predictions = [said(0, "who", right=False), said(0, "who", right=True)]
    assert by_concept(predictions) == (Concept("who", 0, 1),)
