"""Everything that the account knows at one moment, as a value: records, and views of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, cast

import msgspec
from immutables import Map

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone, which is UTC: two of them can be compared."""
TABLES: dict[str, type[Record]] = {}
"""Every kind of record by the name that its rows have."""


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a record. It shows none of its values, which may be secret."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing in one account: a value that never changes. A change is another record.

    A subclass names its ``table``, which is the name of its rows, and the member that its
    records in one account are ``keyed_by``, where there are several. ``account`` is the account's
    id, or empty for what belongs to no account. Members with a default may be added later: a row
    without them can still be read. Mappings in a record are read, never changed.
    """

    account: str
    table: ClassVar[str] = ""
    keyed_by: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.table:
            TABLES[cls.table] = cls

    @property
    def key(self) -> str:
        """What tells this record from the others of its table and account."""
        return str(getattr(self, self.keyed_by)) if self.keyed_by else ""

    def __repr__(self) -> str:
        """Name the record and nothing in it, which may be secret."""
        return f"<{self.table} {self.account}/{self.key}>"

    def __rich_repr__(self) -> Any:
        yield self.account
        yield self.key


class Named(Record, frozen=True, kw_only=True):
    """What IAM calls by a name. Names differ by more than case: the key is in lower case.

    ``unique_id`` stays when the name changes, and never comes again. A group never has ``tags``.
    """

    named: ClassVar[str] = ""
    """What its ARN calls it, if not by its table."""

    name: str
    path: str = "/"
    unique_id: str
    created: Moment
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.named or self.table}{self.path}{self.name}"


class Settings(Record, frozen=True, kw_only=True):
    """What belongs to no account. There is one record of it.

    ``instance`` is another one after each reset. ``clock_offset`` are the seconds by which the
    clock is ahead. ``rehearsal`` describes the rehearsal that goes on, or is empty.
    """

    table: ClassVar[str] = "settings"

    account: str = ""
    instance: str = ""
    clock_offset: float = 0.0
    rehearsal: str = ""


class PasswordPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules for the passwords of an account's users (IAM, UpdateAccountPasswordPolicy)."""

    minimum_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    may_change: bool = False
    max_age: int = 0
    reuse_prevention: int = 0
    hard_expiry: bool = False


class CredentialReport(msgspec.Struct, frozen=True):
    """The report that was generated last, as CSV."""

    generated: Moment
    text: str


class Account(Record, frozen=True, kw_only=True):
    """One AWS account. ``canonical_id`` is how S3's access control lists name it."""

    table: ClassVar[str] = "account"

    name: str
    canonical_id: str
    alias: str = ""
    password_policy: PasswordPolicy | None = None
    credential_report: CredentialReport | None = None

    @property
    def root_arn(self) -> str:
        """The ARN of the root user, which is also how policies name the account."""
        return f"arn:aws:iam::{self.account}:root"


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
    bodies of objects by their names. ``kept`` is saved even where the transaction is given up.
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

    def _set(self, record: Record, rows: Map[str, Record]) -> None:
        accounts = self._tables.get(record.table, Map()).set(record.account, rows)
        self._tables = self._tables.set(record.table, accounts)
