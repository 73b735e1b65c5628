"""The file that holds the account: one row for each thing in it.

SQLite in WAL mode. A commit hands its pages to the operating system before it returns, so
what was committed outlives the process, however that ends; ``synchronous=NORMAL`` leaves
the moment at which the disk itself has it to checkpoints, and never a damaged file
(SQLite documentation, "PRAGMA synchronous").
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stslab.errors import SandboxError

APPLICATION = 0x53545341  # "STSA"
FORMAT = 2
_THINGS = (
    "CREATE TABLE thing (kind TEXT NOT NULL, account TEXT NOT NULL,"
    " name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, account, name))"
)
_STAMPS = "CREATE TABLE stamp (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
SCHEMA = (_THINGS, _STAMPS)
_RESET = "`stslab sandbox reset` makes a new account in its place."

Address = tuple[str, str, str]
"""A thing's kind, the account that owns it, and its name within both."""


class Store:
    """The things of a world by address, saved in transactions.

    ``stamps`` say which versions wrote the file; it is refused where one of them differs.
    """

    def __init__(self, path: Path, stamps: Mapping[str, str]) -> None:
        self.path = path
        self._stamps = dict(stamps)
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, cached_statements=32
            )
            self._prepare(connection)
        except OSError as error:
            raise SandboxError(
                f"The account's file {self.path} can't be opened: {error.strerror or error}.",
                "Make the state folder writable, or name another one with STSLAB_HOME.",
            ) from error
        except sqlite3.Error as error:
            raise SandboxError(
                f"The account's file {self.path} can't be read: {error}.", _RESET
            ) from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and application != APPLICATION:
            raise SandboxError(f"{self.path} is not an account of stslab.", _RESET)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            self._found(connection)
        self._check_stamps(connection)

    def _found(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            for table in SCHEMA:
                connection.execute(table)
            connection.executemany("INSERT INTO stamp VALUES (?, ?)", self._stamps.items())

    def _check_stamps(self, connection: sqlite3.Connection) -> None:
        found = dict(connection.execute("SELECT name, value FROM stamp"))
        differing = [
            f"{name} {found.get(name, 'unknown')} (this is {value})"
            for name, value in self._stamps.items()
            if found.get(name) != value
        ]
        if differing:
            raise SandboxError(
                f"The account in {self.path} was saved by another version: {', '.join(differing)}.",
                f"Use that version again to keep the account, or give it up: {_RESET}",
            )

    def load(self, kind: str) -> Iterator[tuple[str, str, bytes]]:
        """All things of a kind: account, name, body; in the order of their addresses."""
        query = "SELECT account, name, body FROM thing WHERE kind = ? ORDER BY account, name"
        yield from self._connection.execute(query, (kind,))

    def everything(self) -> Iterator[tuple[Address, bytes]]:
        """All things by address."""
        for kind, account, name, body in self._connection.execute("SELECT * FROM thing"):
            yield (kind, account, name), body

    def is_empty(self) -> bool:
        """Whether nothing was ever saved here."""
        return self._connection.execute("SELECT 1 FROM thing LIMIT 1").fetchone() is None

    def save(self, changes: Iterable[tuple[Address, bytes | None]]) -> None:
        """Save all the changes or, where that fails, none; None removes a thing.

        Raises:
            SandboxError: the disk is full or the file is gone; nothing was saved.
        """
        try:
            with _transaction(self._connection):
                for (kind, account, name), body in changes:
                    self._change(kind, account, name, body)
        except sqlite3.Error as error:
            raise SandboxError(f"The account can't be saved in {self.path}: {error}.") from error

    def _change(self, kind: str, account: str, name: str, body: bytes | None) -> None:
        if body is None:
            self._connection.execute(
                "DELETE FROM thing WHERE kind = ? AND account = ? AND name = ?",
                (kind, account, name),
            )
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO thing VALUES (?, ?, ?, ?)", (kind, account, name, body)
            )

    def clear(self) -> None:
        """Forget every thing."""
        with _transaction(self._connection):
            self._connection.execute("DELETE FROM thing")

    def close(self) -> None:
        """Bring everything into the one file and let go of it."""
        self._connection.close()


class _transaction:  # noqa: N801 - reads as the verb that it is
    """A transaction that holds the write lock from its start."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("ROLLBACK" if kind else "COMMIT")
