"""The journal: records persist, and damage is reported."""

import contextlib
import itertools
import sqlite3
import stat
import subprocess
import sys
import threading
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stslab.errors import JournalError, StateFolderError
from stslab.runner.journal import records, store
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import (
    CheckRecord,
    ClaimOutline,
    Concluded,
    Entered,
    Entry,
    EntryState,
    Found,
    Hint,
    How,
    Intent,
    Link,
    Marked,
    Prediction,
    Result,
    RunRecord,
    RunState,
    SavedProfile,
    StageRecord,
    Thing,
    UndoCall,
    first_broken,
    sealed,
)
from stslab.runner.journal.store import Journal

USER = Thing("iam.user", {"UserName": "u"})
CLAIM = ClaimOutline("says", "admin", "iam.GetUser", "hash")
UNDO = UndoCall(
    "admin", "iam", "DeleteUser", {"UserName": "u"}, waiter="waiter", waiter_params={"a": [1]}
)


def latest(journal: Journal, step: int = 0) -> Entry:
    entry = journal.past("r1").latest("s", step)
    assert entry
    return entry


def a_run(run="r1", **changes) -> RunRecord:
    values = {
        "id": run,
        "lab": "assume-role",
        "title": "T",
        "path": "p",
        "sha256": "s",
        "target": "sandbox",
        "kind": "sandbox",
        "account": "111122223333",
        "region": "us-east-1",
        "partition": "aws",
        "instance": "i",
        "state": RunState.ACTIVE,
        "started": "2026-01-01T00:00:00+00:00",
    }
    return RunRecord(**{**values, **changes})


def an_intent(step=0, **changes) -> Intent:
    values = {
        "stage": "s",
        "step": step,
        "title": "Make it",
        "identity": "admin",
        "service": "iam",
        "operation": "CreateUser",
        "params": {"UserName": "u", "Tags": [{"Key": "k", "Value": "v"}]},
        "thing": USER,
        "undo": (UNDO,),
    }
    return Intent(**{**values, **changes})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home" / "journal.sqlite"


@pytest.fixture
def filled(path):
    with Journal(path) as journal:
        journal.begin(a_run())
        seq = journal.intend("r1", an_intent(profile="sts"))
        journal.write("r1", Concluded(seq, Result(EntryState.DONE, saved={"a": {"b": 1}})))
        journal.write("r1", Found(seq, Thing("s3.bucket", {"Bucket": "b"})))
        journal.write("r1", StageRecord("s", held=True, seconds=1.5))
        journal.write(
            "r1",
            CheckRecord("s", 0, "T", "says", CLAIM, True, False, "", "proof", "id", 0.1, "2026"),
        )
    return path


def test_records_are_read_by_the_next_process(filled):
    with Journal(filled) as journal:
        assert journal.run("r1") == a_run()
        (entry,) = journal.past("r1").entries()
        assert entry.intent == an_intent(profile="sts")
        assert (entry.state, entry.thing, entry.undo) == (EntryState.DONE, USER, (UNDO,))
        assert journal.past("r1").things(entry.seq) == (Thing("s3.bucket", {"Bucket": "b"}),)
        assert journal.past("r1").saved() == {"a": {"b": 1}}
        assert journal.past("r1").held() == {"s"}
        assert journal.past("r1").every(CheckRecord)[0].proof == "proof"


def test_an_intent_without_an_outcome_may_have_taken_effect(path):
    with Journal(path) as journal:
        journal.begin(a_run())
        journal.intend("r1", an_intent())
    with Journal(path) as journal:
        assert latest(journal).state is EntryState.INTENDED
        assert journal.past("r1").latest("s", 1) is None


def test_an_outcome_completes_the_thing_and_its_undo(path):
    key = Thing("iam.access_key", {"UserName": "u", "AccessKeyId": "AKIA1"})
    with Journal(path) as journal:
        journal.begin(a_run())
        seq = journal.intend("r1", an_intent(thing=Thing("iam.access_key", {"UserName": "u"})))
        profile = SavedProfile("sts", "AKIA1", "")
        answered = Result(EntryState.ANSWERED, thing=key, undo=(), profile=profile)
        journal.write("r1", Concluded(seq, answered))
        journal.write("r1", Concluded(seq, Result(EntryState.DONE)))
        entry = latest(journal)
        assert (entry.state, entry.thing, entry.undo) == (EntryState.DONE, key, ())
        assert journal.past("r1").profiles()[0].access_key_id == "AKIA1"


def test_a_repeated_call_replaces_the_earlier_entry(path):
    with Journal(path) as journal:
        journal.begin(a_run())
        first = journal.intend("r1", an_intent())
        journal.intend("r1", an_intent(replaces=first))
        states = [entry.state for entry in journal.past("r1").entries()]
    assert states == [EntryState.REPLACED, EntryState.INTENDED]


def test_what_was_read_is_whole_wherever_an_interrupt_came(filled):
    with Journal(filled) as journal:
        profile = SavedProfile("sts", "AKIA1", "")
        seq = journal.intend("r1", an_intent(step=1))
        journal.write("r1", Concluded(seq, Result(EntryState.DONE, profile=profile)))
        every = journal.past("r1").recorded(*records.BODIES.values())
    whole, interrupted = Past.of("r1", every), 0
    for lines in itertools.count(1):
        past, left = Past.of("r1", every), itertools.count(-lines)

        def interrupt(frame, event, _, left=left):
            if frame.f_code.co_filename != Past.entries.__code__.co_filename:
                return None
            if event == "line" and next(left) == 0:
                raise KeyboardInterrupt
            return interrupt

        before = sys.gettrace()
        sys.settrace(interrupt)
        try:
            past.entries(), past.saved(), past.profiles()
            break
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            sys.settrace(before)
        assert past.entries() == whole.entries()
        assert past.saved() == whole.saved()
        assert past.profiles() == whole.profiles()
    assert interrupted > 50


@pytest.mark.parametrize(
    "look", [lambda one: one.runs(), lambda one: one.past("r1").recorded(*records.BODIES.values())]
)
def test_ctrl_c_while_records_are_read_is_no_damage(look, filled, monkeypatch):
    monkeypatch.setattr(records, "sealed", Mock(side_effect=KeyboardInterrupt))
    with Journal(filled) as journal, pytest.raises(KeyboardInterrupt):
        look(journal)


def test_one_write_is_one_transaction(path):
    with Journal(path) as journal:
        journal.begin(a_run())
        first = journal.intend("r1", an_intent())
        journal._database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON records WHEN NEW.kind = 'outcome'"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(JournalError):
            journal.intend("r1", an_intent(replaces=first))
        assert [entry.state for entry in journal.past("r1").entries()] == [EntryState.INTENDED]


def test_predictions_and_hints_are_kept(filled):
    said = Prediction("s", 0, "who decides", "allowed", right=False)
    with Journal(filled) as journal:
        journal.write("r1", said)
        journal.write("r1", Hint("s", 1, 2))
    with Journal(filled) as journal:
        assert journal.past("r1").every(Prediction) == (said,)
        assert journal.past("r1").every(Hint) == (Hint("s", 1, 2),)
        assert journal.past("r1").hinted("s", 1) == 1


@pytest.mark.parametrize("statement", ["UPDATE records SET body = '{}'", "DELETE FROM records"])
def test_nothing_is_changed_or_removed(filled, statement):
    with Journal(filled) as journal:
        with pytest.raises(sqlite3.IntegrityError, match="a record is never"):
            journal._database.execute(statement)
        journal.verify()


def tampered(path, statement: str, *values: object) -> None:
    """Change the file with SQL, as a person could."""
    with sqlite3.connect(path) as database:
        database.execute("DROP TRIGGER never_changed")
        database.execute("DROP TRIGGER never_removed")
        assert database.execute(statement, values).rowcount > 0
    database.close()


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE records SET body = replace(body, 'true', 'false') WHERE kind = 'stage'", 5),
        ("UPDATE records SET at = '2020-01-01T00:00:00.000+00:00' WHERE kind = 'check'", 6),
        ("UPDATE records SET kind = 'stage' WHERE kind = 'check'", 6),
        ("UPDATE records SET kind = 'chec' WHERE kind = 'check'", 6),
        ("UPDATE records SET kind = '' WHERE kind = 'outcome'", 3),
        ("DELETE FROM records WHERE kind = 'found'", 4),
        ("DELETE FROM records WHERE kind = 'begun'", 1),
        ("UPDATE records SET number = 9 WHERE kind = 'check'", 6),
        ("UPDATE records SET number = 0 WHERE kind = 'check'", 1),
        ("UPDATE records SET run = 'r2'", 1),
        ("UPDATE records SET seal = upper(seal) WHERE kind = 'intent'", 2),
    ],
)
def test_the_chain_shows_later_changes(filled, change, broken):
    tampered(filled, change)
    with Journal(filled) as journal:
        run = "r2" if "r2" in change else "r1"
        assert first_broken(run, journal.links(run)) == broken
        with pytest.raises(JournalError, match=f"record {broken} of run {run} was changed"):
            journal.verify()


def test_a_changed_record_of_a_check_does_not_stop_cleanup(filled):
    tampered(filled, "UPDATE records SET body = replace(body, 'says', 'lies') WHERE kind = 'check'")
    with Journal(filled) as journal:
        journal.verify_run("r1")
        with pytest.raises(JournalError, match="was changed"):
            journal.past("r1").every(CheckRecord)


@pytest.mark.parametrize("kind", ["check", "skipped", "inten", ""])
@pytest.mark.parametrize(("was", "number"), [("begun", 1), ("intent", 2), ("outcome", 3)])
def test_what_cleanup_acts_on_is_missed_under_another_name(filled, was, number, kind):
    tampered(filled, "UPDATE records SET kind = ? WHERE kind = ?", kind, was)
    said = f"record {number} of run r1 was changed"
    with Journal(filled) as journal, pytest.raises(JournalError, match=said):
        journal.verify_run("r1")


@pytest.mark.parametrize("verify", [Journal.verify, lambda journal: journal.verify_run("r1")])
def test_a_record_of_a_kind_that_a_later_version_has_is_no_damage(filled, verify):
    with Journal(filled) as journal:
        last = journal.links("r1")[-1]
        added = (7, "badge", "2026", "{}")
        link = Link(*added, sealed("r1", last.seal, *added))
        journal._database.execute(store._ADD, ("r1", *link))
        with pytest.raises(JournalError, match=r"another version of stslab .*badge") as caught:
            verify(journal)
        assert "Use that version" in caught.value.hint
        assert journal.past("r1").held() == {"s"}


def test_the_chain_of_an_unchanged_run_is_whole(filled):
    with Journal(filled) as journal:
        links = journal.links("r1")
        journal.verify()
    assert [link.number for link in links] == [1, 2, 3, 4, 5, 6]
    assert first_broken("r1", links) is None
    assert first_broken("r2", links) == 1
    assert first_broken("r1", links[1:]) == 1


def test_unfinished_runs_are_listed_newest_first(path):
    with Journal(path) as journal:
        for number in range(4):
            journal.begin(a_run(f"r{number}", lab="x" if number == 3 else "assume-role"))
        journal.write("r1", Marked(RunState.CLEANED))
        journal.write("r2", Marked(RunState.UNDOING))
        assert [run.id for run in journal.unfinished("sandbox", "assume-role")] == ["r2", "r0"]
        assert [run.id for run in journal.unfinished()] == ["r3", "r2", "r0"]
        assert journal.unfinished("aws") == ()
        journal.write("r0", Entered("create-user", "s", How.PROMPT))
        # In the others nothing was begun.
        assert [run.id for run in journal.unfinished()] == ["r0", "r3", "r2"]
        ended = journal.run("r1")
        assert ended
        assert ended.ended
    tampered(path, "UPDATE records SET body = '{}' WHERE kind = 'entered'")
    with Journal(path) as journal:
        assert [run.id for run in journal.unfinished()] == ["r0", "r3", "r2"]


def test_only_its_owner_can_read_it(filled):
    modes = {stat.S_IMODE(file.stat().st_mode) for file in filled.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(filled.parent.stat().st_mode) == 0o700


def test_records_for_cleanup_are_on_disk_when_their_write_returns(filled):
    full, normal = (2,), (1,)
    with Journal(filled) as journal:
        assert journal._database.execute("PRAGMA synchronous").fetchone() == full
        run = journal.runs()[0].id
        journal.write(run, Entered("one", "", How.YES))  # it would be entered again
        assert journal._database.execute("PRAGMA synchronous").fetchone() == normal
        journal.write(run, Marked(RunState.UNDOING))
        assert journal._database.execute("PRAGMA synchronous").fetchone() == full
        assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_only_new_records_are_read_between_two_writes(path, monkeypatch):
    steps, decoded = 20, Mock(wraps=store._record)
    monkeypatch.setattr(store, "_record", decoded)
    with Journal(path) as journal, Journal(path) as other:
        journal.begin(a_run())
        for step in range(steps):
            seq = journal.intend("r1", an_intent(step))
            assert latest(journal, step).state is EntryState.INTENDED
            journal.write("r1", Concluded(seq, Result(EntryState.DONE, saved={f"v{step}": step})))
            assert latest(journal, step).state is EntryState.DONE
            assert journal.past("r1").saved() == {f"v{n}": n for n in range(step + 1)}
        assert decoded.call_count <= 6 * steps
        assert journal.past("r1").entries() == other.past("r1").entries()
        other.write("r1", Concluded(seq, Result(EntryState.UNDONE)))
        assert latest(journal, steps - 1).state is EntryState.UNDONE


def test_the_cost_of_a_step_does_not_depend_on_the_history(filled):
    """No query for a step scans the whole table."""
    with Journal(filled) as journal:
        plans = [
            journal._database.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
            for query, values in ((store._PAST, ('["intent"]', "r", 0)), (store._LAST, ("r",)))
        ]
    steps = [row[3] for plan in plans for row in plan if "records_by_run" in row[3]]
    assert [step.split()[:2] for step in steps] == [
        ["SEARCH", "one"],
        ["SEARCH", "before"],
        ["SEARCH", "records"],
    ]


@pytest.mark.parametrize("version", [1, store.VERSION - 1, store.VERSION + 1, 9999])
def test_a_journal_of_another_version_is_refused_and_left_as_it_is(filled, version):
    with sqlite3.connect(filled) as database:
        database.execute(f"PRAGMA user_version = {version}")
    database.close()
    before = filled.read_bytes()
    with pytest.raises(JournalError, match=f"its format is {version}") as caught:
        Journal(filled)
    assert "clean up its runs" in caught.value.hint
    assert caught.value.exit_code == 1
    assert filled.read_bytes() == before


def test_tables_are_created_in_one_transaction(path, monkeypatch):
    monkeypatch.setattr(store, "_STATEMENTS", (*store._STATEMENTS, "NO SQL"))
    with pytest.raises(JournalError, match="is damaged"):
        Journal(path)
    monkeypatch.undo()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    database.close()
    Journal(path).close()


def test_another_programs_database_is_refused_and_left_as_it_is(path):
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not a journal"):
        Journal(path)
    assert path.read_bytes() == before


def test_a_view_in_the_place_of_the_records_is_refused(filled):
    with sqlite3.connect(filled) as database:
        database.execute("ALTER TABLE records RENAME TO kept")
        rows = (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT kept.* FROM kept, c"
        )
        database.execute(f"CREATE VIEW records AS {rows}")
    database.close()
    with pytest.raises(JournalError, match="not a journal"):
        Journal(filled)


@pytest.mark.parametrize("content", [b"garbage" * 500, b"SQLite format 3\0" + b"\xff" * 4000])
def test_garbage_is_damage(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(JournalError, match="is damaged") as caught:
        Journal(path)
    assert "Move it aside" in caught.value.hint


def test_a_truncated_journal_is_damage(filled):
    whole = filled.read_bytes()
    filled.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalError, match="is damaged"):
        read_all(filled)


@pytest.mark.parametrize("text", ["", "[]", '{"title": 1}', "{", "null"])
def test_a_malformed_row_is_damage(filled, text):
    tampered(filled, "UPDATE records SET body = ? WHERE kind = 'intent'", text)
    with Journal(filled) as journal, pytest.raises(JournalError, match="is damaged"):
        journal.past("r1").entries()


def test_a_state_folder_that_is_a_file(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(StateFolderError, match="can't be used"):
        Journal(tmp_path / "home" / "journal.sqlite")


def test_a_journal_that_is_a_folder(path):
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="can't be written") as caught:
        Journal(path)
    assert "STSLAB_HOME" in caught.value.hint


def test_a_journal_that_another_process_makes_read_only(filled):
    with Journal(filled) as journal:
        journal._database.execute("PRAGMA query_only = ON")
        with pytest.raises(JournalError, match="can't be written"):
            journal.write("r1", Marked(RunState.CLEANED))


def test_two_processes_make_the_journal_at_once(path):
    with Journal(path) as one, Journal(path) as other:
        one.begin(a_run("r1"))
        other.begin(a_run("r2"))
        assert [run.id for run in one.runs()] == ["r2", "r1"]


def test_a_process_that_opens_the_journal_twice_keeps_its_locks(path):
    """Else another process removes the write-ahead log at its end, and records are lost."""
    with Journal(path) as journal:
        journal.begin(a_run("r1"))
        Journal(path).close()
        another_process_reads(path)
        journal.begin(a_run("r2"))
        assert another_process_reads(path) == ["r1", "r2"]


def another_process_reads(path) -> list[str]:
    """The runs, as a process finds them that ends after that."""
    code = """if True:
        import sys, pathlib
        from stslab.runner.journal.store import Journal
        with Journal(pathlib.Path(sys.argv[1])) as journal:
            print(*sorted(run.id for run in journal.runs()))"""
    return subprocess.check_output([sys.executable, "-c", code, str(path)], text=True).split()


@pytest.mark.parametrize("moment", range(4))  # then its own transaction keeps others out
def test_another_process_makes_the_journal_while_it_is_opened(path, monkeypatch, moment):
    class Connection(sqlite3.Connection):
        statements = 0

        def execute(self, *statement):
            self.statements += 1
            if self.statements == moment + 1:
                monkeypatch.undo()
                with Journal(path) as other:
                    other.begin(a_run())
            return super().execute(*statement)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *at, **how: connect(*at, factory=Connection, **how)
    )
    with Journal(path) as journal:
        assert isinstance(journal._database, Connection)
        assert journal.run("r1")


def test_another_process_writes_the_file_while_the_journal_is_made(path):
    """SQLite waits for it before a transaction, but not before it changes the file's mode."""
    path.parent.mkdir(parents=True)
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    later = threading.Timer(0.3, writer.close)
    later.start()
    with Journal(path) as journal:
        journal.begin(a_run())
    later.join()


def read_all(path) -> None:
    with Journal(path) as journal:
        for run in journal.runs():
            past = journal.past(run.id)
            past.entries()
            past.saved()
            past.profiles()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutated_journal_is_read_or_refused_but_never_a_crash(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mutated") / "journal.sqlite"
    with Journal(path) as journal:
        journal.begin(a_run())
        journal.write("r1", Concluded(journal.intend("r1", an_intent()), Result(EntryState.DONE)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    with contextlib.suppress(JournalError):
        read_all(path)
