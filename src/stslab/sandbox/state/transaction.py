"""Changes that are made together or not at all."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from stslab.sandbox.state.record import Record
from stslab.sandbox.state.settings import Settings
from stslab.sandbox.state.snapshot import Snapshot

R = TypeVar("R", bound=Record)
Address = tuple[str, str, str]
"""The table, the account and the key of a record."""


class Transaction:
    """A snapshot and what is changed in it. It reads as a snapshot, its own changes included.

    ``put`` and ``delete`` are the only ways to change the account. Nobody else sees a change
    before the transaction is committed; one that is dropped leaves no trace. A transaction
    that nobody commits is a fork: what would be if.
    """

    def __init__(self, start: Snapshot) -> None:
        self._snapshot = start
        self._changes: dict[Address, Record | None] = {}
        self._blobs: dict[str, bytes] = {}
        self._kept: list[Record] = []

    @property
    def snapshot(self) -> Snapshot:
        """Everything as this transaction has it now."""
        return self._snapshot

    @property
    def changes(self) -> Mapping[Address, Record | None]:
        """What was put, by its address; None for what was deleted."""
        return self._changes

    @property
    def blobs(self) -> Mapping[str, bytes]:
        """The new bodies of objects, by the name that records have for them."""
        return self._blobs

    @property
    def kept(self) -> Iterable[Record]:
        """What is saved even where the transaction is given up."""
        return self._kept

    def put(self, record: Record, *, always: bool = False) -> None:
        """Let the account have this record, in place of any with its table and key.

        ``always``: even where the transaction is given up, as an MFA code is spent by a call
        that is refused.
        """
        if always:
            self._kept.append(record)
        self._snapshot = self._snapshot.with_record(record)
        self._changes[record.table, record.account, record.key] = record

    def delete(self, record: Record) -> None:
        """Let the account have no record with the table and key of this one."""
        self._snapshot = self._snapshot.without(record)
        self._changes[record.table, record.account, record.key] = None

    def put_blob(self, name: str, body: bytes) -> None:
        """Keep a body under its name, which tells it from every other one."""
        self._blobs[name] = body

    def get(self, kind: type[R], account: str, key: str) -> R | None:
        """The record of this kind and key in the account, or None."""
        return self._snapshot.get(kind, account, key)

    def all(self, kind: type[R], account: str) -> Iterable[R]:
        """The records of this kind in the account, in no order."""
        return self._snapshot.all(kind, account)

    def everywhere(self, kind: type[R]) -> Iterator[R]:
        """The records of this kind in all accounts, in no order."""
        return self._snapshot.everywhere(kind)

    def count(self, kind: type[Record], account: str) -> int:
        """How many records of this kind the account has."""
        return self._snapshot.count(kind, account)

    @property
    def settings(self) -> Settings:
        """What belongs to no account."""
        return self._snapshot.settings

    def now(self) -> datetime:
        """The account's clock: aware, UTC."""
        return self._snapshot.now()
