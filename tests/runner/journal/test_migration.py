"""State over versions: a journal of an earlier stslab is brought to today's, with all in it."""

import json
import sqlite3

import pytest
from tests.runner.conftest import Machine

from stslab.errors import JournalTooNew
from stslab.runner.journal import schema
from stslab.runner.journal.records import EntryState, RunState
from stslab.runner.journal.store import Journal
from stslab.runner.report import report

RUN = "old00001"
USER = f"sts-test-user-{RUN}"
_UNDO = {
    "identity": "admin",
    "service": "iam",
    "operation": "DeleteUser",
    "params": {"UserName": USER},
    "waiter": "",
    "waiter_params": {},
}
INTENT = {
    "title": "Create the user",
    "identity": "admin",
    "service": "iam",
    "operation": "CreateUser",
    "params": {"UserName": USER},
    "thing": {"kind": "iam.user", "names": {"UserName": USER}},
    "undo": [_UNDO],
    "before": [],
    "profile": "",
    "replaces": 0,
}


def of_version(path, version: int) -> None:
    """A journal as the stslab of that version wrote it: the first released one is 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path)
    for script in schema.MIGRATIONS[:version]:
        database.executescript(script)
    database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID if version else 0}")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()


def with_a_run(path, seq_state: str = "done") -> None:
    """What version 1 wrote of a run that was stopped after its first step."""
    database = sqlite3.connect(path)
    database.execute(
        "INSERT INTO runs VALUES (?, 'assume-role', 'T', 'p', 's', 'sandbox', 'sandbox',"
        " '111122223333', 'us-east-1', 'aws', 'one', 'active', '2026-01-01T00:00:00+00:00', '')",
        (RUN,),
    )
    database.execute(
        "INSERT INTO entries (run, stage, step, intent, at) VALUES (?, 'create-user', 0, ?, 't')",
        (RUN, json.dumps(INTENT)),
    )
    database.execute(
        "INSERT INTO outcomes (entry, state, detail, request_id, at) VALUES (1, ?, '', 'r', 't')",
        (seq_state,),
    )
    database.execute("INSERT INTO saved VALUES (?, 'role_arn', '\"arn\"')", (RUN,))
    database.commit()
    database.close()


def columns(path) -> dict[str, list[str]]:
    database = sqlite3.connect(path)
    tables = [
        row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    found = {
        table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for table in tables
    }
    database.close()
    return found


@pytest.mark.parametrize("version", range(schema.VERSION + 1))
def test_every_version_becomes_todays(tmp_path, version):
    path, fresh = tmp_path / "old" / "journal.sqlite", tmp_path / "new" / "journal.sqlite"
    of_version(path, version)
    with Journal(path), Journal(fresh):
        pass
    assert columns(path) == columns(fresh)
    with sqlite3.connect(path) as database:
        assert schema.version_of(database) == schema.VERSION
    database.close()


def test_what_an_old_version_wrote_is_read_and_told(tmp_path):
    path = tmp_path / "journal.sqlite"
    of_version(path, 1)
    with_a_run(path)
    with Journal(path) as journal:
        (run,) = journal.unfinished()
        assert (run.id, run.caller, run.person) == (RUN, "", "")
        (entry,) = journal.entries(RUN)
        assert entry.state is EntryState.DONE
        assert entry.thing.names == {"UserName": USER}
        assert journal.saved(RUN) == {"role_arn": "arn"}
        assert report(journal, RUN).remaining == (f"IAM user {USER}",)


def test_an_old_versions_run_is_cleaned_up_by_todays(machine: Machine):
    path = machine.folder / "journal.sqlite"
    of_version(path, 1)
    with_a_run(path)
    machine.world.iam_create_user(UserName=USER)
    machine.world.iam_create_user(UserName="somebody")
    with machine.process() as process:
        process.clean_up()
        assert process.journal.run(RUN).state is RunState.CLEANED
    assert machine.world.inventory()["users"] == ["somebody"]


def test_a_migration_that_is_stopped_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "journal.sqlite"
    of_version(path, 1)
    with_a_run(path)
    before = columns(path)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE runs ADD x; NO SQL")
    )
    with pytest.raises(Exception, match="syntax"):
        Journal(path)
    assert columns(path) == before
    monkeypatch.undo()
    with Journal(path) as journal:
        assert journal.run(RUN) is not None


def test_todays_journal_is_too_new_for_the_stslab_of_before(tmp_path, monkeypatch):
    """The old one refuses it, harms nothing, and today's goes on with it."""
    path = tmp_path / "journal.sqlite"
    of_version(path, 1)
    with_a_run(path)
    with Journal(path):
        pass
    whole = path.read_bytes()
    monkeypatch.setattr(schema, "VERSION", 1)
    with pytest.raises(JournalTooNew, match=r"its version 2, this one's 1") as caught:
        Journal(path)
    assert caught.value.exit_code == 1
    assert path.read_bytes() == whole
    monkeypatch.undo()
    with Journal(path) as journal:
        assert journal.run(RUN) is not None
