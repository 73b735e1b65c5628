"""The account's SQLite file: one row for each record, written before a change is answered.

``meta`` has the row ``format``, the version of this format. ``record`` has the records as JSON, as
the classes in this folder define them: a member that is missing takes its default, one that the
class does not have is ignored. ``blob`` has the bodies of S3's objects.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from stslab.errors import SandboxError
from stslab.home import WRITABLE
from stslab.sandbox.state import buckets, identities, invariants, snapshot, stacks, traces
from stslab.sandbox.state.snapshot import TABLES, Address, Record, Snapshot

FORMAT = 1
RECORDS = (buckets, identities, snapshot, stacks, traces)
"""The modules that define kinds of records: importing one adds its classes to ``TABLES``."""
_MOST_BYTES = 64 * 1024 * 1024
"""The limit for one row. Records are far smaller (a policy 6 KB, a stack's template 1 MB)."""
_NOT_THE_FILE = ("SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")
"""SQLite's errors that don't tell of a damaged file: the folder or the disk can't be used."""
_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS record (kind TEXT, account TEXT, key TEXT, body BLOB NOT NULL,
    PRIMARY KEY (kind, account, key)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS blob (name TEXT PRIMARY KEY, body BLOB NOT NULL)",
)


class Store:
    """The file of an account, for its owner only (0600). Opening it may raise SandboxError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._encode = msgspec.json.Encoder().encode
        try:
            path.touch(mode=0o600)
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from error
        with ExitStack() as opened, _readable(path):
            self._db = opened.enter_context(closing(_connected(path, "rw")))
            self._prepare()
            opened.pop_all()

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may lose the last changes, but not the file; a killed process loses nothing.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with self._changing():
                for table in _TABLES:
                    self._db.execute(table)
                self._db.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
        _check(self._db, self.path)

    def _changing(self) -> sqlite3.Connection:
        """A context whose changes are all made, or none, for example if the disk is full."""
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def save(self, changes: Mapping[Address, Record | None], blobs: Mapping[str, bytes]) -> None:
        """Write all changes or none. None deletes the row at that address."""
        puts = [(*at, self._encode(new)) for at, new in changes.items() if new is not None]
        deleted = [at for at, new in changes.items() if new is None]
        delete = "DELETE FROM record WHERE kind = ? AND account = ? AND key = ?"
        with self._lock, self._changing():
            self._db.executemany("INSERT OR IGNORE INTO blob VALUES (?, ?)", blobs.items())
            self._db.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", puts)
            self._db.executemany(delete, deleted)

    def load(self) -> Snapshot:
        """All saved records. Raises SandboxError if the file is damaged."""
        with self._lock, _readable(self.path):
            return Snapshot.of(_records(self._db, self.path))

    def whole(self) -> Snapshot:
        """The same. Raises SandboxError also if the account lacks what each account has."""
        account = self.load()
        if any(account.records()) and (problem := invariants.incomplete(account)):
            raise _damaged(self.path, problem)
        return account

    def blob(self, name: str) -> bytes:
        # To open a connection takes 0.1 ms. With one for all, one small read in ten waited 700 ms
        # while two clients read 100 MB again and again; now it waits 35 ms.
        with closing(_connected(self.path, "ro")) as db:
            return _blob(db, self.path, name)

    def drop_blobs_but(self, used: AbstractSet[str]) -> AbstractSet[str]:
        """Delete all other bodies. Return the names of those that are missing."""
        with self._lock, _readable(self.path), self._changing():
            there = {name for (name,) in self._db.execute("SELECT name FROM blob")}
            unused = ((name,) for name in there - used)
            self._db.executemany("DELETE FROM blob WHERE name = ?", unused)
        return used - there

    def clear(self) -> None:
        with self._lock, self._changing():
            self._db.execute("DELETE FROM record")
            self._db.execute("DELETE FROM blob")

    def close(self) -> None:
        """Move the write-ahead log into the file, and close it."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()


def decoders() -> Mapping[str, msgspec.json.Decoder[Any]]:
    return {name: msgspec.json.Decoder(kind) for name, kind in TABLES.items()}


@contextmanager
def opened(path: Path) -> Iterator[tuple[Snapshot, Callable[[str], bytes]]]:
    """The account in a file, which may be in use, and what reads a body by name.

    Raises SandboxError if the file is damaged.
    """
    # The write-ahead log beside it needs "rw".
    with _readable(path), closing(_connected(path, "rw")) as db:
        db.execute("BEGIN")
        _check(db, path)
        yield Snapshot.of(_records(db, path)), partial(_blob, db, path)


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Refuse another format, and views and triggers, which change what is read or written."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone():
        raise _damaged(path, "it has a view or a trigger")
    row = db.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    if row not in [(str(number),) for number in range(1, FORMAT + 1)]:
        found = row[0] if row else "no version"
        message = f"The account in {path} has the format {found}; this stslab reads up to {FORMAT}."
        hint = "Use the stslab that wrote it, or start a new account: `stslab sandbox reset`"
        raise SandboxError(message, hint)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    location = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(
        location, uri=True, timeout=30, check_same_thread=False, isolation_level=None
    )


def _blob(db: sqlite3.Connection, path: Path, name: str) -> bytes:
    row = db.execute("SELECT body FROM blob WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise _damaged(path, f"the body {name} is missing")
    return bytes(row[0])


def _records(db: sqlite3.Connection, path: Path) -> Iterator[Record]:
    known = decoders()
    for kind, account, key, body in db.execute("SELECT * FROM record"):
        if kind not in known or not isinstance(body, bytes | str) or len(body) > _MOST_BYTES:
            raise _damaged(path, f"{kind!r} {key!r} is not a record that an account can have")
        try:
            record = known[kind].decode(body)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise _damaged(path, f"{kind} {key}: {error}") from error
        if (record.account, record.key) != (account, key):
            raise _damaged(path, f"{kind} {key} has the key of another record")
        yield record


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")  # the module's own errors have none
        failure = _unusable if name.startswith(_NOT_THE_FILE) else _damaged
        raise failure(path, str(error)) from error


def _unusable(path: Path, how: str) -> SandboxError:
    return SandboxError(f"The account's file {path} can't be opened: {how}.", WRITABLE)


def _damaged(path: Path, how: str) -> SandboxError:
    hint = "Start a new account: `stslab sandbox reset`"
    return SandboxError(f"The account in {path} can't be read: {how}.", hint)
