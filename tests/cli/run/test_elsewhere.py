"""The commands on a run of one's own lab, from another folder."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEAD = """\
stslab: 1
id: inbox
title: A lab of one's own
access:
  see: {says: list users, as: [admin], call: iam.ListUsers}
stages:
"""
STAGE = """\
  - id: NAME
    title: Make NAME
    intro: Somebody is made.
    steps:
      - title: Make NAME
        as: admin
        call: iam.CreateUser
        with:
          UserName: "NAME-${{ run.id }}"
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        undo: iam.DeleteUser
        hints: [Think of IAM.]
    checkpoint: [{says: There are users, as: admin, call: iam.ListUsers, expect: "Users != `[]`"}]
"""
LAB = HEAD + STAGE.replace("NAME", "user") + STAGE.replace("NAME", "another")


def test_each_finds_the_runs_lab(
    stslab, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, elsewhere = tmp_path / "author", tmp_path / "elsewhere"
    author.mkdir()
    elsewhere.mkdir()
    (author / "inbox.yaml").write_text(LAB)
    monkeypatch.chdir(author)
    begun = stslab("run", "inbox.yaml", "--yes", "--to", "user")
    assert begun.code == 0, begun.err
    monkeypatch.chdir(elsewhere)
    cells = stslab("access", "--json")
    assert [one["cell"] for one in json.loads(cells.out)["cells"]] == ["see"]
    for named in ((), ("inbox",)):
        hint = stslab("hint", *named)
        assert (hint.code, hint.err) == (0, "")
        assert "Make another." in hint.out
    checked = stslab("check", "--json")
    assert checked.code == 0, checked.err
    assert '"user"' in checked.out
    ahead = stslab("check", "another")
    assert (ahead.code, "has not begun another yet" in ahead.err) == (2, True)
    assert stslab("cleanup", "--yes").code == 0


def test_all_stages_are_none_while_the_first_one_does_not_hold(stslab, tmp_path: Path) -> None:
    file = tmp_path / "inbox.yaml"
    file.write_text(LAB.replace("Users !=", "Users =="))
    assert stslab("run", str(file), "--yes").code == 3
    for options, code, said in (
        ([], 3, "There are users"),
        (["--all"], 2, "has done no stage yet"),
    ):
        checked = stslab("check", *options)
        assert checked.code == code, checked.err
        assert said in checked.out + checked.err


def test_a_check_after_cleanup_is_that_nothing_is_left(stslab, tmp_path: Path) -> None:
    file = tmp_path / "inbox.yaml"
    file.write_text(LAB.replace("Users != `[]`", "length(Users) > `1`"))
    assert stslab("run", str(file), "--yes", "--to", "user").code == 0
    assert stslab("cleanup", "--yes").code == 0
    checked = stslab("check")  # a lab without a cleanup stage
    assert (checked.code, checked.err) == (0, "")
    assert "stage cleanup has changed that since" in " ".join(checked.out.split())
    assert stslab("run", "--yes", "--to", "assume-role").code == 0
    assert stslab("cleanup", "--yes").code == 0
    for options in ([], ["--all"]):
        checked = stslab("check", *options)
        assert checked.code == 0, checked.err
        assert "✔ The user is gone" in checked.out
        assert "✘" not in checked.out


def test_a_named_account_has_runs_of_its_own(
    stslab, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "inbox.yaml"
    file.write_text(LAB)
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert stslab("run", str(file), "--yes", "--to", "user").code == 0
    assert stslab("check").code == 0
    assert json.loads(stslab("access", "--json").out)["cells"]
    monkeypatch.setenv("STSLAB_SANDBOX", "")
    told = stslab("access").err
    assert "There is no unfinished run" in told
    assert "is in another account: STSLAB_SANDBOX=exam stslab run" in " ".join(told.split())
    assert "STSLAB_SANDBOX=exam stslab cleanup " in stslab("cleanup").out
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert "is left: 1 thing removed" in stslab("cleanup", "--yes").out
    assert "There is nothing to clean up." in stslab("cleanup").out
