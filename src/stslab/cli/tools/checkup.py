"""The doctor's checks of this machine: each looks at one thing, and changes nothing."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from stslab import __version__
from stslab.cli.options import Where
from stslab.errors import StslabError
from stslab.home import Home, config_file
from stslab.render.checkup import NOTE, WARNING, WRONG, Checked, checked
from stslab.render.text.durations import counted

_OLDEST = (3, 11)
_LITTLE = 200 << 20
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MINIMUM = re.compile(r">=\s*([0-9][0-9.]*)")
_EXTRA = "extra =="
_SECRETS = ("journal.sqlite*", "profiles/*/*", "sandbox/*")


def checkup(home: Home, where: Where, *, of_class: bool = False) -> list[Checked]:
    """All checks, in the order in which one would fix things; ``of_class`` adds a class's."""
    looks: dict[str, Callable[[], Iterator[Checked]]] = {
        "Python": _python,
        "packages": _packages,
        "state folder": lambda: _state(home.root),
        "disk": lambda: _disk(home.root),
        "journal": lambda: _journal(home),
        "lock": lambda: _lock(home),
        "embedded account": lambda: _sandbox(home),
        "profiles": lambda: _profiles(home),
        "denied accounts": _settings,
        "aws CLI": _aws_cli,
        "credentials": lambda: _account(where),
    }
    if of_class:
        from stslab.cli.tools.checkup_class import class_checks

        looks["a new account"] = class_checks
    return [found for name, look in looks.items() for found in _safely(name, look)]


def _safely(name: str, look: Callable[[], Iterator[Checked]]) -> Iterator[Checked]:
    """A check that fails is a finding, and the others go on."""
    try:
        yield from look()
    except StslabError as error:
        yield Checked(name, WRONG, error.message, error.hint, error.exit_code)


def _python() -> Iterator[Checked]:
    good = sys.version_info >= _OLDEST
    fix = "" if good else "Install Python 3.11 or later, and stslab with it."
    yield checked("Python", f"{sys.version.split()[0]}, stslab {__version__}", fix)


def _packages() -> Iterator[Checked]:
    """What stslab is made with: there, and new enough."""
    wrong: list[str] = []
    said: list[str] = []
    for line in metadata.requires("stslab") or []:
        if _EXTRA in line:
            continue
        name = _NAME.match(line)
        found = _version(name[0]) if name else ""
        said.append(f"{name[0] if name else line} {found or 'missing'}")
        least = _MINIMUM.search(line)
        if not found or (least and _numbers(found) < _numbers(least[1])):
            wrong.append(line.partition(";")[0].strip())
    fix = f"Install them: python -m pip install {' '.join(map(repr, wrong))}" if wrong else ""
    says = f"missing or too old: {', '.join(wrong)}" if wrong else ", ".join(said)
    yield checked("packages", says, fix)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _state(root: Path) -> Iterator[Checked]:
    says, fix = f"{root}, for you alone", ""
    if not root.exists():
        above = next(path for path in root.parents if path.exists())
        says = f"{root} (not made yet)"
        if not os.access(above, os.W_OK):
            fix = f"Make {above} writable, or set STSLAB_HOME to another folder."
    elif not root.is_dir() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        says = f"{root} can't be read and written"
        fix = f"Run: chmod u+rwx {root}; or set STSLAB_HOME to another folder."
    else:
        places = (root, *(path for pattern in _SECRETS for path in root.glob(pattern)))
        exposed = sorted(str(path) for path in places if _is_open(path))
        if exposed:
            says, fix = (
                f"others can read what is secret in {root}",
                f"Run: chmod go= {' '.join(exposed)}",
            )
    yield checked("state folder", says, fix)


def _is_open(path: Path) -> bool:
    try:
        return bool(path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _disk(root: Path) -> Iterator[Checked]:
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    fix = "" if free > _LITTLE else "Make room: a journal that can't be written stops a run."
    yield checked("disk", f"{free >> 20} MB free", fix)


def _journal(home: Home) -> Iterator[Checked]:
    from stslab.runner.journal.store import Journal

    if not home.journal.exists():
        yield checked("journal", "none yet")
        return
    with Journal(home.journal) as journal:
        journal.verify()
        runs, unfinished = journal.runs(), journal.unfinished()
    yield checked("journal", f"whole; {counted(len(runs), 'run')}")
    for run in unfinished:
        flags = "" if run.kind == "sandbox" else f" --target {run.kind}"
        says = (
            f"run {run.id} ({run.lab}, account {run.account}, {run.target}) began"
            f" {run.started[:16].replace('T', ' ')} UTC and has not ended"
        )
        fix = f"Go on: stslab run{flags}. Undo it: stslab cleanup {run.id}{flags}"
        yield checked("leftovers", says, fix, WARNING)


def _lock(home: Home) -> Iterator[Checked]:
    from stslab.runner.journal.lock import holder

    held = holder(home)
    if held:
        yield Checked("lock", NOTE, f"another stslab is at work: {held}")


def _sandbox(home: Home) -> Iterator[Checked]:
    from stslab.sandbox.server import client

    if client.find(home.sandbox) is None:
        yield checked("embedded account", "not running; a command that needs it starts it")
        return
    status = client.status(home.sandbox)
    where = f"account {status.get('account')} at {status.get('url')}, process {status.get('pid')}"
    unsaved = client.control(home.sandbox, "GET", "saved").get("differences") or []
    told = f"not saved: {', '.join(map(str, unsaved))}" if unsaved else "all of it is saved"
    fix = "Clean up before you stop it (stslab sandbox stop): what is not saved is lost then."
    yield checked("embedded account", f"{where}; {told}", fix if unsaved else "")


def _profiles(home: Home) -> Iterator[Checked]:
    """The profiles that runs wrote: can they be read, and do their sessions last?"""
    folders = sorted((home.root / "profiles").glob("*"))
    return (found for one in folders for found in _safely("profiles", lambda: _profiles_in(one)))  # noqa: B023 - used at once


def _profiles_in(folder: Path) -> Iterator[Checked]:
    from stslab.aws.profiles import ProfileFiles

    files, now = ProfileFiles(folder, region=""), datetime.now(UTC)
    found = {name: files.get(name) for name in files.names()}
    ended = [name for name, one in found.items() if one and one.have_expired(now)]
    names = ", ".join(f"{name} (ended)" if name in ended else name for name in found)
    fix = "`stslab run` gets a new session." if ended else ""
    yield checked("profiles", f"{folder.name}: {names or 'none'}", fix, NOTE)


def _settings() -> Iterator[Checked]:
    from stslab.aws.guard import denied_accounts

    denied = denied_accounts()
    if denied:
        yield checked("denied accounts", ", ".join(denied))
    else:
        yield Checked("denied accounts", NOTE, f"none ({config_file()})")


def _aws_cli() -> Iterator[Checked]:
    found = shutil.which("aws")
    fix = (
        ""
        if found
        else "`stslab env` and `stslab shell` are for it: python -m pip install 'stslab[cli]'"
    )
    yield checked("aws CLI", found or "not found; labs do not need it", fix, NOTE)


def _account(where: Where) -> Iterator[Checked]:
    from stslab.aws.target import kind_of

    kind = kind_of(where.target)
    if kind == "sandbox":
        fix = "To check one: stslab doctor --target aws"
        yield checked("AWS account", "not asked: the embedded account needs none", fix, NOTE)
        return
    from stslab.cli.tools.checkup_aws import account_checks

    yield from account_checks(where, where.target if kind == "endpoint" else "")
