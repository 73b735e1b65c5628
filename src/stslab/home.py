"""Where stslab keeps its state: one folder, readable by its owner alone.

``STSLAB_HOME`` names it; otherwise it is ``stslab`` under the XDG state folder. It may hold several
embedded accounts: ``STSLAB_SANDBOX`` names the one that is meant, if not the usual one.
"""

import errno
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stslab.errors import StateFolderError, UsageError

_OWNER_ONLY = 0o700
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder and the places in it. ``named`` is empty for the usual embedded account."""

    root: Path
    named: str = ""

    @property
    def journal(self) -> Path:
        """The SQLite file that remembers every run."""
        return self.root / "journal.sqlite"

    @property
    def has_journal(self) -> bool:
        """Whether there is a journal. StateFolderError: the folder can't be entered."""
        try:
            mode = self.root.stat().st_mode
            if not stat.S_ISDIR(mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self.journal.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unusable(self.root, error) from error
        return True

    @property
    def lock(self) -> Path:
        """The file whose lock a command holds while it changes a run."""
        return self.root / "run.lock"

    @property
    def sandbox(self) -> Path:
        """The embedded account's own folder."""
        return self.root / "sandbox" / self.named

    def profiles(self, target: str) -> Path:
        """The folder that holds ``credentials`` and ``config`` for one target."""
        return self.root / "profiles" / target


def home() -> Home:
    """The state folder that the environment names, which may not exist yet.

    UsageError: the environment names an embedded account as none can be named. StateFolderError:
    others can write to it, or there are symbolic links in it.
    """
    found = location()
    _refuse_planted(found.root)
    return found


def location() -> Home:
    """Where the state folder is; see :func:`home`. Nobody has looked at it."""
    root, account = os.environ.get("STSLAB_HOME"), os.environ.get("STSLAB_SANDBOX", "")
    if account and not _NAME.fullmatch(account):
        fix = "A name (STSLAB_SANDBOX, or --name) has small letters, digits and hyphens: up to 32."
        raise UsageError(f"{account!r} can't name an embedded account.", fix)
    if root:
        return Home(Path(root).expanduser().absolute(), account)
    from platformdirs import user_state_path

    return Home(user_state_path("stslab", appauthor=False), account)


def _refuse_planted(root: Path) -> None:
    """Refuse a folder in which somebody else can have put something for us to follow."""
    for folder, folders, files in os.walk(root):
        try:
            told = Path(folder).stat()
        except FileNotFoundError:  # another process removed it
            continue
        if told.st_uid != os.geteuid() or told.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StateFolderError(
                f"The state folder {folder} can't be trusted: it is another user's, or others can"
                " write to it.",
                f"Look at what is in it, and `chmod go-w {folder}`; or name a folder of your own:"
                " STSLAB_HOME=/some/folder stslab ...",
            )
        for name in (*folders, *files):
            link = Path(folder) / name
            if link.is_symlink():
                raise StateFolderError(
                    f"There is a symbolic link in the state folder: {link}. stslab makes none.",
                    f"Remove it: rm {link}",
                )


def config_file() -> Path:
    """The file of the user's own settings, which may not exist: stslab never writes it.

    ``config.toml`` under the XDG config folder, or what ``STSLAB_CONFIG`` names.
    """
    named = os.environ.get("STSLAB_CONFIG")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_config_path

    return user_config_path("stslab", appauthor=False) / "config.toml"


def private_folder(path: Path) -> Path:
    """Make it if need be, for its owner alone. StateFolderError: it can't be made or entered."""
    try:
        for missing in [one for one in reversed(path.parents) if not one.exists()]:
            missing.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        path.mkdir(mode=_OWNER_ONLY, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(_OWNER_ONLY)
    except OSError as error:
        raise unusable(path, error) from error
    return path


@contextmanager
def in_the_place_of(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` that only its owner reads; it takes its place once written."""
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
    """Take the file's lock and return its descriptor; None where another process has it.

    The lock is the kernel's (flock): it ends with its process, however that ends.

    OSError: the file can't be made or opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether some process holds the file's lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def unusable(path: Path, error: OSError) -> StateFolderError:
    """What to say when the state folder, or something in it, can't be read or written."""
    return StateFolderError(
        f"The state folder {path} can't be used: {error.strerror or error}.",
        "Make it writable, or name another one: STSLAB_HOME=/some/folder stslab ...",
    )
