"""The account's current state, and the transactions that change it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime

from stslab.sandbox.state import traces
from stslab.sandbox.state.snapshot import Record, Snapshot, Transaction, View
from stslab.sandbox.state.store import Store

Watcher = Callable[[Snapshot, Snapshot], None]


class Closed(Exception):  # noqa: N818 - a state of the account, not an error
    """The account was reset or its process is ending, so it can't be changed any more."""


class Busy(Exception):  # noqa: N818 - a state of the account, not an error
    """Another transaction is open, and this one must not wait for it."""


class State:
    """The newest snapshot, which is read without a lock, and the store that saves it.

    Only one transaction is open at a time. Its changes are saved in the store, and then appear in
    the snapshot; if the store can't save them, neither has them.
    """

    def __init__(self, start: Snapshot, store: Store | None = None) -> None:
        self._snapshot = start
        self._store = store
        self._turn = threading.Lock()
        self._writer = 0  # the thread that has an open transaction
        self._closed = False
        self._watchers: list[tuple[Watcher, tuple[type[Record], ...]]] = []
        self._blobs: dict[str, bytes] = {}

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    def now(self) -> datetime:
        return self._snapshot.now()

    def blob(self, name: str) -> bytes:
        return self._blobs[name] if self._store is None else self._store.blob(name)

    def watch(self, watcher: Watcher, *kinds: type[Record]) -> Callable[[], None]:
        """Call ``watcher`` after each change (of these kinds), until the result is called."""
        entry = watcher, kinds
        self._watchers.append(entry)
        return lambda: self._watchers.remove(entry)

    def writing(self, view: View, by: str) -> AbstractContextManager[Transaction]:
        """A transaction in the name of the access key ``by``; or ``view``, if that is a fork."""
        return nullcontext(view) if isinstance(view, Transaction) else self.transaction(by)

    @contextmanager
    def transaction(self, by: str = "", *, wait: bool = True) -> Iterator[Transaction]:
        """A transaction, which is committed if the block ends without an exception.

        ``wait`` until no other one is open, or else raise Busy. Raises Closed, and OSError or
        sqlite3.Error if the changes can't be saved; then nothing is changed.
        """
        if self._writer == threading.get_ident():
            raise RuntimeError("a transaction inside a transaction")
        if not self._turn.acquire(blocking=wait):
            raise Busy
        try:
            if self._closed:
                raise Closed
            self._writer = threading.get_ident()
            tx = Transaction(self._snapshot, by)
            try:
                yield tx
            except BaseException:
                kept = Transaction(self._snapshot)
                for record in tx.kept:
                    kept.put(record)
                self._commit(kept)
                raise
            self._commit(tx)
        finally:
            self._writer = 0
            self._turn.release()

    def close(self) -> None:
        """Wait for the open transaction to end, and refuse any other."""
        with self._turn:
            self._closed = True

    def unsaved(self) -> list[str]:
        """The addresses of records that differ from the store. Any such record is a defect."""
        if self._store is None:
            return []
        with self._turn:
            saved, now = self._store.load(), self._snapshot
        differing = [one.before or one.after for one in saved.differences(now)]
        return sorted(f"{one.table}:{one.account}:{one.key}" for one in differing if one)

    def _commit(self, tx: Transaction) -> None:
        if not tx.changes:
            return
        traces.note(self._snapshot, tx)
        if self._store is None:
            self._blobs.update(tx.blobs)
        else:
            self._store.save(tx.changes, tx.blobs)
        before, self._snapshot = self._snapshot, tx.snapshot
        for watcher, kinds in tuple(self._watchers):
            if not kinds or not all(before.shares(self._snapshot, kind) for kind in kinds):
                watcher(before, self._snapshot)
