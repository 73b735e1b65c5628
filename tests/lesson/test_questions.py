"""Questions: plausible answers, and the right one."""

from __future__ import annotations

import pytest

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.lab.loader import load
from stslab.lab.model import Check, Lab, LabFile
from stslab.lesson import questions
from stslab.lesson.questions import Question, asked, caller, row, whose
from stslab.lesson.verdict import GateReading, Verdict
from stslab.resources import bundled
from stslab.vocabulary import Gate

TRUST, IDENTITY, BOUNDARY = Gate.TRUST, Gate.IDENTITY, Gate.BOUNDARY
CHECK = Check(says="It lists buckets", call="s3.ListBuckets")
LAB = LabFile(stslab=1, id="small", title="Small", stages=())


def question(
    told: Verdict, who: str, what: str, *, check: Check = CHECK, lab: LabFile = LAB
) -> Question | None:
    return questions.question(told, who, what, check, lab)


def verdict(*asked: Gate, by: tuple[Gate, ...] = ()) -> Verdict:
    return Verdict(not by, by, tuple(GateReading(one, "allows", one in by) for one in asked))


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
                "Allowed: these policies are enough",
                "Denied: the role's trust policy does not let sts in",
                "Denied: no policy of sts allows it",
                "Denied: the role's trust policy does not let sts in, and no policy of sts allows it",
            ],
            3,
        ),
    ],
)
def test_each_gate_is_an_answer(
    asked: tuple[Gate, ...], by: tuple[Gate, ...], texts: list[str], right: int
) -> None:
    found = question(verdict(*asked, by=by), "sts", "the role")
    assert found is not None
    assert [one.text for one in found.choices] == texts
    assert [one.digit for one in found.choices] == list(range(1, len(texts) + 1))
    assert found.right == right


def test_the_right_answer_is_offered_with_any_number_of_gates() -> None:
    many = tuple(gate for gate in Gate if gate is not Gate.SIGNATURE)
    for gate in many:
        found = question(verdict(*many, by=(gate,)), "sts", "the role")
        assert found is not None
        assert len(found.choices) <= 4
        assert found.choice(found.right).gates == {gate}  # type: ignore[union-attr]


def test_two_gates_that_refuse_are_one_answer() -> None:
    found = question(verdict(TRUST, IDENTITY, BOUNDARY, by=(IDENTITY, BOUNDARY)), "sts", "it")
    assert found is not None
    assert found.choice(found.right).gates == {IDENTITY, BOUNDARY}  # type: ignore[union-attr]


def test_neither_of_two_policies_allows_where_one_would_do() -> None:
    """Both answers that name one are true enough, and AWS names the identity's."""
    gates = [
        GateReading(one, "does not allow", one is IDENTITY) for one in (Gate.RESOURCE, IDENTITY)
    ]
    found = question(Verdict(False, (IDENTITY,), tuple(gates)), "red", "the bucket")
    assert found is not None
    kinds = [one.gates for one in found.choices]
    assert kinds == [frozenset(), frozenset({Gate.RESOURCE}), frozenset({IDENTITY})]


def test_no_question_without_a_verdict() -> None:
    assert question(Verdict(None), "sts", "the role") is None


def test_dont_know_is_not_an_answer() -> None:
    found = question(verdict(IDENTITY), "sts", "it")
    assert found is not None
    assert found.choice(0) is None


def test_allowed_is_worded_alike_whatever_allows() -> None:
    texts = set()
    for says in ("allows", "does not allow"):
        gates = GateReading(TRUST, says, False), GateReading(IDENTITY, "does not allow", True)
        found = question(Verdict(False, (IDENTITY,), gates), "sts", "the role")
        assert found
        texts.add(found.choices[0].text)
    assert texts == {"Allowed: these policies are enough"}
    named = question(verdict(TRUST, by=(TRUST,)), "sts", "the role")
    assert named
    assert named.choices[0].text == "Allowed: the role's trust policy lets sts in"
    free = question(Verdict(True), "sts", "it")
    assert free
    assert free.choices[0].text == "Allowed: it needs no permission"


def test_a_deny_is_worded_as_a_deny() -> None:
    deny = {"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}
    for says, text in (
        ("denies", "Denied: a policy of sts denies it"),
        ("allows", "Denied: a policy of sts denies it"),
        ("does not allow", "Denied: no policy of sts allows it"),
    ):
        reading = GateReading(IDENTITY, says, says != "allows", ({"policy": "p"},))
        told = Verdict(says == "allows", (), (reading,), {"p": deny})
        found = question(told, "sts", "it")
        assert found
        assert found.choices[1].text == text


def test_with_many_gates_those_that_do_not_allow_are_offered() -> None:
    gates = [GateReading(one, "allows", False) for one in (Gate.RESOURCE, IDENTITY, BOUNDARY)]
    told = Verdict(True, gates=(*gates, GateReading(Gate.SESSION, "does not allow", False)))
    found = question(told, "night", "the bucket")
    assert found
    assert frozenset({Gate.SESSION}) in [one.gates for one in found.choices]


def bundled_lab(name: str) -> Lab:
    return load(bundled() / "lab" / f"{name}.yaml", catalogue=BotocoreCatalogue())


def check_of(lab: Lab, says: str) -> Check:
    return next(one for stage in lab.stages for one in stage.checkpoint if one.says == says)


def test_refused_credentials_are_an_answer_throughout_such_a_lab() -> None:
    lab = bundled_lab("who-am-i")
    allowed, ended = (
        check_of(lab, one) for one in ("Your user lists buckets", "The session has ended")
    )
    reading = GateReading(IDENTITY, "allows", False)
    for told, check, right in (
        (Verdict(True, gates=(reading,)), allowed, 1),
        (Verdict(False, (Gate.SIGNATURE,), gates=(reading,)), ended, 2),
        (Verdict(False, (Gate.SIGNATURE,)), ended, 2),
    ):
        found = question(told, "mine", "it", check=check, lab=lab)
        assert found
        assert [one.text for one in found.choices] == [
            "Allowed: a policy of mine allows it",
            "Denied: AWS does not accept the credentials",
            "Denied: no policy of mine allows it",
        ]
        assert found.right == right


def test_the_trust_policy_is_an_answer_for_a_session() -> None:
    lab = bundled_lab("web-identity")
    check = check_of(lab, "Mallory's session from before still works")
    told = Verdict(True, gates=(GateReading(IDENTITY, "allows", False),))
    found = question(told, "mallory", "the bucket", check=check, lab=lab)
    assert found
    assert [one.text for one in found.choices] == [
        "Allowed: a policy of mallory allows it",
        "Denied: the role's trust policy does not let mallory in",
        "Denied: no policy of mallory allows it",
    ]
    assert found.right == 1


def test_the_row_of_a_check() -> None:
    lab = bundled_lab("web-identity")
    claims = {
        "A pull request, with code that nobody has reviewed, gets in": "pull-request",
        "The same repository in other letters is refused": "",
        "Mallory's session from before still works": "list-buckets",
    }
    assert {says: row(lab, check_of(lab, says)) for says in claims} == claims


def test_the_row_does_not_depend_on_an_objects_content() -> None:
    lab = bundled_lab("narrower")
    assert asked(lab, check_of(lab, "It may not put a report")) == "night wants to put May"


def test_an_unsigned_call_is_described_by_its_token() -> None:
    lab = bundled_lab("web-identity")
    check = check_of(lab, "Mallory gets in again")
    assert caller(check) == "the token"
    assert asked(lab, check) == "Somebody with this token wants to assume the role"
    found = question(verdict(TRUST), "the token", "the role", check=check, lab=lab)
    assert found
    assert [one.text for one in found.choices] == [
        "Allowed: the role's trust policy lets the token in",
        "Denied: AWS does not accept the token",
        "Denied: the role's trust policy does not let the token in",
    ]
    assert found.right == 1


def test_where_no_policy_is_asked_the_answer_against_it_covers_a_deny() -> None:
    lab = bundled_lab("one-hour")
    check = check_of(lab, "It can still ask who it is")
    found = question(Verdict(True), "direct", "it", check=check, lab=lab)
    assert found
    assert found.choices[-1].text == "Denied: the policies of direct don't allow it"


def test_a_call_with_two_possible_callers_asks_who_calls() -> None:
    met = {
        "theirs": Verdict(
            False, (IDENTITY,), gates=(GateReading(IDENTITY, "does not allow", True),)
        ),
        "mine": Verdict(True, gates=(GateReading(IDENTITY, "allows", False),)),
    }
    found = whose(met, "mine", "it")
    assert [one.text for one in found.choices] == [
        "It is theirs. Denied: no policy of theirs allows it",
        "It is mine. Allowed: a policy of mine allows it",
    ]
    assert (found.right, whose(met, "theirs", "it").right) == (2, 1)
    lab = bundled_lab("who-am-i")
    says = {"The option --profile wins over the keys in the environment": "--profile mine",
            "The keys in the environment win over AWS_PROFILE": "AWS_PROFILE=mine"}  # fmt: skip
    for claim, named in says.items():
        title = f"With the keys of theirs, and {named}: list all buckets"
        assert asked(lab, check_of(lab, claim)) == title


def test_a_cell_is_hidden_only_until_it_is_asked_about_as_it_is_now() -> None:
    lab = bundled_lab("narrower")
    stages = {stage.id: stage for stage in lab.stages}
    may = ("put-may", "clerk")
    # The boundary changes it, and is asked about; the last stage asks again, unchanged.
    bounded = stages["boundary"]
    assert may in questions.to_come(lab, bounded, 0)
    assert may not in questions.to_come(lab, bounded, len(bounded.checkpoint))
    last = stages["bucket-policy"]
    assert may in questions.to_come(lab, last, 0)
    assert may not in questions.to_come(lab, last, len(last.checkpoint))
    first = stages["session-policy"]  # where the clerk may still put it, as nobody asks
    assert may not in questions.to_come(lab, first, len(first.checkpoint))
