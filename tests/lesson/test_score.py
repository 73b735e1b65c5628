"""The score, by concept."""

from stslab.lesson.score import Concept, Guess, by_concept


def test_concepts_in_the_order_in_which_they_came_up() -> None:
    guesses = [Guess("who", right=True), Guess("what", right=False), Guess("who", right=False)]
    assert by_concept(guesses) == (Concept("who", 1, 2), Concept("what", 0, 1))
    assert by_concept([]) == ()
