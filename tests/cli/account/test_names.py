"""Accounts with names: each command means one of them, and none takes it for another."""

import json
from pathlib import Path

import pytest
from tests.cli.account.test_sandbox import event
from tests.cli.conftest import Stslab
from tests.cli.run.test_elsewhere import LAB

from stslab.runner.journal.store import Journal
from stslab.sandbox.server import client

pytestmark = pytest.mark.slow


@pytest.fixture
def exam(stslab: Stslab, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run on the account `exam`, which is no longer selected."""
    file = tmp_path / "inbox.yaml"
    file.write_text(LAB)
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert stslab("run", str(file), "--yes", "--to", "user").code == 0
    monkeypatch.setenv("STSLAB_SANDBOX", "")
    with Journal(state / "journal.sqlite") as journal:
        return journal.runs()[0].id


def test_a_run_is_exported_with_its_own_account(stslab: Stslab, exam: str, tmp_path: Path) -> None:
    file = str(tmp_path / "set-up.zip")
    wrong = stslab("sandbox", "export", file, "--run", exam)
    assert (wrong.code, Path(file).exists()) == (2, False)
    assert f"This embedded account has no run {exam}." in wrong.err
    assert stslab("sandbox", "--name", "exam", "export", file, "--run", exam).code == 0


@pytest.mark.parametrize("name", ["", "other"])
def test_a_set_up_goes_into_an_account_of_any_name(
    name: str, stslab: Stslab, exam: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, there = str(tmp_path / "set-up.zip"), tmp_path / "elsewhere"
    assert stslab("sandbox", "--name", "exam", "export", file, "--run", exam).code == 0
    monkeypatch.setenv("STSLAB_HOME", str(there))
    try:
        done = stslab("sandbox", "--name", name, "import", file)
        assert (done.code, exam in done.out) == (0, True), done.err
        assert stslab("check").code == 0
        assert json.loads(stslab("access", "--json").out)["cells"]
        told = json.loads(stslab("status", "--json").out)[0]
        assert told["target"] == (f"sandbox-{name}" if name else "sandbox")
        (tmp_path / "report.json").write_text(stslab("report", "--json").out)
        assert stslab("report", "verify", str(tmp_path / "report.json")).code == 0
        assert "is left: 1 thing removed" in stslab("cleanup").out
    finally:
        client.stop(there / "sandbox" / name)


def test_a_report_has_the_decisions_of_its_own_account(stslab: Stslab, exam: str) -> None:
    page = stslab("report", exam, "--html", "-").out
    assert "iam:ListUsers" in page
    stslab("sandbox", "--name", "exam", "status")
    assert stslab("report", exam, "--html", "-").out == page


def test_a_report_is_by_default_of_the_account_that_is_selected(
    stslab: Stslab, exam: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stslab("run", str(tmp_path / "inbox.yaml"), "--yes", "--to", "user").code == 0
    assert f"run      {exam}" not in stslab("report").out
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert f"run      {exam}" in stslab("report").out


def test_variables_select_the_account_for_stslab_too(
    stslab: Stslab, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "unset STSLAB_SANDBOX\n" in stslab("env", "--shell", "sh").out
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert "export STSLAB_SANDBOX=exam\n" in stslab("env", "--shell", "sh").out
    assert "unset STSLAB_SANDBOX\n" in stslab("env", "--unset", "--shell", "sh").out


def test_the_log_names_the_command_that_explains_a_refusal(stslab: Stslab, state: Path) -> None:
    folder, refused = state / "sandbox" / "exam", {**event("GetUser", "aws-cli/2"), "decisions": []}
    folder.mkdir(parents=True)
    (folder / "decisions.jsonl").write_text(json.dumps({**refused, "errorCode": "AccessDenied"}))
    said = " ".join(stslab("sandbox", "--name", "exam", "log").out.split())
    assert "(STSLAB_SANDBOX=exam stslab why GetUser)" in said


def test_what_deletes_an_account_names_it(stslab: Stslab, state: Path) -> None:
    for name, said in (("exam", "embedded account exam is deleted"), ("", "embedded account is")):
        assert said in " ".join(stslab("sandbox", "--name", name, "reset").err.split())


def test_a_sweep_needs_no_profile_of_the_second_account(stslab: Stslab, state: Path) -> None:
    done = stslab("cleanup", "--sweep", "--yes")
    assert (done.code, "There is nothing to undo." in done.out) == (0, True), done.err


def test_a_sweep_leaves_what_a_run_made_in_another_account(
    stslab: Stslab, exam: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "account")
    assert stslab("sandbox", "--name", "exam", "export", file).code == 0
    assert stslab("sandbox", "--name", "", "import", file, "--yes").code == 0
    for asked in ((), (exam,)):
        done = stslab("cleanup", "--sweep", *asked, "--yes")
        told = " ".join(done.out.split())
        assert (done.code, "is gone" in told) == (5 if not asked else 2, False), done.err
    assert f"its run {exam} began in another account (sandbox-exam)" in " ".join(
        stslab("cleanup", "--sweep", "--dry-run").out.split()
    )
