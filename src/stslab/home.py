"""The folder with stslab's state, which only its owner can read; and file locks.

``STSLAB_HOME`` names it; by default it is ``stslab`` under the XDG state folder. It may have
several embedded accounts: ``STSLAB_SANDBOX`` names one, if not the usual one is meant.
"""

import fcntl
import os
import re
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stslab.errors import StateFolderError, UsageError
from stslab.structures import beside, said

_OWNER_ONLY = 0o700
PAUSE = 0.02  # seconds between two looks at a lock
WRITABLE = (
    "Make the state folder writable and see that its disk is not full, or use another one:"
    " STSLAB_HOME=/some/folder stslab ..."
)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Home:
    """The state folder and the places in it. ``named`` is empty for the usual embedded account."""

    def __init__(self, root: Path, named: str = "") -> None:
        self.root, self.named = root, named
        self.target = f"sandbox-{named}" if named else "sandbox"  # of the embedded account's runs
        self.journal = root / "journal.sqlite"  # of all runs
        self.lock = root / "run.lock"  # held by the command that changes a run
        self.sandbox = self.account(self.target)

    def account(self, target: str) -> Path:
        """The folder of the embedded account whose runs have this target."""
        return self.root / target.replace("-", "/", 1)

    @property
    def has_journal(self) -> bool:
        """Whether there is a journal. StateFolderError: the folder can't be read."""
        with usable(self.root), suppress(FileNotFoundError):
            self.journal.stat()
            return True
        return False

    def enter_lesson(self, run: str) -> bool:
        """Note that this process walks a run with a learner; False if another one does already."""
        path = self.root / "lesson.lock"
        if (handle := lock(path)) is None:
            return path.read_text() != run
        os.ftruncate(handle, 0)
        os.pwrite(handle, run.encode(), 0)
        return True

    def profiles(self, target: str) -> Path:
        """The folder with ``credentials`` and ``config`` for one target."""
        return self.root / "profiles" / target


def location() -> Home:
    """The state folder that the environment names, which may not exist yet; or UsageError."""
    root, account = os.environ.get("STSLAB_HOME"), os.environ.get("STSLAB_SANDBOX", "")
    if account and not _NAME.fullmatch(account):
        fix = "Use up to 32 lower-case letters, digits and hyphens (STSLAB_SANDBOX, or --name)."
        raise UsageError(f"{account!r} can't be the name of an embedded account.", fix)
    if root:
        return Home(expanded(root), account)
    from platformdirs import user_state_path

    return Home(user_state_path("stslab", appauthor=False), account)


def home() -> Home:
    """As ``location``; StateFolderError if another user can have put files or links into it."""
    place = location()
    for folder, folders, files in os.walk(place.root):
        try:
            status = Path(folder).stat()
        except FileNotFoundError:  # another process removed it
            continue
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            names = {"folder": folder, "quoted": shlex.quote(folder)}
            raise StateFolderError(*said(beside(__file__, "home.yaml"), "others", **names))
        for name in (*folders, *files):
            found = Path(folder) / name
            if found.is_symlink() or found.is_fifo():
                kind = "symbolic link" if found.is_symlink() else "pipe"
                names = {"kind": kind, "found": str(found)}
                raise StateFolderError(*said(beside(__file__, "home.yaml"), "link", **names))
    return place


def expanded(path: str | Path) -> Path:
    """The absolute path; ``~`` is expanded, unless there is no such user."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - Path's own raises


def private_folder(path: Path) -> Path:
    """Create it if needed, with mode 0700. StateFolderError: it can't be created or read."""
    with usable(path):
        for missing in [one for one in reversed(path.parents) if not one.exists()]:
            missing.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        path.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(_OWNER_ONLY)
    return path


@contextmanager
def in_the_place_of(path: Path) -> Iterator[Path]:
    """A new file (mode 0600) in the same folder, which replaces ``path`` once it is written."""
    import tempfile  # slow

    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def lock(path: Path) -> int | None:
    """Lock the file until the process ends; its descriptor, or None if another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock_within(path: Path, seconds: float) -> int | None:
    """As ``lock``, but wait up to so many seconds for the other process."""
    deadline = time.monotonic() + seconds
    while (descriptor := lock(path)) is None and time.monotonic() < deadline:
        time.sleep(PAUSE)
    return descriptor


def is_locked(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def usable(path: Path, what: str = "The state folder") -> Iterator[None]:
    """Raise :func:`unusable` if ``path``, or something in it, can't be read or written."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(path, error, what) from error


def unusable(
    path: Path, error: OSError | UnicodeDecodeError, what: str = "The state folder"
) -> StateFolderError:
    why = getattr(error, "strerror", None) or error
    return StateFolderError(f"{what} {path} can't be used: {why}.", WRITABLE)
