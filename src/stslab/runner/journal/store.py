"""The memory of every run, in one SQLite file: written before and after each call.

Each write is on disk before it returns (WAL with synchronous=FULL), so a run that was
stopped at any point knows what it may have made. Secrets never enter: what is written
has been redacted by who calls. What a write costs does not depend on the history.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from msgspec import MsgspecError

from stslab.errors import JournalCorrupt, JournalError, JournalOfAnotherVersion
from stslab.home import private_folder
from stslab.runner.clock import Clock, SystemClock
from stslab.runner.journal import rows, schema
from stslab.runner.journal.records import (
    UNFINISHED,
    CheckRecord,
    Entry,
    EntryState,
    Intent,
    Result,
    RunRecord,
    RunState,
    SavedProfile,
    StageRecord,
    Thing,
    Told,
)

_BUSY_SECONDS = 10.0
_RUN_COLUMNS = (
    'id, lab, title, path, sha256, target, kind, account, region, "partition", instance,'
    " state, started, ended, caller, person, allowed"
)
_ENTRY = """
SELECT e.seq, e.run, e.stage, e.step, e.intent, o.state, o.detail,
  (SELECT thing FROM outcomes WHERE entry = e.seq AND thing IS NOT NULL
   ORDER BY seq DESC LIMIT 1),
  (SELECT undo FROM outcomes WHERE entry = e.seq AND undo IS NOT NULL
   ORDER BY seq DESC LIMIT 1),
  e.seal = seal(e.run, e.stage, e.step, e.intent, e.at) AND NOT EXISTS (
   SELECT 1 FROM outcomes WHERE entry = e.seq
   AND seal != seal(entry, state, detail, request_id, thing, undo, at))
FROM entries e
LEFT JOIN outcomes o ON o.seq = (SELECT max(seq) FROM outcomes WHERE entry = e.seq)
"""
_INTEND = (
    "INSERT INTO entries (run, stage, step, intent, at, seal)"
    " VALUES (?1, ?2, ?3, ?4, ?5, seal(?1, ?2, ?3, ?4, ?5))"
)
_CONCLUDE = (
    "INSERT INTO outcomes (entry, state, detail, request_id, thing, undo, at, seal)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, seal(?1, ?2, ?3, ?4, ?5, ?6, ?7))"
)
_FIND = "INSERT INTO things (run, entry, thing, seal) VALUES (?1, ?2, ?3, seal(?1, ?2, ?3))"
_TOLD = """
SELECT e.at, f.at, f.state, f.request_id, l.at FROM entries e
LEFT JOIN outcomes f ON f.seq = (SELECT min(seq) FROM outcomes WHERE entry = e.seq)
LEFT JOIN outcomes l ON l.seq = (SELECT max(seq) FROM outcomes WHERE entry = e.seq)
WHERE e.run = ? ORDER BY e.seq
"""
_CHECK_COLUMNS = "stage, number, title, says, held, denied, code, proof, request_id, seconds, at"


class Journal:
    """The open journal. Use as a context manager, or call :meth:`close`.

    Every method raises JournalCorrupt where the file is damaged, JournalError where it
    can't be written.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Open the journal, or make it, readable by its owner alone.

        Raises:
            JournalOfAnotherVersion: another stslab wrote it; nothing in it is changed.
            JournalCorrupt: it is damaged, or no journal of stslab's.
            JournalError: it can't be made or opened.
        """
        self.path = path
        self._clock = clock or SystemClock()
        self._database = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Runs

    def begin(self, run: RunRecord) -> None:
        """Remember a new run."""
        values = [getattr(run, name.strip(' "')) for name in _RUN_COLUMNS.split(",")]
        values[-1] = rows.pack(values[-1])
        marks = ", ".join("?" * len(values))
        self._write((f"INSERT INTO runs ({_RUN_COLUMNS}) VALUES ({marks})", values))  # noqa: S608 - our own columns

    def mark(self, run: str, state: RunState) -> None:
        """Say where the run stands now."""
        self._write(self._state(run, state))

    def run(self, run: str) -> RunRecord | None:
        """The run of this id, or None."""
        found = self._read(f"SELECT {_RUN_COLUMNS} FROM runs WHERE id = ?", run)  # noqa: S608 - our own columns
        return next(iter(self._each(rows.run, found)), None)

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, the newest first."""
        found = self._read(f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY rowid DESC")  # noqa: S608 - our own columns
        return tuple(self._each(rows.run, found))

    def unfinished(self, target: str = "", lab: str = "") -> tuple[RunRecord, ...]:
        """The runs that were not ended, the newest first; of one target and lab if named."""
        found = self._read(
            f"SELECT {_RUN_COLUMNS} FROM runs WHERE state IN (?, ?)"  # noqa: S608 - our own columns
            " AND (? = '' OR target = ?) AND (? = '' OR lab = ?) ORDER BY rowid DESC",
            *UNFINISHED,
            target,
            target,
            lab,
            lab,
        )
        return tuple(self._each(rows.run, found))

    # Calls

    def intend(self, run: str, intent: Intent) -> int:
        """Write down what is about to be called; the answer is the entry's number."""
        written = [
            (
                _INTEND,
                (run, intent.stage, intent.step, rows.pack(intent), self._now()),
            )
        ]
        if intent.replaces:
            written.append(self._outcome(intent.replaces, Result(EntryState.REPLACED)))
        return self._write(*written)

    def conclude(self, run: str, entry: int, result: Result) -> None:
        """Write down what became of a call, and what the run knows from it, all or nothing."""
        written = [self._outcome(entry, result)]
        written += [
            ("INSERT OR REPLACE INTO saved VALUES (?, ?, ?)", (run, name, rows.pack(value)))
            for name, value in result.saved.items()
        ]
        if result.profile:
            written.append(
                ("INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?)", (run, *result.profile))
            )
        self._write(*written)

    def entries(self, run: str) -> tuple[Entry, ...]:
        """All calls of the run that may have changed something, in order."""
        found = self._read(_ENTRY + "WHERE e.run = ? ORDER BY e.seq", run)
        return tuple(self._each(rows.entry, found))

    def latest(self, run: str, stage: str, step: int) -> Entry | None:
        """The last entry of one step, or None where it was never tried."""
        found = self._read(
            _ENTRY + "WHERE e.run = ? AND e.stage = ? AND e.step = ? ORDER BY e.seq DESC LIMIT 1",
            run,
            stage,
            step,
        )
        return next(iter(self._each(rows.entry, found)), None)

    def found(self, run: str, entry: int, things: tuple[Thing, ...]) -> None:
        """Remember what else a call made: a stack's resources. Known ones are left alone."""
        known = self.things(run, entry)
        new = [thing for thing in things if not any(thing.same(other) for other in known)]
        if new:
            self._write(*((_FIND, (run, entry, rows.pack(thing))) for thing in new))

    def things(self, run: str, entry: int) -> tuple[Thing, ...]:
        """What else the entry's call made."""
        found = self._read(
            "SELECT thing, seal = seal(run, entry, thing) FROM things"
            " WHERE run = ? AND entry = ? ORDER BY seq",
            run,
            entry,
        )
        unpacked = self._each(rows.sealed_thing, found)
        return tuple(thing for thing in unpacked if thing)

    def told(self, run: str) -> tuple[Told, ...]:
        """All calls of the run with their times, in order: for reports."""
        entries, found = self.entries(run), self._read(_TOLD, run)
        return tuple(self._each(rows.told, list(zip(entries, found, strict=True))))

    # What the run knows

    def saved(self, run: str) -> dict[str, Any]:
        """The values that steps saved, by name."""
        found = self._read("SELECT name, value FROM saved WHERE run = ?", run)
        return dict(self._each(lambda row: (str(row[0]), json.loads(row[1])), found))

    def profiles(self, run: str) -> tuple[SavedProfile, ...]:
        """The profiles that the run wrote: never their secrets."""
        found = self._read(
            "SELECT name, access_key_id, expiration FROM profiles WHERE run = ?", run
        )
        return tuple(self._each(lambda row: SavedProfile(*map(str, row)), found))

    def forget_profile(self, run: str, name: str) -> None:
        """The profile is out of the files."""
        self._write(("DELETE FROM profiles WHERE run = ? AND name = ?", (run, name)))

    # What was proved

    def staged(
        self, run: str, stage: str, *, held: bool, seconds: float, ends: RunState | None = None
    ) -> None:
        """Remember that a stage's checkpoint was tried, and whether it held.

        ``ends`` is the state of the run, where it ends with this stage: both or neither.
        """
        values = (run, stage, held, seconds, self._now())
        written = [("INSERT OR REPLACE INTO stages VALUES (?, ?, ?, ?, ?)", values)]
        self._write(*written, *([self._state(run, ends)] if ends else []))

    def stages(self, run: str) -> tuple[StageRecord, ...]:
        """The stages whose checkpoints were tried."""
        found = self._read("SELECT stage, held, seconds, at FROM stages WHERE run = ?", run)
        return tuple(
            self._each(
                lambda row: StageRecord(str(row[0]), bool(row[1]), float(row[2]), str(row[3])),
                found,
            )
        )

    def checked(self, run: str, check: CheckRecord) -> None:
        """Remember how a claim was tried."""
        values = [getattr(check, name.strip()) for name in _CHECK_COLUMNS.split(",")]
        self._write(
            (
                f"INSERT OR REPLACE INTO checks (run, {_CHECK_COLUMNS}) VALUES (?{', ?' * 11})",  # noqa: S608 - our own columns
                [run, *values],
            )
        )

    def checks(self, run: str) -> tuple[CheckRecord, ...]:
        """The claims that were tried, each as it was the last time, in the order tried."""
        found = self._read(
            f"SELECT {_CHECK_COLUMNS} FROM checks WHERE run = ? ORDER BY at, stage, number",  # noqa: S608 - our own columns
            run,
        )
        return tuple(self._each(rows.check, found))

    # The file

    def verify(self) -> None:
        """Read all of it.

        Raises:
            JournalCorrupt: something in it is not as it was written.
        """
        said = self._read("PRAGMA quick_check(1)")[0][0]
        if said != "ok":
            raise JournalCorrupt(f"The journal {self.path} is damaged ({said}).", _fix(self.path))
        for run in self.runs():
            self.verify_run(run.id)
            for read in (self.saved, self.profiles, self.stages, self.checks):
                read(run.id)

    def verify_run(self, run: str) -> None:
        """Read all that cleanup acts on, before it acts on any of it.

        Raises:
            JournalCorrupt: something in it is not as it was written.
        """
        for entry in self.entries(run):
            self.things(run, entry.seq)

    def _state(self, run: str, state: RunState) -> tuple[str, Any]:
        ended = "" if state in UNFINISHED else self._now()
        return "UPDATE runs SET state = ?, ended = ? WHERE id = ?", (state, ended, run)

    def _outcome(self, entry: int, result: Result) -> tuple[str, Any]:
        values = (
            entry,
            result.state,
            result.detail,
            result.request_id,
            rows.pack_or_none(result.thing),
            rows.pack_or_none(result.undo),
            self._now(),
        )
        return _CONCLUDE, values

    def _write(self, *statements: tuple[str, Any]) -> int:
        """Run the statements in one transaction; the number of the first one's row."""
        with _explained(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                first, *others = statements
                number = self._database.execute(*first).lastrowid
                for statement in others:
                    self._database.execute(*statement)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            return number or 0

    def _read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return self._database.execute(query, values).fetchall()

    def _each(self, read: Any, found: list[tuple[Any, ...]]) -> list[Any]:
        with _explained(self.path):
            return [read(row) for row in found]

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds")


def _open(path: Path) -> sqlite3.Connection:
    private_folder(path.parent)
    with _explained(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        with _explained(path):
            _recognise(database, path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            database.create_function("seal", -1, rows.seal, deterministic=True)
            schema.create(database)
    except BaseException:
        database.close()
        raise
    return database


def _recognise(database: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is not stslab's, or of another version, before anything touches it."""
    application = database.execute("PRAGMA application_id").fetchone()[0]
    version = schema.version_of(database)
    empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty and application == version == 0:
        return
    if application != schema.APPLICATION_ID:
        raise JournalCorrupt(f"{path} is not a journal of stslab's.", _fix(path))
    if version != schema.VERSION:
        raise JournalOfAnotherVersion(
            f"The journal {path} was written by another version of stslab"
            f" (its format is {version}, this one's {schema.VERSION}).",
            "Use that version to clean up its runs, or use another state folder:"
            " STSLAB_HOME=/some/folder stslab ...",
        )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite, the file system or a senseless row raise into the journal's errors."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(path, error) from error
    except sqlite3.IntegrityError as error:
        raise JournalError(f"The journal {path} refused a record: {error}.") from error
    except OSError as error:
        raise JournalError(
            f"The journal {path} can't be written: {error.strerror or error}.", _WRITABLE
        ) from error
    except _SENSELESS as error:
        raise JournalCorrupt(f"The journal {path} is damaged ({error}).", _fix(path)) from error


_SENSELESS = (
    sqlite3.DatabaseError,
    ValueError,
    MsgspecError,
    TypeError,
    IndexError,
    OverflowError,
    RecursionError,
)
_WRITABLE = (
    "Make the state folder writable and see that its disk is not full, or name another one:"
    " STSLAB_HOME=/some/folder stslab ..."
)
_UNWRITABLE = ("readonly", "unable to open", "full", "locked", "disk i/o", "busy")


def _operational(path: Path, error: sqlite3.OperationalError) -> JournalError:
    if any(word in str(error).lower() for word in _UNWRITABLE):
        return JournalError(f"The journal {path} can't be written: {error}.", _WRITABLE)
    return JournalCorrupt(f"The journal {path} is damaged ({error}).", _fix(path))


def _fix(path: Path) -> str:
    return (
        f"Move it aside (mv {path} {path}.damaged) and begin again. What an unfinished run made"
        " is found in the account by its tag: stslab cleanup --sweep."
    )
