"""The lock that a command holds while it changes a run: one at a time."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from stslab.errors import JournalError
from stslab.home import Home, lock_within, private_folder, usable

# Seconds. A lesson that waits for its learner takes the lock now and then for a moment;
# a command in another terminal waits for that.
_AT_FIRST, _AFTERWARDS = 5.0, 30.0


class Held:
    """The state folder's lock, in a ``with``. ``command`` is shown to those who wait for it.

    JournalError: another process holds it. StateFolderError: the lock file can't be made.
    """

    def __init__(self, home: Home, command: str) -> None:
        self._path, self._command = home.lock, command
        self._handle: int | None = None
        private_folder(home.root)

    def __enter__(self) -> Self:
        self._take(_AT_FIRST)
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Release the lock inside; then wait up to 30 s for it."""
        self._release()
        yield
        self._take(_AFTERWARDS)

    def _take(self, patience: float) -> None:
        with usable(self._path, "The lock"):
            self._handle = handle = lock_within(self._path, patience)
        if handle is None:
            message = f"Another stslab is using {self._path.parent}: {holder(self._path)}."
            raise JournalError(message, "Wait until it has ended, or end it, and try again.")
        since = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"pid": os.getpid(), "since": since, "command": self._command}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(note).encode(), 0)

    def _release(self) -> None:
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None


def holder(path: Path) -> str:
    """The holder of the lock in words, as the lock's file says."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(path.read_bytes())
        return f"`{note['command']}`, process {note['pid']}, since {note['since']}"
    return "an unknown process"
