"""The access table: as the lab expects it, and as the account decides it."""

from __future__ import annotations

from typing import Any

from stslab.lab.model import Cell, Change, LabFile, Stage
from stslab.lesson import access
from stslab.lesson.verdict import Verdict
from stslab.runner.ports import Call
from stslab.vocabulary import Gate

ROWS = {
    "assume": Cell(says="assume the role", identities=("sts", "admin"), call="sts.AssumeRole",
                   params={"RoleArn": "${{ arn }}"}),
    "list": Cell(says="list", identities=("sts",), call="s3.ListBuckets"),
}  # fmt: skip
LAB = LabFile(
    stslab=1,
    id="some",
    title="Some",
    access=ROWS,
    stages=(
        Stage(id="a", title="A", intro="I",
              changes=(Change(identity="sts", cell="assume", allowed=True),)),
        Stage(id="b", title="B", intro="I",
              changes=(Change(identity="sts", cell="assume", allowed=False, by=(Gate.BOUNDARY,)),)),
    ),
)  # fmt: skip


def allowed(*cells: tuple[str, str]) -> Any:
    def decide(call: Call) -> Verdict:
        assert "${{" not in str(call.params)
        return Verdict((call.identity, call.operation) in cells)

    return decide


def test_a_cell_is_denied_until_a_stage_changes_it() -> None:
    assert not access.expected(LAB, ())["assume", "sts"].allowed
    assert access.expected(LAB, ("a",))["assume", "sts"].allowed
    assert not access.expected(LAB, ("a",))["assume", "admin"].allowed
    late = access.expected(LAB, ("a", "b"))["assume", "sts"]
    assert (late.allowed, late.by) == (False, (Gate.BOUNDARY,))


def test_a_cell_with_unknown_names_is_unknown() -> None:
    cells = access.table(LAB, (), {}, allowed())
    assert [(*one.key, one.verdict.allowed) for one in cells] == [
        ("assume", "sts", None),
        ("assume", "admin", None),
        ("list", "sts", False),
    ]


def test_cells_that_are_too_wide_or_not_allowed_yet() -> None:
    decide = allowed(("admin", "AssumeRole"))
    sts, admin, _ = access.table(LAB, ("a",), {"arn": "x"}, decide)
    assert (sts.fits, sts.verdict.allowed, sts.expected.allowed) == (False, False, True)
    assert (admin.fits, admin.verdict.allowed, admin.expected.allowed) == (False, True, False)


def test_the_cells_that_a_stage_changed() -> None:
    before = access.table(LAB, (), {"arn": "x"}, allowed())
    after = access.table(LAB, ("a",), {"arn": "x"}, allowed(("sts", "AssumeRole")))
    assert access.changed(before, after) == {("assume", "sts")}
    assert access.changed(after, after) == frozenset()
    unknown = access.table(LAB, (), {}, allowed())
    assert access.changed(unknown, before) == frozenset()
    assert access.changed(unknown, after) == {("assume", "sts")}
