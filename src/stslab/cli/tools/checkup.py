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
from typing import Any

from stslab import __version__
from stslab.cli.options import Where
from stslab.errors import JournalError, StslabError
from stslab.home import Home, config_file
from stslab.render.checkup import GOOD, NOTE, WARNING, WRONG, Checked
from stslab.render.text.durations import counted

_OLDEST = (3, 11)
_LITTLE = 200 << 20
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_MINIMUM = re.compile(r">=\s*([0-9][0-9.]*)")
_EXTRA = "extra =="


def checkup(home: Home, where: Where) -> list[Checked]:
    """All checks, in the order in which one would fix things."""
    looks: list[Callable[[], Iterator[Checked]]] = [
        _python,
        _packages,
        lambda: _state(home.root),
        lambda: _disk(home.root),
        lambda: _journal(home),
        lambda: _lock(home),
        lambda: _sandbox(home),
        lambda: _profiles(home),
        _settings,
        _aws_cli,
        lambda: _account(where),
    ]
    return [checked for look in looks for checked in _safely(look)]


def _safely(look: Callable[[], Iterator[Checked]]) -> Iterator[Checked]:
    """A check that fails in a way of stslab's own is a finding, and the others go on."""
    try:
        yield from look()
    except StslabError as error:
        yield Checked("stslab", WRONG, error.message, error.hint, error.exit_code)


def _python() -> Iterator[Checked]:
    version = sys.version.split()[0]
    good = sys.version_info >= _OLDEST
    fix = "" if good else "Install Python 3.11 or later, and stslab with it."
    yield Checked("Python", GOOD if good else WRONG, f"{version}, stslab {__version__}", fix)


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
    if wrong:
        fix = f"Install them: python -m pip install {' '.join(map(repr, wrong))}"
        yield Checked("packages", WRONG, f"missing or too old: {', '.join(wrong)}", fix)
    else:
        yield Checked("packages", GOOD, ", ".join(said))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _state(root: Path) -> Iterator[Checked]:
    if not root.exists():
        above = next(path for path in root.parents if path.exists())
        good = os.access(above, os.W_OK)
        fix = "" if good else f"Make {above} writable, or set STSLAB_HOME to another folder."
        yield Checked("state folder", GOOD if good else WRONG, f"{root} (not made yet)", fix)
        return
    if not root.is_dir() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        fix = f"Run: chmod u+rwx {root}; or set STSLAB_HOME to another folder."
        yield Checked("state folder", WRONG, f"{root} can't be read and written", fix)
        return
    open_to_others = sorted(str(path) for path in _secret_places(root) if _is_open(path))
    if open_to_others:
        fix = f"Run: chmod go= {' '.join(open_to_others)}"
        yield Checked("state folder", WRONG, f"others can read what is secret in {root}", fix)
    else:
        yield Checked("state folder", GOOD, f"{root}, for you alone")


def _secret_places(root: Path) -> Iterator[Path]:
    yield root
    for pattern in ("journal.sqlite*", "profiles/*/*", "sandbox/*"):
        yield from root.glob(pattern)


def _is_open(path: Path) -> bool:
    try:
        return bool(path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _disk(root: Path) -> Iterator[Checked]:
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    fix = "" if free > _LITTLE else "Make room: a journal that can't be written stops a run."
    yield Checked("disk", WRONG if fix else GOOD, f"{free >> 20} MB free", fix)


def _journal(home: Home) -> Iterator[Checked]:
    from stslab.runner.journal.store import Journal

    if not home.journal.exists():
        yield Checked("journal", GOOD, "none yet")
        return
    try:
        with Journal(home.journal) as journal:
            journal.verify()
            runs, unfinished = journal.runs(), journal.unfinished()
    except JournalError as error:
        yield Checked("journal", WRONG, error.message, error.hint, error.exit_code)
        return
    yield Checked("journal", GOOD, f"whole; {counted(len(runs), 'run')}")
    for run in unfinished:
        flags = "" if run.kind == "sandbox" else f" --target {run.kind}"
        yield Checked(
            "leftovers",
            WARNING,
            f"run {run.id} ({run.lab}, account {run.account}, {run.target}) began"
            f" {run.started[:16].replace('T', ' ')} UTC and is not ended",
            f"Go on: stslab run{flags}. Undo it: stslab cleanup {run.id}{flags}",
        )


def _lock(home: Home) -> Iterator[Checked]:
    from stslab.runner.journal.lock import holder

    held = holder(home)
    if held:
        yield Checked("lock", NOTE, f"another stslab is at work: {held}")


def _sandbox(home: Home) -> Iterator[Checked]:
    from stslab.sandbox.server import client

    if client.find(home.sandbox) is None:
        yield Checked("sandbox", GOOD, "not running; what needs it starts it")
        return
    status: dict[str, Any] = client.status(home.sandbox)
    where = f"account {status.get('account')} at {status.get('url')}, process {status.get('pid')}"
    differences = client.control(home.sandbox, "GET", "saved").get("differences") or []
    if differences:
        fix = "Stop it (stslab sandbox stop) only after a cleanup: what is not saved is lost then."
        says = f"{where}; not saved: {', '.join(map(str, differences))}"
        yield Checked("sandbox", WRONG, says, fix)
    else:
        yield Checked("sandbox", GOOD, f"{where}; all of it is saved")


def _profiles(home: Home) -> Iterator[Checked]:
    """The profiles that runs wrote: can they be read, and do their sessions last?"""
    from stslab.aws.profiles import ProfileFiles

    for folder in sorted((home.root / "profiles").glob("*")):
        files = ProfileFiles(folder, region="")
        try:
            found = {name: files.get(name) for name in files.names()}
        except StslabError as error:
            yield Checked("profiles", WRONG, error.message, error.hint, error.exit_code)
            continue
        now = datetime.now(UTC)
        ended = [name for name, one in found.items() if one and one.have_expired(now)]
        names = ", ".join(f"{name} (ended)" if name in ended else name for name in found)
        fix = "`stslab run` makes the session anew." if ended else ""
        yield Checked("profiles", NOTE if ended else GOOD, f"{folder.name}: {names or 'none'}", fix)


def _settings() -> Iterator[Checked]:
    from stslab.aws.denied import denied_accounts

    denied = denied_accounts()
    says = ", ".join(denied) if denied else f"none ({config_file()})"
    yield Checked("denied accounts", GOOD if denied else NOTE, says)


def _aws_cli() -> Iterator[Checked]:
    found = shutil.which("aws")
    if found:
        yield Checked("aws CLI", GOOD, found)
    else:
        fix = "Only `stslab env` and `stslab shell` are for it: python -m pip install awscli"
        yield Checked("aws CLI", NOTE, "not found; labs do not need it", fix)


def _account(where: Where) -> Iterator[Checked]:
    from stslab.aws.target import kind_of

    kind = kind_of(where.target)
    if kind == "sandbox":
        fix = "To look at them too: stslab doctor --target aws"
        yield Checked("AWS account", NOTE, "not asked: the sandbox needs none", fix)
        return
    from stslab.cli.tools.checkup_aws import account_checks

    yield from account_checks(where, where.target if kind == "endpoint" else "")
