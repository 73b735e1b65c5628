"""Changes that are made together or not at all."""

from collections.abc import Iterable, Mapping

from immutables import Map

from stslab.sandbox.state.record import Record
from stslab.sandbox.state.snapshot import Snapshot, View

Address = tuple[str, str, str]
"""The table, the account and the key of a record."""


class Transaction(View):
    """A snapshot and what is changed in it. It reads as a snapshot, its own changes included.

    ``put`` and ``delete`` are the only ways to change the account. Nobody else sees a change
    before the transaction is committed; one that is dropped leaves no trace. A transaction
    that nobody commits is a fork: what would be if.
    """

    def __init__(self, start: View) -> None:
        super().__init__(start._tables)  # noqa: SLF001 - a transaction is a snapshot that changes
        self._changes: dict[Address, Record | None] = {}
        self._blobs: dict[str, bytes] = {}
        self._kept: list[Record] = []

    @property
    def snapshot(self) -> Snapshot:
        """Everything as this transaction has it now."""
        return Snapshot(self._tables)

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
        self._set(record, self._rows(record.table, record.account).set(record.key, record))
        self._changes[record.table, record.account, record.key] = record

    def delete(self, record: Record) -> None:
        """Let the account have no record with the table and key of this one."""
        rows = self._rows(record.table, record.account)
        if record.key in rows:
            self._set(record, rows.delete(record.key))
        self._changes[record.table, record.account, record.key] = None

    def put_blob(self, name: str, body: bytes) -> None:
        """Keep a body under its name, which tells it from every other one."""
        self._blobs[name] = body

    def _set(self, record: Record, rows: Map[str, Record]) -> None:
        accounts = self._tables.get(record.table, Map()).set(record.account, rows)
        self._tables = self._tables.set(record.table, accounts)
