"""Print errors on stderr: the message, then what to do. A bug's traceback goes to a log file."""

import errno
import os
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, TypeVar

import click

from stslab.cli.options import USUAL_LAB
from stslab.errors import StslabError, UsageError
from stslab.home import location, unusable
from stslab.redaction import redact_named, redact_text
from stslab.render.text.safe import visible
from stslab.render.text.symbols import columns, in_words, symbols_for
from stslab.resources import text_of

E = TypeVar("E", bound=StslabError)
GOES_ON = "`{}` goes on from here, `stslab cleanup` undoes everything."
_LONGEST = 4_000
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ANYWHERE = "sandbox why hint solve watch report".split()  # commands that have no --target
_COMMANDS = re.compile(
    r"\bstslab( (?:run next|run|break|step|check|cleanup|env|shell|doctor|access"
    rf"|{'|'.join(_ANYWHERE)}))\b(?![^`\n]*--target)"
)


class _Same:
    """What the commands in hints must say to go on with the same run."""

    account = ""  # the flags that select it
    lab: ClassVar[dict[str, str]] = {}  # as each command takes it: an argument or an option


class Interrupted(StslabError):  # noqa: N818 - named as its siblings in stslab.errors are
    """Ctrl-C, during something that can be continued."""

    exit_code = 130


class Unread(Interrupted):
    """What reads the output has ended."""

    exit_code = 141


@contextmanager
def interruptible(command: str = "stslab run") -> Iterator[None]:
    """After Ctrl-C or a closed pipe, say how to undo the run, or continue it with ``command``."""
    hint = GOES_ON.format(command)
    try:
        yield
    except BrokenPipeError:
        silence_stdout()
        raise Unread("stdout was closed, so the command stopped.", hint) from None
    except (KeyboardInterrupt, click.Abort):
        raise Interrupted("Stopped.", hint) from None


def tried_all(attempts: Iterable[Callable[[], object]], refused: type[E]) -> list[E]:
    """Make each attempt, and return their errors of this kind. A single one is raised."""
    errors: list[E] = []
    for attempt in attempts:
        try:
            attempt()
        except refused as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    return errors


@contextmanager
def writing(file: str | Path, error_of: type[StslabError] = UsageError) -> Iterator[None]:
    """Turn an error of writing into one about ``file``, the name that the person gave."""
    try:
        yield
    except OSError as error:
        fix = "Name another place: its folder must exist, and you must be allowed to write there."
        raise error_of(f"{file} can't be written: {error.strerror or error}.", fix) from None


@contextmanager
def reading(file: str | Path) -> Iterator[None]:
    """Turn an error of reading into one about ``file``, the name that the person gave."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{file} can't be read: {reason}.") from None


def silence_stdout() -> None:
    """Write nothing more to stdout, not even at exit: its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def hints_select(flags: str) -> None:
    """Add these flags, which select the account, to commands in all later hints."""
    _Same.account = f" {flags}" if flags else ""


def hints_name(lab: str, *, by_hand: bool = False, usual: str = USUAL_LAB) -> None:
    """Name this lab in later hints, unless it is the ``usual`` one. ``by_hand`` adds --practice."""
    word = "" if lab == usual else f" {shlex.quote(lab)}"
    option = f" --lab{word}" if word else ""
    _Same.lab = {
        "stslab run": f"{word} --practice" if by_hand else word,
        "stslab break": word,
        "stslab step": option,
        "stslab check": option,
    }


def for_same_run(text: str) -> str:
    """The text, whose stslab commands now name the lab and select the account of the same run."""
    path = Path(sys.argv[0])  # named if the shell does not find stslab by its name
    name = str(path) if path.name == "stslab" and not shutil.which("stslab") else "stslab"
    named = "" if _Same.account else os.environ.get("STSLAB_SANDBOX")  # perhaps by an option
    name = f"STSLAB_SANDBOX={shlex.quote(named)} {name}" if named else name

    def whole(command: re.Match[str]) -> str:
        account = "" if command[1].strip() in _ANYWHERE else _Same.account
        return f"{name}{command[1]}{_Same.lab.get(command[0], '')}{account}"

    return _COMMANDS.sub(whole, text)


def tell(error: StslabError) -> None:
    signs = symbols_for(sys.stderr.encoding)
    stopped = isinstance(error, Interrupted)
    text, color = (signs.waiting, "magenta") if stopped else (signs.failed, "red")
    text = "" if stopped and in_words() else text  # the message says it in a word
    bare = in_words() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    sign = text if bare else click.style(text, fg=color, bold=not stopped)
    click.echo(f"{sign} {_laid_out(error.message, len(text) + 1)}".lstrip(), err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"  {_laid_out(note, 2)}", err=True)
    if error.hint:
        indent = len(signs.hint) + 3
        click.echo(f"  {signs.hint} {_laid_out(for_same_run(error.hint), indent)}", err=True)


def tell_unexpected(error: BaseException) -> None:
    """Print an error of stdout or the state folder as such, any other as a bug with a log file."""
    root = location().root
    if isinstance(error, OSError):
        name = error.filename
        try:
            if not name:  # perhaps stdout's: Python may have dropped what it could not write
                sys.stdout.write("\n")
                sys.stdout.flush()
        except OSError as unwritable:
            tell(StslabError(f"stdout can't be written: {unwritable.strerror or unwritable}."))
            silence_stdout()
            return
        inside = isinstance(name, str | Path) and Path(name).is_relative_to(root)
        if inside or error.errno in _FULL:
            tell(unusable(root, error))
            return
    profiles = map(text_of, root.glob("profiles/*/credentials"))
    setting = r"(?m)^\s*aws_(?:secret_access_key|session_token)\s*=\s*(\S+)"
    secrets = {secret for text in profiles for secret in re.findall(setting, text)}
    secrets |= {text_of(file).strip() for file in root.glob("sandbox/**/control.token")}
    text = redact_text("".join(traceback.format_exception(error)), secrets)
    folder, began = root / "bugs", f"{datetime.now(UTC):%Y%m%dT%H%M%S}-"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, log = tempfile.mkstemp(".log", began, folder)  # only its owner may read it
    except OSError:
        descriptor, log = tempfile.mkstemp(".log", began)
    with os.fdopen(descriptor, "w") as file:
        file.write(redact_named(text))
    hint = f"The details are in {log}; please report it. `stslab cleanup` undoes what a run made."
    tell(StslabError(f"This is a bug in stslab: {type(error).__name__}.", hint))


def _laid_out(text: str, indent: int) -> str:
    """Text wrapped between words to the terminal's width; indented lines stay unchanged."""
    left_out = len(text) - _LONGEST
    if left_out > 0:  # a message may quote very long input
        head, tail = text[: _LONGEST // 2], text[-_LONGEST // 2 :]
        text = f"{head} ... ({left_out:,} characters left out) ... {tail}"
    width = max(columns() - indent, 20)
    words = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    lines: list[str] = []
    for line in visible(text).split("\n"):
        lines += [line] if line.startswith(" ") or not line else words.wrap(line)
    return ("\n" + " " * indent).join(lines)
