"""`stslab status`: the runs, from the journal alone."""

import json
from pathlib import Path

import pytest

from stslab.home import private_folder
from stslab.runner.journal.records import (
    CheckRecord,
    ClaimOutline,
    Entered,
    How,
    RunRecord,
    RunState,
    StageOutline,
    StageRecord,
)
from stslab.runner.journal.store import Journal

CLAIM = ClaimOutline("It is so", "admin", "iam.GetUser", "hash")


def proved(stage: str, number: int, *, held: bool = True) -> CheckRecord:
    return CheckRecord(
        stage, number, "T", "It is so", CLAIM, held, False, "", "proof", "id", 0.1, "2026"
    )


def record(run: str, state: RunState = RunState.ACTIVE) -> RunRecord:
    return RunRecord(
        id=run,
        lab="assume-role",
        title="Assume a role",
        path="/labs/steps.yaml",
        sha256="0" * 64,
        target="sandbox",
        kind="sandbox",
        account="111122223333",
        region="us-east-1",
        partition="aws",
        instance="i-1",
        state=state,
        started="2026-01-02T03:04:05.000+00:00",
        outline=(
            StageOutline("create-user", "Create", False, (CLAIM, CLAIM)),
            StageOutline("deploy-role", "Deploy", False, (CLAIM,)),
            StageOutline("cleanup", "Clean", True, (CLAIM,)),
        ),
    )


@pytest.fixture
def journal(state: Path):
    with Journal(state / "journal.sqlite") as opened:
        yield opened


def test_without_runs_no_journal_is_created(stslab, state):
    said = stslab("status")
    assert said.code == 0
    assert "stslab run" in said.out
    assert not (state / "journal.sqlite").exists()
    assert json.loads(stslab("status", "--json").out) == []


def test_runs_are_shown_with_their_stages(stslab, journal):
    journal.begin(record("aaaa1111", RunState.FINISHED))
    journal.write("aaaa1111", Entered("create-user", "0" * 64, How.YES))
    journal.begin(record("bbbb2222"))
    journal.begin(record("cccc3333"))  # in which nothing was begun
    for stage, held in (("create-user", True), ("deploy-role", False)):
        journal.write("bbbb2222", Entered(stage, "0" * 64, How.YES))
        journal.write("bbbb2222", proved(stage, 0, held=held))
        journal.write("bbbb2222", StageRecord(stage, held=held, seconds=1.0))
    said = stslab("status")
    assert said.out.index("bbbb2222") < said.out.index("aaaa1111")
    assert (
        "\naaaa1111  assume-role  finished  (sandbox 111122223333, 2026-01-02 03:04 UTC)\n"
        in said.out
    )
    assert "1 of 4 claims proved" in said.out
    assert "✔ create-user  ✘ deploy-role  ○ cleanup" in said.out
    asked = (
        "not reached: cleanup; nobody was asked (--yes, or no terminal): create-user, deploy-role"
    )
    assert asked in " ".join(said.out.split())
    runs = json.loads(stslab("status", "--json").out)
    assert [run["run"] for run in runs] == ["bbbb2222", "aaaa1111"]
    assert [run["state"] for run in runs] == ["active", "finished"]
    assert [one["held"] for one in runs[0]["stages"]] == [True, False, False]
    assert (runs[0]["claims"], runs[0]["proved"]) == (4, 1)
    assert runs[0]["asked_nobody"] == ["create-user", "deploy-role"]


def test_in_a_pipe_lines_are_as_wide_as_one_asks(stslab, journal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    journal.begin(record("aaaa1111"))
    journal.write("aaaa1111", Entered("create-user", "0" * 64, How.YES))
    assert max(map(len, stslab("status").out.splitlines())) > 96


def test_only_a_few_runs_are_shown_unless_all_are_wanted(stslab, journal):
    for number in range(15):
        journal.begin(record(f"run{number:05}"))
        journal.write(f"run{number:05}", Entered("create-user", "0" * 64, How.YES))
    assert len(json.loads(stslab("status", "--json").out)) == 5
    assert len(json.loads(stslab("status", "--json", "--all").out)) == 15


@pytest.mark.parametrize("command", [["status"], ["cleanup"]])
def test_a_corrupt_journal_is_one_clear_message(command, stslab, state):
    state.mkdir()
    (state / "journal.sqlite").write_bytes(b"no journal at all" * 1000)
    said = stslab(*command)
    assert said.code == 1
    assert "journal" in said.err
    assert "→" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", [["status"], ["report"], ["cleanup"], ["run", "--yes"]])
def test_an_invalid_state_folder_is_one_clear_message(command, stslab, state, monkeypatch):
    state.write_text("a file")
    for folder in (state, state / "below", state.parent / ("a" * 300)):
        monkeypatch.setenv("STSLAB_HOME", str(folder))
        said = stslab(*command)
        assert said.code == 1
        assert "state folder" in said.err
        assert "→" in said.err
        assert "bug" not in said.err


def test_new_folders_are_private(tmp_path):
    made = private_folder(tmp_path / "a" / "b" / "c")
    for folder in (made, *made.parents[:2]):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_journal_of_another_version_is_refused_unharmed(stslab, state):
    import sqlite3

    Journal(state / "journal.sqlite").close()
    with sqlite3.connect(state / "journal.sqlite") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    before = (state / "journal.sqlite").read_bytes()
    for command in ("status", "cleanup"):
        said = stslab(command)
        assert said.code == 1
        assert "another version of stslab" in said.err
    assert (state / "journal.sqlite").read_bytes() == before


def test_cleanup_without_runs_says_so_and_starts_nothing(stslab, state):
    said = stslab("cleanup", "--yes")
    assert said.code == 0
    assert "nothing to clean up" in said.out
    assert not (state / "sandbox").exists()


def test_cleanup_of_an_unknown_run(stslab):
    said = stslab("cleanup", "nosuchrun")
    assert said.code == 2
    assert "nosuchrun" in said.err


def test_a_state_folder_that_is_a_file(stslab, state):
    state.write_text("")
    for command in (["cleanup"], ["run", "--yes"], ["sandbox", "start"]):
        said = stslab(*command)
        assert said.code == 1
        assert str(state) in said.err
        assert "Traceback" not in said.err


def test_another_process_is_named(stslab, state):
    from stslab.home import Home
    from stslab.runner.journal.lock import Held

    with Held(Home(state), "stslab run"):
        said = stslab("run", "--yes")
    assert said.code == 1
    assert "`stslab run`" in " ".join(said.err.split())
