"""What the scenes say."""

from __future__ import annotations

import io
from functools import partial
from itertools import takewhile
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.lab.loader import load
from stslab.lab.model import Change
from stslab.lesson.access import CellState
from stslab.lesson.byhand import Lack
from stslab.lesson.questions import Choice, Question
from stslab.lesson.verdict import GateReading, Verdict
from stslab.render.lesson.scenes import Answered, Asking, Done, Scene, in_brief, matrix, ticket
from stslab.render.terminal.paper import Paper
from stslab.resources import bundled
from stslab.runner.ports import Data
from stslab.vocabulary import Gate

RESOURCE, TRUST, IDENTITY, BOUNDARY = Gate.RESOURCE, Gate.TRUST, Gate.IDENTITY, Gate.BOUNDARY
ALLOWS, SILENT, DENIES = "allows", "does not allow", "denies"
CONTRASTS = "right if", "half of", "It is true", "asked once"


def drawn(scene: Scene, width: int = 80) -> str:
    out = io.StringIO()
    scene.draw(Paper(Console(file=out, width=width, height=24)))
    return out.getvalue()


def answered(question: Question, said: int, verdict: Verdict) -> Answered:
    who: dict[str, Any] = {"who": "me", "target": "it", "claims": [], "evidence": {}}
    asking = Asking("Call", command="aws", question=question, **who)
    told: dict[str, Any] = {"said": said, "verdict": verdict, "held": True}
    return Answered("Call", asking=asking, message="", because="", **told)


@pytest.mark.parametrize(
    ("gates", "by", "said", "says"),
    [
        ({TRUST: ALLOWS, IDENTITY: SILENT}, {IDENTITY}, set(), "You would be right if the policies"),
        ({IDENTITY: DENIES}, {IDENTITY}, set(), "right if the policies of me did not deny it."),
        ({IDENTITY: SILENT}, {IDENTITY}, {TRUST}, "trust policy is asked once, when a session begins"),
        # The bucket's policy is silent, as the learner said; that is not why.
        (
            {RESOURCE: SILENT, IDENTITY: ALLOWS, BOUNDARY: SILENT},
            {BOUNDARY},
            {RESOURCE},
            "It is true that the policy of it did not allow it, but that alone refuses nothing here.",
        ),
        ({RESOURCE: SILENT, IDENTITY: ALLOWS}, set(), {RESOURCE}, "It is true that the policy of"),
        # A sentence would only repeat the answer, or could be untrue.
        ({RESOURCE: ALLOWS, BOUNDARY: SILENT}, {BOUNDARY}, {RESOURCE}, ""),
        ({TRUST: ALLOWS, IDENTITY: SILENT}, {IDENTITY}, {TRUST}, ""),
        ({IDENTITY: SILENT}, {IDENTITY}, set(), ""),
        ({TRUST: SILENT, IDENTITY: SILENT}, {TRUST, IDENTITY}, {TRUST}, "That is half of it: the"),
    ],
)  # fmt: skip
def test_why_a_wrong_answer_is_wrong(
    gates: dict[Gate, str], by: set[Gate], said: set[Gate], says: str
) -> None:
    readings = tuple(GateReading(gate, result, gate in by) for gate, result in gates.items())
    told = Verdict(not by, tuple(by), readings)
    answers = Choice(1, "Right", frozenset(by)), Choice(2, "Wrong", frozenset(said))
    scene = answered(Question(answers, 1), 2, told)
    text = " ".join(drawn(scene).split())
    assert says in text
    assert bool(says) is any(words in text for words in CONTRASTS)
    assert "refused it" not in text


@pytest.mark.parametrize(
    ("key", "known", "rows"),
    [
        ("aws:PrincipalTag/team", {"tags": {"team": "blue"}}, ["tags of me team = blue"]),
        ("aws:PrincipalTag/team", {}, ["tags of me none"]),
        ("aws:PrincipalArn", {"tags": {"team": "blue"}}, []),
        ("aws:TokenIssueTime", {"issued": "2026-01-02T03:04:05Z"},
         ["session of me issued 2026-01-02T03:04:05Z"]),
        ("aws:TokenIssueTime", {}, ["session of me none"]),
    ],
)  # fmt: skip
def test_what_a_policy_asks_of_the_caller_is_shown(
    key: str, known: dict[str, Any], rows: list[str]
) -> None:
    allow = {"Effect": "Allow", "Action": "*", "Condition": {"StringEquals": {key: "red"}}}
    gates = (GateReading(IDENTITY, SILENT, True, ({"policy": "p"},)),)
    told = Verdict(False, (IDENTITY,), gates, {"p": {"Statement": allow}}, **known)
    question = Question((Choice(1, "Denied", frozenset({IDENTITY})),), 1)
    scene = Asking("Call", who="me", command="aws", question=question, claims=[],
                   evidence={"me": told}, target="it")  # fmt: skip
    shown = (" ".join(row.split()) for row in drawn(scene).split("\n"))
    assert [row for row in shown if row.startswith(("tags of", "session of"))] == rows


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"UserId": "AIDA1", "Account": "1", "Arn": "arn:1"},
         ["AWS said:", "UserId AIDA1", "Account 1", "Arn arn:1"]),
        ({"Buckets": [{"Name": "mine", "CreationDate": "now"}, {"Name": "yours"}], "Owner": {}},
         ["AWS said:", "Buckets mine, yours"]),
        ({"Buckets": []}, ["AWS said:", "Buckets none"]),
        ({"ETag": "e", "Body": "Hello\nyou"}, ["AWS said:", "Body Hello you"]),
        ({"Credentials": {"Id": "A", "Ends": "12"}}, ["AWS said:", "Id A", "Ends 12"]),
        ({}, []),
    ],
)  # fmt: skip
def test_what_aws_answers_is_shown_in_a_few_lines(answer: Data, says: list[str]) -> None:
    told = Verdict(True, (), (GateReading(IDENTITY, ALLOWS, False),))
    question = Question((Choice(1, "Allowed", frozenset()),), 1)
    scene = answered(question, 1, told)

    def rows(answer: Data) -> list[str]:
        shown = drawn(replace(scene, answer=in_brief(answer))).split("\n")
        return [" ".join(row.split()) for row in shown[5:-3]]

    assert rows(answer) == ([*says, ""] if says else [])
    assert len(rows({"Body": "many " * 900})) in range(3, 7)
    assert in_brief({"Body": "long" * 90}) == (("Body", f"{'long' * 40} ..."),)
    assert len(rows({str(number): "x" for number in range(50)})) in range(3, 10)


def test_what_went_well_is_shortened_to_what_was_made() -> None:
    steps = [(True, "Deploy it"), (True, "Read it"), (True, "It is there")]
    shown = ("Role", "arn:aws:iam::1:role/x-1"), ("Stack", "arn:1/x"), ("Tries", 3)
    names = {"ROLE": "arn:aws:iam::1:role/x-1", "NUMBER": "1"}
    told = Done(tuple(steps), shown, names)
    well = ((True, "Deploy it: Role $ROLE"), (True, "2 more steps and checks went well"))
    assert told.brief().lines == well
    sentence = Done(((True, "Deploy it."), *steps[1:]), shown, names)
    assert sentence.brief().lines == well
    assert Done(tuple(steps[:2])).brief().lines == tuple(steps[:2])
    assert Done((*steps, (False, "It is gone"))).brief().lines == ((False, "It is gone"),)


def test_a_shortened_screen_of_one_hour_says_what_its_first_question_is_about() -> None:
    lab = load(bundled() / "lab" / "one-hour.yaml", catalogue=BotocoreCatalogue())
    checks = [check.says for check in takewhile(lambda one: not one.ask, lab.stages[0].checkpoint)]
    lines = tuple((True, text) for text in (lab.stages[0].steps[-1].title, *checks))
    assert Done(lines).brief().lines[0][1] == "Ask for four hours, the most that the role allows"


def test_a_heading_alone_ends_with_its_last_word() -> None:
    assert drawn(Scene("Who can do what")) == " Who can do what\n\n"


def test_a_long_heading_is_indented_throughout() -> None:
    scene = Scene("With the keys of theirs, and AWS_PROFILE=mine: list", place="3 of 4")
    assert drawn(scene, 40).startswith(
        " 3 of 4\n With the keys of theirs, and\n AWS_PROFILE=mine: list\n\n"
    )
    assert drawn(replace(scene, title="Short"), 20).startswith(" Short       3 of 4\n\n")


def test_without_signs_to_explain_nothing_stands_below_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STSLAB_PLAIN", "1")
    cell = CellState(
        "list", "me", "list", Change(identity="me", cell="list", allowed=True), Verdict(True)
    )
    scene = Scene("Who", partial(matrix, cells=[cell]))
    assert drawn(scene).endswith("   list  allowed\n")


def test_credentials_that_one_service_refuses_are_not_called_invalid() -> None:
    """IAM takes a session of GetSessionToken only with MFA; S3 takes each."""
    refusals = {"plain": Gate.IDENTITY, "half": Gate.SIGNATURE, "old": Gate.SIGNATURE}
    cells = [
        CellState(row, who, row, Change(identity=who, cell=row, allowed=False), Verdict(False, by))
        for who, gate in refusals.items()
        for row, by in (("list users", (Gate.SIGNATURE,)), ("list buckets", (gate,)))
    ]
    told = drawn(Scene("Who", partial(matrix, cells=cells)))
    assert told.endswith("half, old: no valid credentials\n")
    assert "plain:" not in told


def test_on_a_narrow_screen_what_has_no_room_stands_below() -> None:
    says = "assume the role without an id"
    cells = [
        CellState("no-id", who, says, Change(identity=who, cell="no-id", allowed=True), told)
        for who, told in (("vendor", Verdict(False)), ("admin", Verdict(True)))
    ]
    table = drawn(Scene("Who", partial(matrix, cells=cells)), 40)
    assert "\n     vendor        admin\n" in table
    assert f"\n   {says}\n     ·             ✔\n" in table
    wide = drawn(Scene("Who", partial(matrix, cells=cells)), 80)
    assert f"\n   {says}  ·             ✔\n" in wide
    told = Verdict(False, (Gate.TRUST,), (GateReading(Gate.TRUST, "does not allow", True),))
    scene = answered(Question((), 1), 0, told)
    assert "\n   trust policy of it\n     ✘ does not allow  < decided\n" in drawn(scene, 40)
    asking = replace(scene.asking, evidence={"me": told})
    assert "\n   trust policy of it\n     none\n" in drawn(asking, 40)


def test_on_a_narrow_screen_the_table_is_beside_its_rows_where_all_callers_have_room() -> None:
    def table(says: str, *callers: str) -> str:
        told = Change(identity="", cell=says, allowed=True)
        cells = [CellState(says, who, says, told, Verdict(True)) for who in callers]
        return drawn(Scene("Who", partial(matrix, cells=cells)), 40)

    assert "\n   delete the bucket  ✔       ✔\n" in table("delete the bucket", "sts", "assumed")
    below = table("list all buckets", "mine", "theirs", "session")
    assert "\n     mine       theirs     session\n" in below
    assert "\n   list all buckets\n     ✔          ✔          ✔\n" in below


def test_in_words_no_answers_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STSLAB_PLAIN", "1")
    says, callers = "assume the role work", ("direct", "chained", "fresh", "admin", "hub")
    told = Change(identity="", cell="work", allowed=True)
    cells = [CellState("work", who, says, told, Verdict(True)) for who in callers]
    table = drawn(Scene("Who", partial(matrix, cells=cells)))
    assert f"{says}  allowed   allowed   allowed" in table
    table = drawn(Scene("Who", partial(matrix, cells=cells, changed={one.key for one in cells})))
    assert f"{says}\n     allowed now   allowed now   allowed now" in table


def test_a_fault_whose_report_is_right_again_is_shown_without_a_gap() -> None:
    still = [Lack("bob may list it, which was not allowed before.")]
    text = drawn(Scene("Broken", partial(ticket, report="It fails.", shown=("", ""), still=still)))
    assert '"It fails."\n\n   ✘ bob may list it' in text
