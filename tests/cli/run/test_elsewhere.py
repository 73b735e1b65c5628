"""The commands on a run of one's own lab, from another folder."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LAB = """\
stslab: 1
id: inbox
title: A lab of one's own
access:
  see: {says: list users, as: [admin], call: iam.ListUsers}
stages:
  - id: user
    title: A user
    intro: Somebody is made.
    steps:
      - title: Make the user
        as: admin
        call: iam.CreateUser
        with:
          UserName: "clerk-${{ run.id }}"
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        undo: iam.DeleteUser
        hints: [Think of IAM.]
    checkpoint: [{says: There are users, as: admin, call: iam.ListUsers, expect: "Users != `[]`"}]
  - id: more
    title: More
    intro: Nothing more.
    steps:
      - title: Make another
        as: admin
        call: iam.CreateUser
        with:
          UserName: "other-${{ run.id }}"
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        undo: iam.DeleteUser
        hints: [Think of IAM.]
    checkpoint: [{says: There are users, as: admin, call: iam.ListUsers, expect: "Users != `[]`"}]
"""


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
    assert stslab("cleanup", "--yes").code == 0
