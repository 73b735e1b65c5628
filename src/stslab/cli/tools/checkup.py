"""The doctor's checks, which only read."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import msgspec

from stslab import __version__
from stslab.aws.profiles import ProfileFiles
from stslab.aws.target import AWS, denied_accounts, kind_of, selecting
from stslab.cli.options import Where
from stslab.durations import counted
from stslab.errors import InvalidLab, StslabError
from stslab.home import Home, is_locked
from stslab.lab.listing import header
from stslab.render.terminal.paper import Paper
from stslab.resources import bundled_labs, foreign_folder, labs_in
from stslab.runner.journal.lock import holder
from stslab.runner.journal.store import Journal
from stslab.sandbox.server import client

GOOD, NOTE, WARNING, WRONG = "good", "note", "warning", "wrong"


class Checked(msgspec.Struct, frozen=True):
    name: str
    state: str  # good, note, warning or wrong
    says: str
    fix: str = ""  # what to do
    exit_code: int = 1  # the command's, if the state is wrong


def checked(name: str, says: str, fix: str = "", state: str = WRONG) -> Checked:
    """A good result, or one in ``state`` if there is a fix."""
    return Checked(name, state if fix else GOOD, says, fix)


def show_checks(paper: Paper, checks: Sequence[Checked]) -> None:
    signs = {GOOD: "done", NOTE: "dot", WRONG: "failed", WARNING: "warning"}
    for check in checks:
        style = "dim" if check.state == NOTE else None
        paper.line(signs[check.state], check.name, aside=check.says, style=style)
        if check.fix:
            paper.prose(check.fix, lead=paper.symbols.hint, indent=4)
    paper.blank()
    wrong, warned = (sum(check.state == state for check in checks) for state in (WRONG, WARNING))
    summary = f"All works; {counted(warned, 'warning')}." if warned else "All is well."
    paper.prose(f"{counted(wrong, 'thing')} to fix." if wrong else summary, style="bold")


_LITTLE = 200 << 20
_ENDPOINT_SINCE = {1: 29, 2: 13}
"""The first minor version that knows ``endpoint_url`` (changelogs of the aws CLI)."""
_SECRETS = ("journal.sqlite*", "profiles/*/*", "sandbox/*", "sandbox/*/*")


def checkup(home: Home, where: Where, *, of_class: bool) -> list[Checked]:
    """Make all checks, in the order to fix problems in. ``of_class`` adds those for a class."""
    asked, folders = _asked_version(), sorted((home.root / "profiles").glob("*"))
    checks = [
        ("packages", _packages()),
        ("state folder", _state(home.root)),
        ("disk", _disk(home.root)),
        ("journal", _journal(home)),
        ("lock", _lock(home.lock)),
        ("embedded account", _sandbox(home)),
        *(("profiles", _profiles(folder)) for folder in folders),
        ("denied accounts", _denied()),
        ("aws CLI", _aws_cli(where, asked)),
        ("credentials", _account(where)),
    ]
    if of_class:
        checks += [("a new account", _starts()), ("labs", _labs()), ("screen", _screen())]
    results = [checked("Python", f"{sys.version.split()[0]}, stslab {__version__}")]
    for name, check in checks:
        try:
            results.extend(check)
        except StslabError as error:
            results.append(Checked(name, WRONG, error.message, error.hint, error.exit_code))
    return results


def _packages() -> Iterator[Checked]:
    versions = dict[str, str]()
    for line in metadata.requires("stslab") or []:
        if "extra ==" not in line:
            name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
            versions[name] = ""
            with suppress(metadata.PackageNotFoundError):
                versions[name] = metadata.version(name)
    missing = " ".join(name for name, version in versions.items() if not version)
    says = ", ".join(f"{name} {version or 'is missing'}" for name, version in versions.items())
    fix = f"Install what is missing: python -m pip install {missing}" if missing else ""
    yield checked("packages", says, fix)


def _state(root: Path) -> Iterator[Checked]:
    says, fix = f"{root}, readable only by you", ""
    if not root.exists():
        above = next(path for path in root.parents if path.exists())
        says = f"{root} (does not exist yet)"
        if not above.is_dir() or not os.access(above, os.W_OK):
            fix = f"Make {above} a writable folder, or set STSLAB_HOME to another folder."
    elif not root.is_dir() or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        says = f"{root} can't be read and written"
        fix = f"Run: chmod u+rwx {shlex.quote(str(root))}; or set STSLAB_HOME to another folder."
    else:
        exposed = []
        for path in (root, *(path for pattern in _SECRETS for path in root.glob(pattern))):
            with suppress(OSError):  # it has gone
                if path.lstat().st_mode & 0o077:
                    exposed.append(str(path))
        if exposed:
            says = f"others can read secret files in {root}"
            fix = f"Run: chmod go= {shlex.join(sorted(exposed))}"
    yield checked("state folder", says, fix)


def _disk(root: Path) -> Iterator[Checked]:
    place = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(place).free
    fix = "" if free > _LITTLE else "Free some space: a run stops if its journal can't be written."
    yield checked("disk", f"{free >> 20} MB free", fix)


def _journal(home: Home) -> Iterator[Checked]:
    if not home.journal.exists():
        yield checked("journal", "none yet")
        return
    with Journal(home.journal) as journal:
        journal.verify()
        runs, unfinished = journal.runs(), journal.unfinished()
    yield checked("journal", f"whole; {counted(len(runs), 'run')}")
    for run in unfinished:
        what = f"run {run.id} ({run.lab}, account {run.account}, {run.target})"
        says = f"{what} began {run.started[:16].replace('T', ' ')} UTC and has not ended"
        undo = selecting(run, f"stslab cleanup {run.id}")
        fix = f"Go on: {selecting(run, 'stslab run')}. Undo it: {undo}"
        yield checked("leftovers", says, fix, WARNING)


def _lock(path: Path) -> Iterator[Checked]:
    if is_locked(path):
        yield Checked("lock", NOTE, f"another stslab is working: {holder(path)}")


def _sandbox(home: Home) -> Iterator[Checked]:
    if client.find(home.sandbox) is None:
        yield checked("embedded account", "not running; a command that needs it starts it")
        return
    status = client.status(home.sandbox)
    where = f"account {status.get('account')} at {status.get('url')}, process {status.get('pid')}"
    unsaved = client.control(home.sandbox, "GET", "saved").get("differences") or []
    saved = f"not saved: {', '.join(map(str, unsaved))}" if unsaved else "everything is saved"
    fix = "Clean up before you stop it (stslab sandbox stop): unsaved things would be lost."
    yield checked("embedded account", f"{where}; {saved}", fix if unsaved else "")


def _profiles(folder: Path) -> Iterator[Checked]:
    files, now = ProfileFiles(folder), datetime.now(UTC)
    profiles = {name: files.get(name) for name in files.names()}
    ended = [name for name, keys in profiles.items() if keys and keys.have_expired(now)]
    names = ", ".join(f"{name} (ended)" if name in ended else name for name in profiles)
    fix = "`stslab run` gets a new session." if ended else ""
    yield checked("profiles", f"{folder.name}: {names or 'none'}", fix, NOTE)


def _denied() -> Iterator[Checked]:
    denied = ", ".join(denied_accounts())
    yield Checked("denied accounts", GOOD if denied else NOTE, denied or "none")


def _asked_version() -> "subprocess.Popen[str] | None":
    """The aws command, which takes as long to tell its version as all other checks together."""
    out, err = subprocess.PIPE, subprocess.STDOUT
    with suppress(OSError):  # there is none, or it can't run
        command = [shutil.which("aws") or "aws", "--version"]  # a bare name may find another one
        return subprocess.Popen(command, stdout=out, stderr=err, text=True)
    return None


def _aws_cli(where: Where, asked: "subprocess.Popen[str] | None") -> Iterator[Checked]:
    """Whether the aws command is there, and does what our profiles for the account need."""
    found, install = shutil.which("aws"), "python -m pip install 'stslab[cli]'"
    if not found:
        fix = f"`stslab env` and `stslab shell` are for it: {install}"
        yield checked("aws CLI", "not found; labs do not need it", fix, NOTE)
        return
    said = ""
    if asked:
        with suppress(subprocess.SubprocessError, UnicodeDecodeError):  # it does not end
            said = asked.communicate(timeout=30)[0]
        asked.kill()
    version = re.search(r"aws-cli/(\d+)\.(\d+)\.\d+", said)
    if version is None:
        yield checked("aws CLI", f"{found} shows no version", f"Try it: {found}", WARNING)
        return
    old = int(version[2]) < _ENDPOINT_SINCE.get(int(version[1]), 0)
    fix = f"It ignores the endpoint_url of profiles, and calls AWS. Get a newer one: {install}"
    if version[1] == "1" and kind_of(where.target) == AWS:
        old, fix = True, "On a real account `stslab env` and `stslab shell` need version 2 of it."
    yield checked("aws CLI", f"{version[0]}, {found}", fix if old else "", WARNING)


# -- a machine for a class -----------------------------------------------------------------------

_COLUMNS, _LINES = 80, 24


def _starts() -> Iterator[Checked]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stslab-class-", ignore_cleanup_errors=True) as folder:
        sandbox = Home(Path(folder)).sandbox
        try:
            endpoint = client.ensure(sandbox)
            took = f"{time.monotonic() - began:.1f} s"
            yield checked("a new account", f"starts in {took}, and answers at {endpoint.url}")
        finally:
            client.stop(sandbox)


def _labs() -> Iterator[Checked]:
    """Each lab and its hash, which should be the same on every machine of the class."""
    from stslab.cli.workspace import load_lab

    folder = foreign_folder()
    further = labs_in(folder) if folder else []
    if folder and not further:
        fix = "Put the labs there, or set STSLAB_LABS to another folder."
        yield Checked("labs", WRONG, f"there are no labs in {folder}", fix)
    for path in (*bundled_labs(), *further):
        try:
            loaded = load_lab(path)
            yield checked(f"lab {loaded.id}", f"sha256 {loaded.sha256[:12]}")
        except InvalidLab as bad:
            fix = f"List them: stslab lint {shlex.quote(str(path))}"
            yield Checked(f"lab {header(path).id}", WRONG, "it has problems", fix, bad.exit_code)


def _screen() -> Iterator[Checked]:
    columns, lines = shutil.get_terminal_size((0, 0))
    small = columns < _COLUMNS or lines < _LINES
    fix = f"Make the window larger: {_COLUMNS} columns and {_LINES} lines." if small else ""
    if columns:
        yield checked("screen", f"{columns} columns, {lines} lines", fix, WARNING)
    else:
        yield Checked("screen", NOTE, "this is not a terminal")


# -- a real account, from the outside in ---------------------------------------------------------

# AWS refuses signatures more than five minutes off (IAM User Guide, "Troubleshoot AWS signed
# requests").
_TOLERATED = 300.0
_NOTICED = 60.0
_SOON = timedelta(minutes=15)


def _account(where: Where) -> Iterator[Checked]:
    """Checks of the way to a real account; CredentialsError if the guard refuses."""
    kind = kind_of(where.target)
    if kind == "sandbox":
        fix = "To check one: stslab doctor --target aws"
        yield checked("AWS account", "not checked: the embedded account needs no other", fix, NOTE)
        return
    from stslab.aws import guard
    from stslab.aws.clients import own_clients

    clients = own_clients(where.profile, where.region, where.target if kind == "endpoint" else "")
    url, problem, date = guard.reach(clients)
    fix = "Check the network, the proxy (HTTPS_PROXY), the region and AWS_ENDPOINT_URL."
    says = f"{url} does not answer: {problem}" if problem else f"{url} answers"
    yield checked("network", says, fix if problem else "")
    yield _clock(date)
    method, expires = guard.credentials_found(clients)
    says, fix = f"from {method}; they do not expire", ""
    if expires:
        says = f"from {method}; until {expires:%Y-%m-%d %H:%M} UTC"
        if expires - datetime.now(UTC) < _SOON:
            fix = "Sign in again soon. A stopped run can be continued."
    yield checked("credentials", says, fix, WARNING)
    identity = guard.identify(clients)
    yield checked("you are", f"{identity.arn} in account {identity.account}")
    guard.require(identity, root_may=clients.local)
    alias = guard.alias(clients)
    fix = "Use an account that is meant for learning."
    if alias is None:
        yield Checked("account alias", NOTE, "unknown: you have no permission to ask")
    elif guard.says_production(alias):
        yield checked("account alias", f"{alias}: this looks like production", fix, WARNING)
    else:
        yield checked("account alias", alias or "none")


def _clock(date: datetime | None) -> Checked:
    if date is None:
        return Checked("clock", NOTE, "not compared with AWS's: no answer came (offline?)")
    off = (datetime.now(UTC) - date).total_seconds()
    says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    fix = "Set it: AWS refuses times that are five minutes off." if abs(off) > _NOTICED else ""
    return checked("clock", says, fix, WARNING if abs(off) <= _TOLERATED else WRONG)
