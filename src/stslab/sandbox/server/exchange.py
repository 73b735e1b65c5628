"""Accounts as files that can be handed out: taken from a sandbox, and put into another.

A file is the account's own SQLite database, whole and consistent, in one file that only its
owner reads. An account that is put in gets an instance id of its own, so runs that were made
in what was there before know that their things are gone; all else stays, its keys too.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from stslab.errors import SandboxError
from stslab.home import private_folder
from stslab.sandbox.server import client
from stslab.sandbox.server.files import Files

if TYPE_CHECKING:
    from stslab.sandbox.saved.persistence.inspection import Thing

_HEADER = ("part", "", "header")


def has_account(folder: Path) -> bool:
    """Whether the sandbox of this folder has an account, running or not."""
    return Files(folder).account.exists()


def export(folder: Path, path: Path) -> None:
    """Write the account, as it is saved at this moment, to ``path``; nobody is kept waiting.

    Raises:
        SandboxError: there is no account, or it can't be read or written.
    """
    account = Files(folder).account
    if not account.exists():
        raise SandboxError("There is no account yet to export.", "Make one: stslab sandbox start")
    with _in_the_place_of(path) as temporary:
        try:
            location = f"file:{quote(str(account))}?mode=rw"
            with closing(sqlite3.connect(location, uri=True, timeout=30)) as connection:
                connection.execute("VACUUM INTO ?", (str(temporary),))
        except sqlite3.Error as error:
            raise SandboxError(f"The account can't be exported to {path}: {error}.") from error


def read(path: Path) -> list[Thing]:
    """All that is in an exported account, looked through.

    Raises:
        SandboxError: it is no account, or is damaged, hostile, too large, of another version.
    """
    from stslab.sandbox.saved.persistence import inspection
    from stslab.sandbox.saved.persistence.memory import stamps

    return inspection.things(path, stamps())


def put_in(folder: Path, things: list[Thing]) -> client.Endpoint:
    """Replace the account of this folder by the one that :func:`read` gave, and start it.

    The account that was there is put back if the new one can't be opened.

    Raises:
        SandboxError: it can't be opened, or the sandbox can't be stopped or started.
    """
    private_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as aside:
        new, old = Path(aside) / "new.sqlite", Path(aside) / "old"
        old.mkdir()
        _write(new, things)
        with client.starting(folder):
            client.stop(folder)
            _move(folder, old)
            new.replace(Files(folder).account)
        try:
            return client.ensure(folder)
        except SandboxError as error:
            _put_back(folder, old)
            raise SandboxError(
                f"The account can't be opened: {error.message}", "The one before is back."
            ) from error
        except BaseException:
            _put_back(folder, old)
            raise


def _put_back(folder: Path, old: Path) -> None:
    with client.starting(folder):
        client.stop(folder)
        _remove(folder)
        _move(old, folder)


def _write(path: Path, things: list[Thing]) -> None:
    from stslab.sandbox.saved.persistence.memory import stamps
    from stslab.sandbox.saved.persistence.store import Store

    store = Store(path, stamps())
    try:
        store.save((address, _renamed(address, body)) for address, body in things)
    finally:
        store.close()


def _renamed(address: tuple[str, str, str], body: bytes) -> bytes:
    """The thing; of the account's header, with another instance id."""
    if address != _HEADER:
        return body
    from stslab.sandbox.saved.account import Header
    from stslab.sandbox.saved.persistence import moto_things, pickles

    kind, rest, tables = pickles.loads(body, moto_things.find)
    if kind is not Header or not isinstance(rest, dict):
        raise SandboxError("The file holds no whole account.", "Export the account again.")
    renamed = {**rest, "instance": uuid.uuid4().hex[:12]}
    return pickles.dumps((kind, renamed, tables), moto_things.refer)


def _move(source: Path, target: Path) -> None:
    """Move an account's file, with the files that SQLite may have left beside it."""
    for file in source.glob(f"{Files(source).account.name}*"):
        file.replace(target / file.name)


def _remove(folder: Path) -> None:
    for file in folder.glob(f"{Files(folder).account.name}*"):
        file.unlink()


@contextmanager
def _in_the_place_of(path: Path) -> Iterator[Path]:
    """A new private file beside ``path`` that takes its place when it is whole.

    Raises:
        SandboxError: it can't be written.
    """
    try:
        aside = tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")  # 0700, as mkdtemp does
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        temporary = Path(aside) / "account"
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> SandboxError:
    return SandboxError(f"{path} can't be written: {error.strerror or error}.")
