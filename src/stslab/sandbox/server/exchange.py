"""Export and import of embedded accounts, as files in the format of ``state.archive``.

An imported account gets a new instance id, so that runs of the one it replaced know that their
things are gone.
"""

import tempfile
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.home import in_the_place_of, private_folder
from stslab.sandbox.pipeline.accounts import new_instance
from stslab.sandbox.server import client
from stslab.sandbox.server.files import ACCOUNT_FILE, Files
from stslab.sandbox.state import archive, store


def has_account(folder: Path) -> bool:
    return Files(folder).account.exists()


def export(folder: Path, path: Path) -> None:
    """Write the account, as it is saved now, to ``path``. Requests to it don't wait."""
    account = Files(folder).account
    if not account.exists():
        raise SandboxError("There is no account yet to export.", "Make one: stslab sandbox start")
    with in_the_place_of(path) as temporary, store.opened(account) as (saved, body):
        archive.write(temporary, saved, body)


def put_in(folder: Path, read: archive.Archive, *, renamed: bool = True) -> client.Endpoint:
    """Replace the account of this folder with one from an archive, and start it.

    Unless ``renamed``, it keeps its instance id, so runs made in it can go on. If the new
    account can't be opened, the old one is put back. SandboxError says so.
    """
    private_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as aside:
        new, old = Path(aside) / "new.sqlite", Path(aside) / "old"
        old.mkdir()
        _write(new, read, renamed=renamed)
        with client.starting(folder):
            client.stop(folder)
            _move(folder, old)
            new.replace(Files(folder).account)
        try:
            return client.ensure(folder)
        except BaseException as error:
            with client.starting(folder):
                client.stop(folder)
                _move(folder, Path(aside))
                _move(old, folder)
            if not isinstance(error, SandboxError):
                raise
            raise SandboxError(
                f"The account can't be opened: {error.message}", "The previous account is back."
            ) from error


def _write(path: Path, read: archive.Archive, *, renamed: bool) -> None:
    settings = read.account.settings
    settings = replace(settings, instance=new_instance()) if renamed else settings
    records = (*read.account.records(), settings)
    with closing(store.Store(path)) as new:
        for name, body in read.bodies():
            new.save({}, {name: body})
        new.save({one.address: one for one in records}, {})


def _move(source: Path, target: Path) -> None:
    for file in source.glob(f"{ACCOUNT_FILE}*"):
        file.replace(target / file.name)
