"""A set-up to hand out: an exported account with a run, its profiles and its lab."""

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import MsgspecError
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

_FORMAT, _VERSION = "stslab set-up", 1
_ACCOUNT, _RUN, _LAB = "account", "run.json", "lab/"
_MOST, _PACKED = 512 << 20, zipfile.ZIP_DEFLATED
_NAME = re.compile(r"lab/(?!.*\.\.)[A-Za-z0-9_-][A-Za-z0-9_./-]{0,200}")
_RUN_ID = re.compile(r"[a-z][a-z0-9]{7}")  # it names a folder
_DAMAGED = (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError,
            MsgspecError, CredentialsError)  # fmt: skip
_HINT = "Export it again: stslab sandbox export FILE --run ID"


def export(home: Home, run_id: str, path: Path) -> RunRecord:
    with Journal(home.journal) as journal:
        run, links = journal.run(run_id), journal.links(run_id)
        names = [profile.name for profile in journal.past(run_id).profiles()]
    if run is None or run.target != home.target:
        message = f"This embedded account has no run {run_id}."
        raise UsageError(message, "List the runs, each with its account: stslab status --all")
    files = ProfileFiles(home.profiles(run.target), region="")
    profiles = {name: asdict(keys) for name in names if (keys := files.get(name))}
    content = {"format": _FORMAT, "version": _VERSION, "run": run.id}
    content |= {"records": links, "profiles": profiles}
    with tempfile.TemporaryDirectory(dir=home.root, prefix=".export-") as aside:
        account = Path(aside) / "account"
        exchange.export(home.sandbox, account)
        with in_the_place_of(path) as whole, zipfile.ZipFile(whole, "w", _PACKED) as archive:
            archive.write(account, _ACCOUNT)
            archive.writestr(_RUN, json.dumps(content))
            for name, text in _files_of(Path(lab_of(run))):
                archive.writestr(f"{_LAB}{name}", text)
    return run


def _files_of(lab: Path) -> Iterator[tuple[str, str]]:
    """A foreign lab's file, and the files of its folder that it includes."""
    with suppress(InvalidLab):  # an imported path must not export another file of this machine
        for file in (lab, *load(lab, catalogue=None).includes) if is_foreign(lab) else ():
            inside = file.resolve()
            if inside.is_relative_to(lab.resolve().parent):
                yield str(inside.relative_to(lab.resolve().parent)), text_of(inside)


def is_set_up(path: Path) -> bool:
    """Whether a file is a set-up, and not just an account."""
    with suppress(OSError, zipfile.BadZipFile):
        if path.is_file():  # reading a pipe could wait forever
            with zipfile.ZipFile(path) as archive:
                return _RUN in archive.namelist()
    return False


def put_in(home: Home, path: Path) -> tuple[RunRecord, Path | None]:
    """Replace the embedded account by the set-up's, with its run, profiles and lab.

    Return the run, and its lab's file if it came along. StslabError: the set-up can't be used
    here, and nothing was changed.
    """
    run_id, links, profiles, files = _read(path)
    private_folder(home.root)
    with tempfile.TemporaryDirectory(prefix="stslab-import-") as aside:
        account = Path(aside) / "account"
        account.write_bytes(files.pop(_ACCOUNT))
        found = archive.read(account)
        with Journal(home.journal) as journal:
            if journal.run(run_id):
                fix = "Use another state folder for it: STSLAB_HOME=/some/folder stslab ..."
                raise UsageError(f"Run {run_id} exists here already.", fix)
            exchange.put_in(home.sandbox, found, renamed=False)
            journal.take_in(run_id, links)
            journal.write(run_id, Marked(journal.past(run_id).run().state, home.target))
            run = journal.past(run_id).run()
    made = sandbox_target(home)
    own = made.profiles(home.profiles(run.target))
    for name, held in profiles.items():
        own.save(name, held)
    lab = None
    for name, content in files.items():
        to = home.root / "labs" / run_id / name.removeprefix(_LAB)
        private_folder(to.parent)
        to.write_bytes(content)
        lab = to if to.name == Path(run.path).name else lab
    with suppress(StslabError), Journal(home.journal) as journal:
        here = current(journal, SANDBOX)
        configure(here.lab, own, here.scope)  # profiles that hold no keys
    return run, lab


def _read(path: Path) -> tuple[str, list[Link], dict[str, Credentials], dict[str, bytes]]:
    """The run's id, records and profiles, and the other files by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            further = sizes.keys() - {_ACCOUNT, _RUN}
            if sum(sizes.values()) > _MOST or not all(map(_NAME.fullmatch, further)):
                raise ValueError("it has files that no set-up has")
            content = json.loads(archive.read(_RUN))
            if (content["format"], content["version"]) != (_FORMAT, _VERSION):
                raise ValueError("it is from another version of stslab")
            files = {name: archive.read(name) for name in (_ACCOUNT, *sorted(further))}
        run_id, links = str(content["run"]), [Link(*record) for record in content["records"]]
        profiles = {str(name): Credentials(**keys) for name, keys in content["profiles"].items()}
        for name, keys in content["profiles"].items():
            require(name, keys)
        begun, *_ = [read(link).body for link in links]
    except _DAMAGED as error:
        raise StslabError(f"{path} is not a set-up: {error}.", _HINT) from None
    ours = isinstance(begun, RunRecord) and (begun.id, begun.kind) == (run_id, SANDBOX)
    if first_broken(run_id, links) or not ours or not _RUN_ID.fullmatch(run_id):
        raise StslabError(f"The journal in {path} was changed.", _HINT)
    return run_id, links, profiles, files
