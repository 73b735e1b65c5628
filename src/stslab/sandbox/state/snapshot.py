"""Records, immutable snapshots of all of them, and transactions that change a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, cast

import msgspec
from immutables import Map

Moment = Annotated[datetime, msgspec.Meta(tz=True)]  # an aware time, in UTC
MOST_CLOCK = 3650 * 24 * 3600  # by how many seconds the clock may be off: ten years
Address = tuple[str, str, str]  # the table, the account and the key of a record
TABLES: dict[str, type[Record]] = {}  # each class of records, by the name of its table


class Opaque(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base class for parts of a record whose values may be secret."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base class of all things in an account. A change makes a new record.

    ``account`` is the account's id, or empty for a record that belongs to no account. New members
    have a default, so that older rows can be read. Mappings in a record must not be changed.
    """

    account: str
    table: ClassVar[str] = ""
    keyed_by: ClassVar[tuple[str, ...]] = ()

    @property
    def key(self) -> str:
        """The key of this record, unique in its table and account."""
        return "/".join([str(getattr(self, member)) for member in self.keyed_by])

    @property
    def address(self) -> Address:
        return self.table, self.account, self.key

    def __repr__(self) -> str:  # the values may be secret
        return f"<{self.table} {self.account}/{self.key}>"


R = TypeVar("R", bound=Record)


def stored(table: str, *by: str) -> Callable[[type[R]], type[R]]:
    """Name the table of a class of records, and the members that make the key of each."""

    def register(kind: type[R]) -> type[R]:
        kind.table, kind.keyed_by = table, by
        TABLES[table] = kind
        return kind

    return register


class Named(Record, frozen=True, kw_only=True):
    """Base class of IAM's things with a name. Names ignore case, so the key is in lower case."""

    named: ClassVar[str] = ""  # the type in its ARN, if that is not the table's name
    name: str
    path: str = "/"
    unique_id: str  # which stays when the name changes, and is never reused
    created: Moment
    tags: Mapping[str, str] = {}  # groups have none

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.named or self.table}{self.path}{self.name}"


@stored("settings")
class Settings(Record, frozen=True, kw_only=True):
    """The settings of the embedded account, in a single record."""

    account: str = ""
    instance: str = ""  # a new id after each reset
    # The seconds by which the clock is ahead.
    clock_offset: Annotated[float, msgspec.Meta(ge=-MOST_CLOCK, le=MOST_CLOCK)] = 0.0
    rehearsal: str = ""  # the settings of the active one


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
    """The last credential report; ``text`` is CSV."""

    generated: Moment
    text: str


@stored("account")
class Account(Record, frozen=True, kw_only=True):
    account: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]
    name: str
    canonical_id: str  # its id in S3's access control lists
    alias: str = ""
    password_policy: PasswordPolicy | None = None
    credential_report: CredentialReport | None = None

    @property
    def root_arn(self) -> str:
        """The ARN of the root user, by which policies also name the account."""
        return f"arn:aws:iam::{self.account}:root"


_Rows = Map[str, Record]
_Tables = Map[str, Map[str, _Rows]]
_NONE: Map[str, Any] = Map()


class View:
    """Read access to all records: a snapshot, or a transaction with its changes."""

    __slots__ = ("_tables",)

    def __init__(self, tables: _Tables = _NONE) -> None:
        self._tables = tables

    def get(self, kind: type[R], account: str, key: str) -> R | None:
        return cast("R | None", self._rows(kind.table, account).get(key))

    def record(self, address: Address) -> Record | None:
        table, account, key = address
        return self._rows(table, account).get(key)

    def all(self, kind: type[R], account: str) -> Iterable[R]:
        """The records of this kind in the account, in any order."""
        return cast("Iterable[R]", self._rows(kind.table, account).values())

    def everywhere(self, kind: type[R]) -> Iterator[R]:
        """The records of this kind in all accounts, in any order."""
        for rows in self._tables.get(kind.table, _NONE).values():
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
        return self._tables.get(table, _NONE).get(account, _NONE)


class Difference(NamedTuple):
    """One record that differs between two snapshots; None if a snapshot does not have it."""

    before: Record | None
    after: Record | None


class Snapshot(View):
    """All records at one moment. Snapshots share what they have in common, so each costs little."""

    __slots__ = ()

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
        """Whether both share the table of this kind, and so have the same records in it."""
        return self._tables.get(kind.table) is other._tables.get(kind.table)

    def differences(self, later: Snapshot) -> Iterator[Difference]:
        """The records that differ. Shared tables cost nothing."""
        ours, theirs = self._tables, later._tables
        for table in {*ours, *theirs}:
            before, after = ours.get(table, _NONE), theirs.get(table, _NONE)
            for account in {*before, *after} if before is not after else ():
                old, new = before.get(account, _NONE), after.get(account, _NONE)
                for key in {*old, *new} if old is not new else ():
                    was, now = old.get(key), new.get(key)
                    if now is not was and now != was:
                        yield Difference(was, now)


class Transaction(View):
    """A snapshot with changes, which it has when it is read.

    ``put`` and ``delete`` are the only ways to change the account. One that is never committed is
    a fork, to try a change. ``by`` is the access key of the caller.
    """

    def __init__(self, start: View, by: str = "") -> None:
        super().__init__(start._tables)  # noqa: SLF001 - a transaction is a snapshot that changes
        self.by = by
        self.changes: dict[Address, Record | None] = {}  # None if the record was deleted
        self.blobs: dict[str, bytes] = {}  # new bodies of objects by name
        self.kept: list[Record] = []  # what is saved even if the transaction fails

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self._tables)

    def put(self, record: Record, *, always: bool = False) -> None:
        """Add or replace a record; ``always``: even if the transaction fails (an MFA code)."""
        if always:
            self.kept.append(record)
        self._set(record, self._rows(record.table, record.account).set(record.key, record))
        self.changes[record.address] = record

    def delete(self, record: Record) -> None:
        """Delete the record with the table and key of this one, if it exists."""
        rows = self._rows(record.table, record.account)
        if record.key in rows:
            self._set(record, rows.delete(record.key))
        self.changes[record.address] = None

    def _set(self, record: Record, rows: Map[str, Record]) -> None:
        accounts = self._tables.get(record.table, _NONE).set(record.account, rows)
        self._tables = self._tables.set(record.table, accounts)
