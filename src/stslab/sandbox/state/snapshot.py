"""Everything that the account knows at one moment, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar, cast

from immutables import Map

from stslab.sandbox.state.record import Record
from stslab.sandbox.state.settings import Settings

R = TypeVar("R", bound=Record)
_Rows = Map[str, Record]
_Tables = Map[str, Map[str, _Rows]]
_NO_ROWS: _Rows = Map()
_NO_ACCOUNTS: Map[str, _Rows] = Map()


class View:
    """What can be read of the account: a snapshot, or a transaction with what it changed."""

    __slots__ = ("_tables",)

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def get(self, kind: type[R], account: str, key: str) -> R | None:
        return cast("R | None", self._rows(kind.table, account).get(key))

    def record(self, address: tuple[str, str, str]) -> Record | None:
        """The record of this table, account and key, or None."""
        table, account, key = address
        return self._rows(table, account).get(key)

    def all(self, kind: type[R], account: str) -> Iterable[R]:
        """The records of this kind in the account, in no order."""
        return cast("Iterable[R]", self._rows(kind.table, account).values())

    def everywhere(self, kind: type[R]) -> Iterator[R]:
        """The records of this kind in all accounts, in no order."""
        for rows in self._tables.get(kind.table, _NO_ACCOUNTS).values():
            yield from cast("Iterable[R]", rows.values())

    def count(self, kind: type[Record], account: str) -> int:
        return len(self._rows(kind.table, account))

    @property
    def settings(self) -> Settings:
        return self.get(Settings, "", "") or Settings()

    def now(self) -> datetime:
        """The account's clock: aware, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.settings.clock_offset)

    def _rows(self, table: str, account: str) -> _Rows:
        return self._tables.get(table, _NO_ACCOUNTS).get(account, _NO_ROWS)


class Difference(NamedTuple):
    """One record that two snapshots have differently; None where there is no such record."""

    before: Record | None
    after: Record | None


class Snapshot(View):
    """All records at one moment. It never changes, so it may be read from any thread.

    One that differs by a record shares with this one all that is the same: it costs a few
    microseconds, whatever the size of the account.
    """

    __slots__ = ()

    def __init__(self, tables: _Tables | None = None) -> None:
        super().__init__(Map() if tables is None else tables)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Snapshot:
        grouped: dict[str, dict[str, dict[str, Record]]] = {}
        for record in records:
            accounts = grouped.setdefault(record.table, {})
            accounts.setdefault(record.account, {})[record.key] = record
        tables = {
            table: Map({account: Map(rows) for account, rows in accounts.items()})
            for table, accounts in grouped.items()
        }
        return cls(Map(tables))

    def records(self) -> Iterator[Record]:
        for accounts in self._tables.values():
            for rows in accounts.values():
                yield from rows.values()

    def shares(self, other: Snapshot, kind: type[Record]) -> bool:
        """Whether both are sure to have the same records of this kind. It costs nothing."""
        return self._tables.get(kind.table) is other._tables.get(kind.table)

    def differences(self, later: Snapshot) -> Iterator[Difference]:
        """The records that differ between this snapshot and ``later``.

        What both share is not looked at, so that two snapshots near to each other are compared
        in a time that depends on the tables that changed.
        """
        ours, theirs = self._tables, later._tables
        for table in {*ours, *theirs}:
            before, after = ours.get(table, _NO_ACCOUNTS), theirs.get(table, _NO_ACCOUNTS)
            for account in {*before, *after} if before is not after else ():
                yield from _differing(before.get(account, _NO_ROWS), after.get(account, _NO_ROWS))


def _differing(before: _Rows, after: _Rows) -> Iterator[Difference]:
    if before is after:
        return
    for key, was in before.items():
        now = after.get(key)
        if now is not was and now != was:
            yield Difference(was, now)
    for key, now in after.items():
        if key not in before:
            yield Difference(None, now)


Address = tuple[str, str, str]
"""The table, the account and the key of a record."""


class Transaction(View):
    """A snapshot and what is changed in it. It reads as a snapshot, its own changes included.

    ``put`` and ``delete`` are the only ways to change the account. Nobody else sees a change
    before the transaction is committed; one that is dropped leaves no trace. A transaction
    that nobody commits is a fork: what would be if. ``by`` is the access key of who asked for it.

    ``changes`` are what was put, by its address; None for what was deleted. ``blobs`` are the new
    bodies of objects, ``kept`` is what is saved even where the transaction is given up.
    """

    by: str = ""

    def __init__(self, start: View) -> None:
        super().__init__(start._tables)  # noqa: SLF001 - a transaction is a snapshot that changes
        self.changes: dict[Address, Record | None] = {}
        self.blobs: dict[str, bytes] = {}
        self.kept: list[Record] = []

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self._tables)

    def put(self, record: Record, *, always: bool = False) -> None:
        """Let the account have this record, in place of any with its table and key.

        ``always``: even where the transaction is given up, as an MFA code is spent by a call
        that is refused.
        """
        if always:
            self.kept.append(record)
        self._set(record, self._rows(record.table, record.account).set(record.key, record))
        self.changes[record.table, record.account, record.key] = record

    def delete(self, record: Record) -> None:
        """Let the account have no record with the table and key of this one."""
        rows = self._rows(record.table, record.account)
        if record.key in rows:
            self._set(record, rows.delete(record.key))
        self.changes[record.table, record.account, record.key] = None

    def put_blob(self, name: str, body: bytes) -> None:
        """Keep a body under its name, which tells it from every other one."""
        self.blobs[name] = body

    def _set(self, record: Record, rows: Map[str, Record]) -> None:
        accounts = self._tables.get(record.table, Map()).set(record.account, rows)
        self._tables = self._tables.set(record.table, accounts)
