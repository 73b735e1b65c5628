"""The lock that a command holds while it changes a run: one at a time.

The lock file's text only describes the holder.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stslab.errors import RunInProgress, StateFolderError
from stslab.home import Home, is_locked, lock, private_folder

_MOST = 4096
# Seconds. A lesson that waits for its learner takes the lock now and then for a moment;
# a command in another terminal waits for that.
_AT_FIRST, _AFTERWARDS, _PAUSE = 5.0, 30.0, 0.05


class Held:
    """The state folder's lock. It is released while the run waits for the learner."""

    def __init__(self, home: Home, command: str) -> None:
        self._path = home.lock
        self._command = command
        self._handle: int | None = None
        private_folder(home.root)

    def take(self, patience: float | None = None) -> None:
        """Take the lock; wait ``patience`` seconds for its holder. Raises as :func:`held`."""
        until = time.monotonic() + (_AT_FIRST if patience is None else patience)
        while self._handle is None:
            try:
                self._handle = _take(self._path)
            except RunInProgress:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        note = {"pid": os.getpid(), "since": since, "command": self._command}
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, json.dumps(note).encode(), 0)

    def release(self) -> None:
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Release the lock inside; then wait up to 30 s for it. Raises as :func:`held`."""
        self.release()
        yield
        self.take(_AFTERWARDS)


@contextmanager
def held(home: Home, command: str = "") -> Iterator[Held]:
    """Hold the state folder's lock. ``command`` is shown to those who wait for it.

    Raises:
        RunInProgress: Another process holds it; the message says which, and since when.
        StateFolderError: The lock file can't be made.
    """
    lock = Held(home, command or " ".join(["stslab", *sys.argv[1:2]]))
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


def holder(home: Home) -> str:
    """The holder of the state folder's lock in words, or ""."""
    return _holder(home.lock) if is_locked(home.lock) else ""


def _take(path: Path) -> int:
    try:
        handle = lock(path)
    except OSError as error:
        raise StateFolderError(
            f"The lock {path} can't be opened: {error.strerror or error}.",
            "Make the state folder writable, or name another one in STSLAB_HOME.",
        ) from error
    if handle is None:
        raise RunInProgress(
            f"Another stslab is using {path.parent}: {_holder(path)}.",
            "Wait until it has ended, or end it, and try again.",
        )
    return handle


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_bytes()[:_MOST])
        return f"`{note['command']}`, process {note['pid']}, since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown process"
