"""The account's state as it is now, and the one way to change it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from stslab.sandbox.state import traces
from stslab.sandbox.state.snapshot import Record, Snapshot, Transaction, View
from stslab.sandbox.state.store import Store

Watcher = Callable[[Snapshot, Snapshot], None]


class Closed(Exception):  # noqa: N818 - what became of the account; nobody made an error
    """The account was begun anew, or its process ends: nothing can be changed any more."""


class Busy(Exception):  # noqa: N818 - another transaction goes on
    """Another transaction goes on, and this one was not to wait for it."""


class State:
    """The newest snapshot, and the store that keeps it.

    Reading takes no lock: whoever reads ``snapshot`` once has all of one moment. Transactions
    follow one another. What one changed is in the store before it ends, and then in the
    snapshot; where the store can't save it, neither has it.
    """

    def __init__(self, start: Snapshot, store: Store | None = None) -> None:
        self._snapshot = start
        self._store = store
        self._turn = threading.RLock()
        self._open = False
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
        """Call ``watcher`` after each change (of these kinds); call the answer to end that."""
        watching = watcher, kinds
        self._watchers.append(watching)
        return lambda: self._watchers.remove(watching)

    @contextmanager
    def writing(self, view: View, by: str) -> Iterator[Transaction]:
        """A transaction in the name of an access key; or ``view`` itself, where that is a fork."""
        if isinstance(view, Transaction):
            yield view
            return
        with self.transaction() as tx:
            tx.by = by
            yield tx

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Iterator[Transaction]:
        """A transaction, which is committed where the block ends without an exception.

        ``wait``: until no other one goes on; else that is Busy. What can't be saved (OSError,
        sqlite3.Error) has not happened.
        """
        if not self._turn.acquire(blocking=wait):
            raise Busy
        begun = False
        try:
            if self._open:
                raise RuntimeError("a transaction inside a transaction")
            if self._closed:
                raise Closed
            begun = self._open = True
            changing = Transaction(self._snapshot)
            try:
                yield changing
            except BaseException:
                kept = Transaction(self._snapshot)
                for record in changing.kept:
                    kept.put(record)
                self._commit(kept)
                raise
            self._commit(changing)
        finally:
            self._open = self._open and not begun
            self._turn.release()

    def close(self) -> None:
        """Let the transaction that goes on end, and no other begin."""
        with self._turn:
            self._closed = True

    def unsaved(self) -> list[str]:
        """The addresses of records that the store has otherwise: none, or something is wrong."""
        if self._store is None:
            return []
        with self._turn:
            saved, now = self._store.load(), self._snapshot
        differing = [one.before or one.after for one in saved.differences(now)]
        return sorted(f"{one.table}:{one.account}:{one.key}" for one in differing if one)

    def _commit(self, changing: Transaction) -> None:
        if not changing.changes:
            return
        traces.note(self._snapshot, changing)
        if self._store is None:
            self._blobs.update(changing.blobs)
        else:
            self._store.save(changing.changes, changing.blobs)
        before, self._snapshot = self._snapshot, changing.snapshot
        for watcher, kinds in tuple(self._watchers):
            if not kinds or not all(before.shares(self._snapshot, kind) for kind in kinds):
                watcher(before, self._snapshot)
