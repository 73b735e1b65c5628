"""A set-up to hand out: an exported account with a run, its profiles and its lab."""

import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import msgspec
from msgspec.structs import asdict

from stslab.aws.profiles import ProfileFiles, require
from stslab.aws.target import SANDBOX
from stslab.cli.accounts import sandbox_target
from stslab.cli.workspace import current, lab_of
from stslab.errors import CredentialsError, InvalidLab, StslabError, UsageError
from stslab.home import Home, in_the_place_of, private_folder
from stslab.lab.loader import load
from stslab.resources import is_foreign, text_of
from stslab.runner.journal.past import read
from stslab.runner.journal.records import Link, Marked, RunRecord, first_broken
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Credentials
from stslab.runner.run.scope import configure
from stslab.sandbox.server import exchange
from stslab.sandbox.state import archive

_ACCOUNT, _RUN, _LAB = "account", "run.json", "lab/"
_FORMAT, _VERSION = "stslab set-up", 1
_MOST, _MOST_BESIDES = 64 << 20, 8 << 20  # bytes: of the file, and of it without the account
_NAME = re.compile(r"lab/(?!.*\.\.)[A-Za-z0-9_-][A-Za-z0-9_./-]{0,200}")
_SHORT = re.compile(rb"(?!PK\x06\x07).{20}PK\x05\x06.{10}\0\0.{4}\0\0", re.DOTALL)
"""The end of a zip file whose list of files has less than 64 KB. A long one takes long to read."""
_RUN_ID = re.compile(r"[a-z][a-z0-9]{7}")  # it names a folder
_DAMAGED = (OSError, EOFError, BadZipFile, zlib.error, ValueError, LookupError,
            RuntimeError, msgspec.MsgspecError, CredentialsError)  # fmt: skip
_HINT = "Export it again, or the account alone: stslab sandbox export FILE"


class _Run(archive.Header):
    run: str
    records: tuple[Link, ...]
    profiles: dict[str, Credentials]


def export(home: Home, run_id: str, path: Path) -> None:
    with Journal(home.journal) as journal:
        run, links = journal.run(run_id), journal.links(run_id)
        names = [profile.name for profile in journal.past(run_id).profiles()]
    if run is None or run.target != home.target:
        message = f"This embedded account has no run {run_id}."
        raise UsageError(message, "List the runs, each with its account: stslab status --all")
    files = ProfileFiles(home.profiles(run.target))
    profiles = {name: keys for name in names if (keys := files.get(name))}
    content = _Run(_FORMAT, _VERSION, run.id, links, profiles)
    with tempfile.TemporaryDirectory(dir=home.root, prefix=".export-") as aside:
        account = Path(aside) / "account"
        exchange.export(home.sandbox, account)
        with in_the_place_of(path) as whole:
            with ZipFile(whole, "w", ZIP_DEFLATED) as packed:
                packed.write(account, _ACCOUNT)
                packed.writestr(_RUN, msgspec.json.encode(content))
                for name, text in _files_of(Path(lab_of(run))):
                    packed.writestr(f"{_LAB}{name}", text)
            _read(whole)


def _files_of(lab: Path) -> Iterator[tuple[str, str]]:
    """A foreign lab's file, and the files of its folder that it includes."""
    with suppress(InvalidLab):  # an imported path must not export another file of this machine
        for file in (lab, *load(lab, catalogue=None).includes) if is_foreign(lab) else ():
            inside = file.resolve()
            if inside.is_relative_to(lab.resolve().parent):
                yield str(inside.relative_to(lab.resolve().parent)), text_of(inside)


def is_set_up(path: Path) -> bool:
    """Whether a file is a set-up, and not just an account."""
    with suppress(*_DAMAGED):
        if path.is_file():  # reading a pipe could wait forever
            with path.open("rb") as file:
                file.seek(-42, os.SEEK_END)
                return bool(_SHORT.fullmatch(file.read())) and _RUN in ZipFile(file).namelist()
    return False


def put_in(home: Home, path: Path) -> tuple[RunRecord, Path | None]:
    """Replace the embedded account by the set-up's, with its run, profiles and lab.

    Return the run, and its lab's file if it came along. StslabError: the set-up can't be used
    here, and nothing was changed.
    """
    given, files = _read(path)
    private_folder(home.root)
    with tempfile.TemporaryDirectory(prefix="stslab-import-") as aside:
        account = Path(aside) / "account"
        account.write_bytes(files.pop(_ACCOUNT))
        found = archive.read(account)
        with Journal(home.journal) as journal:
            if journal.run(given.run):
                fix = "Use another state folder for it: STSLAB_HOME=/some/folder stslab ..."
                raise UsageError(f"Run {given.run} exists here already.", fix)
            exchange.put_in(home.sandbox, found, renamed=False)
            journal.take_in(given.run, given.records)
            journal.write(given.run, Marked(journal.past(given.run).run().state, home.target))
            run = journal.past(given.run).run()
    own = sandbox_target(home).profiles(home.profiles(run.target))
    for name, held in given.profiles.items():
        own.save(name, held)
    lab = None
    for name, content in files.items():
        to = home.root / "labs" / run.id / name.removeprefix(_LAB)
        private_folder(to.parent)
        to.write_bytes(content)
        lab = to if to.name == Path(run.path).name else lab
    with suppress(StslabError), Journal(home.journal) as journal:
        here = current(journal, SANDBOX)
        configure(here.lab, own, here.scope)  # profiles that hold no keys
    return run, lab


def _read(path: Path) -> tuple[_Run, dict[str, bytes]]:
    """The run, and the other files by name. StslabError: it is not a set-up that can be used."""
    try:
        with ZipFile(path) as packed:
            files = dict(_unpacked(packed))
        text = files.pop(_RUN)
        archive.check_header(text, _FORMAT, _VERSION)
        given = msgspec.json.decode(text, type=_Run)
        for name, keys in given.profiles.items():
            require(name, asdict(keys))
        begun, *_ = [*(read(link).body for link in given.records), None]
    except _DAMAGED as error:
        raise StslabError(f"The set-up can't be used: {str(error).rstrip('.')}.", _HINT) from None
    ours = isinstance(begun, RunRecord) and (begun.id, begun.kind) == (given.run, SANDBOX)
    if first_broken(given.run, given.records) or not ours or not _RUN_ID.fullmatch(given.run):
        raise StslabError("The journal in the set-up was changed.", _HINT)
    return given, files


def _unpacked(packed: ZipFile) -> Iterator[tuple[str, bytes]]:
    entries, account = packed.infolist(), packed.getinfo(_ACCOUNT)
    size = sum(entry.file_size for entry in entries)
    if size > _MOST or size - account.file_size > _MOST_BESIDES:
        raise ValueError("it is larger than 64 MB, or than 8 MB without the account")
    paths = {PurePath(entry.filename) for entry in entries}
    if len(paths) < len(entries) or any(paths.intersection(path.parents) for path in paths):
        raise ValueError("one of its files is in the place of another")
    for entry in entries:
        named = entry.filename in (_ACCOUNT, _RUN) or _NAME.fullmatch(entry.filename)
        if not named or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise ValueError("it has files that no set-up has")
        with packed.open(entry) as file:  # which may hold more than it says
            yield entry.filename, file.read(entry.file_size)
