"""Questions: answers that could each be true, and the one that is."""

from __future__ import annotations

import pytest

from stslab.lesson.ports import GateReading, Verdict
from stslab.lesson.questions import question
from stslab.policy.vocabulary import Gate

TRUST, IDENTITY, BOUNDARY = Gate.TRUST, Gate.IDENTITY, Gate.BOUNDARY


def verdict(*asked: Gate, by: tuple[Gate, ...] = ()) -> Verdict:
    return Verdict(not by, by, (), tuple(GateReading(one, "allows", one in by) for one in asked))


@pytest.mark.parametrize(
    ("asked", "by", "texts", "right"),
    [
        (
            (IDENTITY,),
            (),
            ["Allowed: a policy of sts allows it", "Denied: no policy of sts allows it"],
            1,
        ),
        (
            (IDENTITY,),
            (IDENTITY,),
            ["Allowed: a policy of sts allows it", "Denied: no policy of sts allows it"],
            2,
        ),
        (
            (TRUST, IDENTITY),
            (IDENTITY,),
            [
                "Allowed: the role's trust policy lets sts in, and a policy of sts allows it",
                "Denied: the role's trust policy does not let sts in",
                "Denied: no policy of sts allows it",
                "Denied: the role's trust policy does not let sts in, and no policy of sts allows it",
            ],
            3,
        ),
    ],
)
def test_each_gate_could_refuse(
    asked: tuple[Gate, ...], by: tuple[Gate, ...], texts: list[str], right: int
) -> None:
    found = question(verdict(*asked, by=by), "sts", "the role")
    assert found is not None
    assert [one.text for one in found.answers] == texts
    assert [one.digit for one in found.answers] == list(range(1, len(texts) + 1))
    assert found.right == right


def test_the_right_answer_is_there_however_many_gates_there_are() -> None:
    many = tuple(gate for gate in Gate if gate is not Gate.SIGNATURE)
    for gate in many:
        found = question(verdict(*many, by=(gate,)), "sts", "the role")
        assert found is not None
        assert len(found.answers) <= 4
        assert found.answer(found.right).gates == {gate}  # type: ignore[union-attr]


def test_two_gates_that_refuse_are_one_answer() -> None:
    found = question(verdict(TRUST, IDENTITY, BOUNDARY, by=(IDENTITY, BOUNDARY)), "sts", "it")
    assert found is not None
    assert found.answer(found.right).gates == {IDENTITY, BOUNDARY}  # type: ignore[union-attr]


def test_what_the_account_can_not_tell_is_not_asked() -> None:
    assert question(Verdict(None), "sts", "the role") is None


def test_not_knowing_is_no_answer() -> None:
    found = question(verdict(IDENTITY), "sts", "it")
    assert found is not None
    assert found.answer(0) is None


def test_allowed_names_what_allows_and_nothing_else() -> None:
    trusts, silent = (
        GateReading(TRUST, "allows", False),
        GateReading(IDENTITY, "does not allow", True),
    )
    named = question(Verdict(False, (IDENTITY,), (), (trusts, silent)), "sts", "the role")
    assert named
    assert named.answers[0].text == "Allowed: the role's trust policy lets sts in"
    free = question(Verdict(True), "sts", "it")
    assert free
    assert free.answers[0].text == "Allowed: it needs no permission"
