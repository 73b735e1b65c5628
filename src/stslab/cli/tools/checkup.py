"""The doctor's checks: each looks at one thing, and changes nothing."""

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import msgspec
from rich.console import Console

from stslab import __version__
from stslab.aws.guard import (
    Reach,
    Source,
    alias,
    credentials_found,
    denied_accounts,
    identify,
    reach,
    require,
    says_production,
)
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import kind_of
from stslab.cli.bench import load_lab
from stslab.cli.options import Where
from stslab.errors import InvalidLab, StslabError
from stslab.home import Home, config_file
from stslab.lab.reading.listing import header, labs_in
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted
from stslab.resources import bundled_labs, foreign_folder
from stslab.sandbox.server import client

GOOD, NOTE, WARNING, WRONG = "good", "note", "warning", "wrong"


class Checked(msgspec.Struct, frozen=True):
    """One thing that was looked at. ``state``: good, note, warning or wrong; ``fix``: what to do.

    ``exit_code`` is that of the command, where it is wrong.
    """

    name: str
    state: str
    says: str
    fix: str = ""
    exit_code: int = 1

    @property
    def ok(self) -> bool:
        return self.state != WRONG


def checked(name: str, says: str, fix: str = "", state: str = WRONG) -> Checked:
    """A check that is good, unless there is something to fix: then it is in ``state``."""
    return Checked(name, state if fix else GOOD, says, fix)


def show_checks(console: Console, checks: Sequence[Checked]) -> None:
    """A line for each, its fix below, and the sum at the end."""
    paper = Paper(console)
    signs = {GOOD: "done", NOTE: "dot", WRONG: "failed"}
    for one in checks:
        style = "dim" if one.state == NOTE else None
        paper.line(signs.get(one.state, one.state), one.name, aside=one.says, style=style)
        if one.fix:
            paper.prose(one.fix, lead=paper.symbols.hint, indent=4)
    paper.blank()
    wrong, warned = (sum(one.state == state for one in checks) for state in (WRONG, WARNING))
    if wrong:
        paper.prose(f"{counted(wrong, 'thing')} to fix.", style="bold")
    elif warned:
        paper.prose(f"All works; {counted(warned, 'warning')}.", style="bold")
    else:
        paper.prose("All is well.", style="bold")


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
        looks["a new account"] = class_checks
    return [found for name, look in looks.items() for found in _safely(name, look)]


def _safely(name: str, look: Callable[[], Iterator[Checked]]) -> Iterator[Checked]:
    """A check that fails is a finding, and the others go on."""
    try:
        yield from look()
    except StslabError as error:
        yield Checked(name, WRONG, error.message, error.hint, error.exit_code)


def _python() -> Iterator[Checked]:
    yield checked("Python", f"{sys.version.split()[0]}, stslab {__version__}")


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
            says = f"others can read what is secret in {root}"
            fix = f"Run: chmod go= {' '.join(exposed)}"
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
    files, now = ProfileFiles(folder, region=""), datetime.now(UTC)
    found = {name: files.get(name) for name in files.names()}
    ended = [name for name, one in found.items() if one and one.have_expired(now)]
    names = ", ".join(f"{name} (ended)" if name in ended else name for name in found)
    fix = "`stslab run` gets a new session." if ended else ""
    yield checked("profiles", f"{folder.name}: {names or 'none'}", fix, NOTE)


def _settings() -> Iterator[Checked]:
    denied = denied_accounts()
    if denied:
        yield checked("denied accounts", ", ".join(denied))
    else:
        yield Checked("denied accounts", NOTE, f"none ({config_file()})")


def _aws_cli() -> Iterator[Checked]:
    found = shutil.which("aws")
    fix = "`stslab env` and `stslab shell` are for it: python -m pip install 'stslab[cli]'"
    says = found or "not found; labs do not need it"
    yield checked("aws CLI", says, "" if found else fix, NOTE)


def _account(where: Where) -> Iterator[Checked]:
    kind = kind_of(where.target)
    if kind == "sandbox":
        fix = "To check one: stslab doctor --target aws"
        yield checked("AWS account", "not asked: the embedded account needs none", fix, NOTE)
        return

    yield from account_checks(where, where.target if kind == "endpoint" else "")


# -- a machine for a class -----------------------------------------------------------------------

_COLUMNS, _LINES = 80, 24
_HASH = 12


def class_checks() -> Iterator[Checked]:
    """What a lesson needs beyond what every command does."""
    yield from _starts()
    yield from _labs()
    yield from _screen()


def _starts() -> Iterator[Checked]:
    """A new account, in a folder of its own that is gone afterwards."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="stslab-class-"))
    try:
        found = client.ensure(Home(folder).sandbox)
        took = f"{time.monotonic() - began:.1f} s"
        yield checked("a new account", f"starts in {took}, and answers at {found.url}")
    finally:
        client.stop(Home(folder).sandbox)
        shutil.rmtree(folder, ignore_errors=True)


def _labs() -> Iterator[Checked]:
    """Each lab that goes by an id, with its hash: the same on every machine of the class."""
    folder = foreign_folder()
    further = labs_in(folder) if folder else []
    if folder and not further:
        fix = "Put the labs there, or name another folder in STSLAB_LABS."
        yield Checked("labs", WRONG, f"there is none in {folder}", fix)
    for path in (*bundled_labs(), *further):
        try:
            loaded = load_lab(path)
            yield checked(f"lab {loaded.id}", f"sha256 {loaded.sha256[:_HASH]}")
        except InvalidLab as bad:
            fix = f"See what: stslab lint {path}"
            yield Checked(f"lab {header(path).id}", WRONG, "it has problems", fix, bad.exit_code)


def _screen() -> Iterator[Checked]:
    size = shutil.get_terminal_size((0, 0))
    if not size.columns:
        yield Checked("screen", NOTE, "this is no terminal")
        return
    small = size.columns < _COLUMNS or size.lines < _LINES
    fix = f"Make the window larger: {_COLUMNS} columns and {_LINES} lines." if small else ""
    yield checked("screen", f"{size.columns} columns, {size.lines} lines", fix, WARNING)


# -- a real account, from the outside in ---------------------------------------------------------

# AWS refuses what was signed more than five minutes ago, or is to be (IAM User Guide,
# "Troubleshoot AWS signed requests").
_TOLERATED = 300.0
_NOTICED = 60.0
_SOON = 900.0


def account_checks(where: Where, endpoint: str) -> Iterator[Checked]:
    """What is between this machine and an account. Raises CredentialsError: the guard refuses."""
    source = Source(where.profile, where.region, endpoint)
    reached = reach(source.clients)
    yield _network(reached)
    yield _clock(reached)
    yield _found(source)
    identity = identify(source)
    yield checked("you are", f"{identity.arn} in account {identity.account}")
    require(identity, root_may=source.clients.local)
    yield _alias(source)


def _network(reached: Reach) -> Checked:
    if reached.answered:
        return checked("network", f"{reached.url} answers")
    fix = "Check the network, the proxy (HTTPS_PROXY), the region and AWS_ENDPOINT_URL."
    return checked("network", f"{reached.url} does not answer: {reached.problem}", fix)


def _clock(reached: Reach) -> Checked:
    if reached.date is None:
        return Checked("clock", NOTE, "not compared with AWS's: there was no answer (offline?)")
    off = (datetime.now(UTC) - reached.date).total_seconds()
    says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    fix = "Set it: AWS refuses what is signed five minutes off." if abs(off) > _NOTICED else ""
    return checked("clock", says, fix, WARNING if abs(off) <= _TOLERATED else WRONG)


def _found(source: Source) -> Checked:
    """Which credentials botocore's chain finds, and how long they last."""
    told = credentials_found(source.clients)
    if told.expires is None:
        return checked("credentials", f"from {told.method}; they do not expire")
    left = (told.expires - datetime.now(UTC)).total_seconds()
    says = f"from {told.method}; until {told.expires:%Y-%m-%d %H:%M} UTC"
    fix = "" if left > _SOON else "Sign in again soon. A run that stops can go on."
    return checked("credentials", says, fix, WARNING)


def _alias(source: Source) -> Checked:
    found = alias(source.clients)
    if found is None:
        return Checked("account alias", NOTE, "not known: you may not ask")
    if says_production(found):
        fix = "Use an account that is meant for learning."
        return checked("account alias", f"{found}: that says production", fix, WARNING)
    return checked("account alias", found or "none")
