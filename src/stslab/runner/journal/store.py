"""The journal: the records of every run, in one SQLite file, written before and after each call.

Records that cleanup needs are on disk before their write returns (WAL with synchronous=FULL). A
power cut may lose records of checks, which are made again. Records are only ever added, each
sealed together with the run's previous one. Callers redact secrets first.
"""

import shlex
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from msgspec import MsgspecError
from msgspec.json import Encoder

from stslab.errors import JournalError
from stslab.home import WRITABLE, Home, private_folder
from stslab.runner.journal import records
from stslab.runner.journal.past import Past, read
from stslab.runner.journal.records import Body, Concluded, Intent, Link, Marked, Record, RunRecord
from stslab.runner.ports import Clock

IN_MEMORY = Path(":memory:")  # a journal that is not kept, for a run that is not continued
APPLICATION_ID = 0x5354534C  # the letters STSL, which mark a SQLite file as stslab's journal

VERSION = 6  # raised with each change of the tables; a journal of another version is refused

_STATEMENTS = (
    *Path(__file__).with_name("journal.sql").read_text(encoding="utf-8").split("\n\n"),
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_MARKS = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master),
  (SELECT count(*) FROM sqlite_master WHERE type = 'view')  -- one could have rows without end
FROM pragma_application_id, pragma_user_version
"""  # in one query: another process may be making the journal
_BUSY_SECONDS = 10.0
_WORDS = {body: word for word, body in records.BODIES.items()}
_ENCODE = Encoder(enc_hook=str).encode  # unknown types become their text
_NOT_UNDONE = records.BODIES.keys() - {"begun", "marked", "intent", "outcome", "found", "forgot"}
_PROVED_AGAIN = (records.CheckRecord, records.Entered, records.StageRecord)
# Each record with the seal before it. A function of ours in the query would lose a Ctrl-C.
_WITH_SEALS = """
SELECT one.run, one.number, one.kind, one.at, one.body, one.seal,
  coalesce(before.seal, CASE one.number WHEN 1 THEN '' END)
FROM records one
LEFT JOIN records before ON before.run = one.run AND before.number = one.number - 1
WHERE one.kind IN (SELECT value FROM json_each(?))
"""
_PAST = f"{_WITH_SEALS} AND one.run = ? AND one.number > ? ORDER BY one.number"
_NEWEST = "SELECT run FROM records WHERE kind = 'begun' ORDER BY seq DESC LIMIT ?"
_ENTERED = "SELECT DISTINCT run FROM records WHERE kind = 'entered'"
_RUNS = f"{_WITH_SEALS} ORDER BY one.seq"
_LINKS = "SELECT number, kind, at, body, seal FROM records WHERE run = ? ORDER BY number"
_LAST = "SELECT number, seal FROM records WHERE run = ? ORDER BY number DESC LIMIT 1"
_ADD = "INSERT INTO records (run, number, kind, at, body, seal) VALUES (?, ?, ?, ?, ?, ?)"


class Journal(AbstractContextManager["Journal"]):
    """The open journal, readable only by its owner. A new file is made if there is none.

    JournalError: the file is damaged, no journal, or can't be read or written; or another version
    of stslab wrote it, and it is not changed.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or Clock()
        self._database = _open(path)
        self._pasts, self._read_at = dict[str, Past](), (0, 0)
        self._runs: tuple[RunRecord, ...] | None = None

    @classmethod
    def of(cls, home: Home) -> Self:
        """The journal of a state folder, for reading; an empty one in memory if it has none."""
        return cls(home.journal if home.has_journal else IN_MEMORY)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def begin(self, run: RunRecord) -> None:
        self.write(run.id, run)

    def run(self, run: str) -> RunRecord | None:
        """The run, or None if it is unknown."""
        past = self.past(run)
        return past.run() if past.every(RunRecord) else None

    def runs(self, target: str = "", lab: str = "") -> tuple[RunRecord, ...]:
        """All runs, newest first, or those of one target and lab."""
        self._notice_changes()
        if self._runs is None:
            by_run: dict[str, list[Record]] = {}
            with _explained(self.path):
                for row in self._read(_RUNS, _text([_WORDS[RunRecord], _WORDS[Marked]])):
                    by_run.setdefault(row[0], []).append(_record(*row))
            self._runs = tuple(Past.of(*each).run() for each in reversed(by_run.items()))
        return tuple(
            run for run in self._runs if target in ("", run.target) and lab in ("", run.lab)
        )

    def newest(self, most: int) -> tuple[RunRecord, ...]:
        """The runs that were begun last, newest first."""
        return tuple(self.past(str(run)).run() for (run,) in self._read(_NEWEST, most))

    def unfinished(self, target: str = "", lab: str = "") -> tuple[RunRecord, ...]:
        """Newest first. Those in which no stage was begun come last: they hide no other."""
        runs = [run for run in self.runs(target, lab) if run.state in records.UNFINISHED]
        begun = {run for (run,) in self._read(_ENTERED)}  # also by a record that was changed
        return tuple(sorted(runs, key=lambda run: run.id not in begun))

    def intend(self, run: str, intent: Intent) -> int:
        """Journal a call that is about to be made. Return the entry's number."""
        replaced = Concluded(intent.replaces, records.Result(records.EntryState.REPLACED))
        return self.write(run, intent, *([replaced] if intent.replaces else []))

    def take_in(self, run: str, links: Iterable[Link]) -> None:
        """Add the records of a run from elsewhere, unchanged."""
        with _explained(self.path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(_ADD, [(run, *link) for link in links])
            self.verify_run(run, free=())

    @property
    def written_by_others(self) -> int:
        """A number that changes when another process writes to the journal."""
        return int(self._read("PRAGMA data_version")[0][0])

    def past(self, run: str) -> Past:
        """The past of a run; its records are read when they are needed."""
        self._notice_changes()
        if run not in self._pasts:
            self._pasts[run] = Past(run, partial(self._added, run))
        return self._pasts[run]

    def _notice_changes(self) -> None:
        """Read what was added since; all of it if another process wrote."""
        now = self._database.total_changes, self.written_by_others
        if now != self._read_at:
            self._pasts = {} if now[1] != self._read_at[1] else self._pasts
            for past in self._pasts.values():
                past.grow()
            self._runs, self._read_at = None, now

    def _added(self, run: str, kinds: tuple[type, ...], after: int) -> list[Record]:
        rows = self._read(_PAST, _text([_WORDS[kind] for kind in kinds]), run, after)
        with _explained(self.path):
            return [_record(*row) for row in rows]

    def links(self, run: str) -> tuple[Link, ...]:
        """The run's stored records, in order."""
        return tuple(Link(*row) for row in self._read(_LINKS, run))

    def verify(self) -> None:
        """Read all of it; JournalError if something is damaged."""
        result = self._read("PRAGMA quick_check(1)")[0][0]
        if result != "ok":
            raise JournalError(f"The journal {self.path} is damaged ({result}).", _fix(self.path))
        for (run,) in self._read("SELECT DISTINCT run FROM records"):
            self.verify_run(run, free=())

    def verify_run(self, run: str, free: Iterable[str] = _NOT_UNDONE) -> None:
        """Read the records before cleanup acts on any. Those of kinds in ``free`` may be wrong."""
        links = self.links(run)
        with _explained(self.path):
            if broken := records.first_broken(run, links, free):
                raise ValueError(f"record {broken} of run {run} was changed")
            for link in links:
                if link.kind not in records.BODIES:
                    raise _of_another(self.path, f"record {link.number} of run {run}: {link.kind}")
                if link.kind not in free:
                    read(link)

    def write(self, run: str, *bodies: Body) -> int:
        """Add records to a run in one transaction. Return the number of the first."""
        texts = [(_WORDS[type(body)], _text(body)) for body in bodies]
        repeated = all(isinstance(body, _PROVED_AGAIN) for body in bodies)
        execute = self._database.execute
        with _explained(self.path):
            execute(f"PRAGMA synchronous = {'NORMAL' if repeated else 'FULL'}")
            with self._database:
                execute("BEGIN IMMEDIATE")
                last, seal = execute(_LAST, (run,)).fetchone() or (0, "")
                at = self._clock.now().isoformat(timespec="milliseconds")
                for number, (kind, text) in enumerate(texts, last + 1):
                    seal = records.sealed(run, seal, number, kind, at, text)
                    execute(_ADD, (run, number, kind, at, text, seal))
                return int(last) + 1

    def _read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with _explained(self.path):
            return self._database.execute(query, values).fetchall()


def _text(value: object) -> str:
    return _ENCODE(value).decode()


def _record(run: str, *columns: Any) -> Record:
    """The record, if it follows the one that it was sealed with."""
    *kept, before = columns
    link = Link(*kept)
    if before is None or link.seal != records.sealed(run, before, *link[:4]):
        raise ValueError(f"record {link.number} of run {run} was changed")
    return read(link)


def _open(path: Path) -> sqlite3.Connection:
    with _explained(path):
        if path != IN_MEMORY:
            private_folder(path.parent)
            path.touch(0o600)  # opens no old file: to close it would end SQLite's locks on it
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        with _explained(path):
            new = _is_new(database, path)
            _write_ahead(database)
            database.execute("PRAGMA synchronous = FULL")
            if new:
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    # Another process may have made the table meanwhile.
                    for statement in _STATEMENTS if _is_new(database, path) else ():
                        database.execute(statement)
    except BaseException:
        database.close()
        raise
    return database


def _write_ahead(database: sqlite3.Connection) -> None:
    """Set the journal's mode. For the lock of this, unlike others, SQLite does not wait."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _is_new(database: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is empty; refuse one that is not stslab's, or of another version."""
    application, version, tables, views = database.execute(_MARKS).fetchone()
    if application == version == tables == 0:
        return True
    if application != APPLICATION_ID or views:
        raise JournalError(f"{path} is not a journal of stslab.", _fix(path))
    if version != VERSION:
        raise _of_another(path, f"its format is {version}, this one's {VERSION}")
    return False


def _of_another(path: Path, what: str) -> JournalError:
    says = f"The journal {path} was written by another version of stslab ({what})."
    use = "Use that version to clean up its runs, or use another state folder"
    return JournalError(says, f"{use}: STSLAB_HOME=/some/folder stslab ...")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite, the file system and malformed rows into the journal's errors."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise JournalError(f"The journal {path} refused a record: {error}.") from error
    except (OSError, sqlite3.DatabaseError, MsgspecError, *_MALFORMED) as error:
        operational = isinstance(error, sqlite3.OperationalError)
        unwritable = operational and any(word in str(error).lower() for word in _UNWRITABLE)
        if unwritable or isinstance(error, OSError):
            why = getattr(error, "strerror", None) or error
            raise JournalError(f"The journal {path} can't be written: {why}.", WRITABLE) from error
        raise JournalError(f"The journal {path} is damaged ({error}).", _fix(path)) from error


_MALFORMED = (LookupError, ValueError, TypeError, OverflowError, RecursionError)
_UNWRITABLE = ("readonly", "unable to open", "full", "locked", "disk i/o", "busy")


def _fix(path: Path) -> str:
    move = shlex.join(["mv", str(path), f"{path}.damaged"])
    by_tag = "To find what an unfinished run made, by its tag: stslab cleanup --sweep"
    return f"Move it aside ({move}) and begin again. {by_tag}"
