"""One at a time: the lock that a command holds while it changes a run.

The lock is the kernel's (flock), so it ends with its process, however that ends. The
file's text only tells who holds it.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stslab.errors import RunInProgress, StateFolderError
from stslab.home import Home, private_folder

_MOST = 4096


@contextmanager
def held(home: Home, command: str = "") -> Iterator[None]:
    """Hold the state folder's lock; ``command`` tells others what is going on.

    Raises:
        RunInProgress: another process holds it; the message says which and since when.
        StateFolderError: the lock's file can't be made.
    """
    private_folder(home.root)
    handle = _open(home.lock)
    try:
        _take(handle, home.lock)
        _sign(handle, command or " ".join(["stslab", *sys.argv[1:2]]))
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def holder(home: Home) -> str:
    """Who holds the state folder's lock, in words; nothing where nobody does. Takes nothing."""
    if not home.lock.is_file():
        return ""
    handle = _open(home.lock)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(handle)
    finally:
        os.close(handle)
    return ""


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateFolderError(
            f"The lock {path} can't be opened: {error.strerror or error}.",
            "Make the state folder writable, or name another one in STSLAB_HOME.",
        ) from error


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunInProgress(
            f"Another stslab is at work on {path.parent}: {_holder(handle)}.",
            "Wait until it has ended, or end it, and try again.",
        ) from error


def _sign(handle: int, command: str) -> None:
    note = {
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(note).encode(), 0)


def _holder(handle: int) -> str:
    try:
        note = json.loads(os.pread(handle, _MOST, 0))
        return f"`{note['command']}`, process {note['pid']}, since {note['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said who it is"
