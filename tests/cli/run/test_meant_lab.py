"""The lab of a command that names none: the newest run's."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.cli.run.test_status import record

from stslab.home import Home
from stslab.runner.journal.records import RunState
from stslab.runner.journal.store import Journal

LAB = """\
stslab: 1
id: own
title: A lab of one's own
stages:
  - id: look
    title: Look
    intro: Somebody looks.
    checkpoint: [{says: There are users, call: iam.ListUsers, expect: "Users != `[]`"}]
"""


@pytest.fixture
def own(state: Path, tmp_path: Path) -> Path:
    """A lab outside any folder of labs, as one imported with an account."""
    file = tmp_path / "own.yaml"
    file.write_text(LAB)
    return file


def begin(state: Path, run: str, lab: str, path: Path, how: RunState = RunState.ACTIVE) -> None:
    with Journal(Home(state).journal) as journal:
        journal.begin(replace(record(run, how), lab=lab, path=str(path)))


def test_the_newest_unfinished_run(stslab, state, own):
    assert "create-user" in stslab("run", "--dry-run").out
    begin(state, "aaaa1111", "own", own)
    begin(state, "bbbb2222", "assume-role", Path("/gone.yaml"), RunState.CLEANED)
    assert "There are users" in stslab("run", "--dry-run").out
    assert "There are users" in stslab("run", "own", "--dry-run").out
    assert "create-user" in stslab("run", "assume-role", "--dry-run").out
    for command in (["step", "nowhere"], ["check", "nowhere"], ["step"]):
        assert "The lab has: look." in stslab(*command).err
    assert "No stage is named." in stslab("step").err


def test_an_ended_run_can_be_checked_but_not_continued(stslab, state, own):
    begin(state, "aaaa1111", "own", own, RunState.CLEANED)
    assert "The lab has: look." in stslab("check", "nowhere").err
    assert "A lab's file is named by --lab FILE." in " ".join(stslab("check", "l.yaml").err.split())
    assert "create-user" in stslab("step", "nowhere").err
    assert stslab("run", "own", "--dry-run").code == 2


def test_hints_name_the_usual_lab_where_a_command_without_one_means_another(stslab, state, own):
    needs = ("step", "attach-policy", "--lab", "assume-role")
    assert stslab(*needs).err.endswith(": stslab step attach-policy --with-needed\n")
    begin(state, "aaaa1111", "own", own)
    assert "stslab step --lab assume-role attach-policy --with-needed" in stslab(*needs).err


def test_a_lab_whose_file_is_missing(stslab, state, own):
    begin(state, "aaaa1111", "own", own)
    own.unlink()
    assert "create-user" in stslab("run", "--dry-run").out
