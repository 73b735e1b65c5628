"""What a command that works on runs needs: state folder, journal, lab, renderer, console."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from stslab.cli.failures import USUAL_LAB, goes_on_in, interruptible
from stslab.errors import LabError, StslabError, UsageError
from stslab.home import Home, home
from stslab.render.text.safe import one_line
from stslab.resources import labs_folder

if TYPE_CHECKING:
    from rich.console import Console

    from stslab.lab.model import Lab
    from stslab.render.jsonl import JsonRenderer
    from stslab.render.terminal.run_view import TerminalRenderer
    from stslab.runner.events import Describe
    from stslab.runner.journal.lock import Held
    from stslab.runner.journal.records import RunRecord
    from stslab.runner.journal.standing import Standing
    from stslab.runner.journal.store import Journal
    from stslab.runner.ports import Data


_NEXT = "next"  # in place of a lab: the first that is not done


class Bench(msgspec.Struct, frozen=True):
    """State, memory and output of one command.

    ``console`` is where people are spoken to: stdout, or stderr beside ``--json``. ``asks``: there
    is somebody to be asked. ``lock`` is held, but while a person is waited for.
    """

    home: Home
    journal: "Journal"
    render: "JsonRenderer | TerminalRenderer"
    console: "Console"
    asks: bool
    describe: "Describe"
    lock: "Held"


@contextmanager
def bench(
    command: str, *, as_json: bool = False, yes: bool = False, lab: "Lab | None" = None
) -> Iterator[Bench]:
    """Lock the state folder for this process, and open what is in it.

    Other processes see ``command`` as what is going on. Ctrl-C inside says how to go on.

    Raises:
        RunInProgress: another process works on this state folder.
        JournalError: the journal can't be used.
        StateFolderError: the state folder can't be used.
    """
    from stslab.cli.describing import describer
    from stslab.render.terminal.console import make_console
    from stslab.runner.journal.lock import held
    from stslab.runner.journal.store import Journal

    place = home()
    console = make_console(sys.stderr if as_json else sys.stdout)
    describe = describer(lab)
    with interruptible(), held(place, command) as lock, Journal(place.journal) as journal:
        render = renderer(console, describe, as_json=as_json)
        try:
            asks = not yes and sys.stdin.isatty()
            yield Bench(place, journal, render, console, asks, describe, lock)
        finally:
            render.close()


def progress() -> "dict[str, Standing]":
    """How far each lab was done on this machine, by its id."""
    from stslab.runner.journal.standing import standing
    from stslab.runner.journal.store import Journal

    best = dict[str, "Standing"]()
    with Journal.of(home()) as journal:
        for run in journal.runs():
            one = standing(journal.past(run.id))
            if one and (run.lab not in best or one.progress > best[run.lab].progress):
                best[run.lab] = one
    return best


def _next_lab() -> str:
    """The first of the bundled labs, in their order, that is not done."""
    from stslab.lab.reading.listing import headers

    done = {lab for lab, one in progress().items() if one.finished}
    for lab in headers(labs_folder()):
        if lab.id not in done:
            return lab.id
    raise UsageError("You have done all labs.", "Find a fault in one of them: stslab break")


def load_lab(lab: str | Path) -> "Lab":
    """The lab of this id or in this file, checked.

    Raises:
        LabError: there is no such lab.
        InvalidLab: with all its problems.
    """
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.lab.loader import load
    from stslab.lab.reading.listing import find

    path = lab if isinstance(lab, Path) else find(lab)
    return load(path, catalogue=BotocoreCatalogue())


def meant_lab(
    name: str | None, target: str, *, ended: bool = False, by_hand: bool = False
) -> "Lab":
    """The lab of this id or file; without a name that of the newest run, or the usual one.

    Runs that have ``ended`` count if asked for. All hints from now on name the lab.
    """
    meant = _next_lab() if name == _NEXT else _meant(name, target, ended=ended)
    loaded = load_lab(meant)
    goes_on_in(meant, by_hand=by_hand)
    return loaded


def _meant(name: str | None, target: str, *, ended: bool) -> str:
    """A lab that came with an account is known by its id as long as its run is."""
    from stslab.aws.target import name_of
    from stslab.lab.reading.listing import find
    from stslab.runner.journal.store import Journal

    def file(lab: str) -> str:
        try:
            return str(find(lab))
        except LabError:
            return ""

    meant = USUAL_LAB if name is None else name
    if name is not None and (not name or file(name)):
        return meant
    with Journal.of(home()) as journal:
        place = (name_of(target), name or "")
        runs = journal.unfinished(*place) or (journal.runs(*place) if ended else ())
    for run in runs:
        if found := file(lab_of(run)):
            return run.lab if file(run.lab) == found else found
    return meant


def lab_of(run: "RunRecord") -> str:
    """The file of a run's lab: as it came with the account, or where it was; else its id."""
    came = home().root / "labs" / run.id / Path(run.path).name
    return next((str(one) for one in (came, Path(run.path)) if one.is_file()), run.lab)


def renderer(
    console: "Console", describe: "Describe", *, as_json: bool
) -> "JsonRenderer | TerminalRenderer":
    if as_json:
        from stslab.render.jsonl import JsonRenderer

        return JsonRenderer(sys.stdout)
    from stslab.render.terminal.run_view import TerminalRenderer

    return TerminalRenderer(console, describe)


def agrees(
    console: "Console", question: str, letter: str, does: str, answers: TextIO | None = None
) -> bool:
    """Ask until the person says that it be done, or quits; the end of the ``answers`` quits.

    ``letter`` does it (Enter where it is empty); ``c`` and ``clean`` are the same.
    """
    from rich.text import Text

    menu = Text(f"{letter} {does}, q quits: ".lstrip(), style="cyan")
    console.print()
    console.print(Text(one_line(question), style="bold"))
    while True:
        console.print(menu, end="")
        answer = ""
        try:
            answer = (answers or sys.stdin).readline()
        finally:
            if not answer:  # at the end, or after Ctrl-C, what follows begins on a new line
                console.print()
        said = answer.strip().lower()[:1] if answer else "q"
        if said in (letter, "q"):
            return said == letter


# -- the run that goes on ------------------------------------------------------------------------


class Current(msgspec.Struct, frozen=True):
    """A run that is not ended. ``done`` are the stages whose checkpoints held."""

    run: "RunRecord"
    lab: "Lab"
    scope: "Data"
    done: tuple[str, ...]


def current(journal: "Journal", target: str, lab: str = "") -> Current:
    """The newest run on this target (as ``--target`` says) that is not ended; of a lab if named.

    Raises:
        UsageError: there is none.
        LabError: its lab can't be read any more.
    """
    from stslab.aws.target import name_of
    from stslab.runner.run.scope import basis, scope

    named = load_lab(lab) if lab else None
    runs = journal.unfinished(name_of(target), named.id if named else "")
    if not runs:
        of = f" of {named.id}" if named else ""
        raise UsageError(f"There is no run{of} that goes on.", "Begin one: stslab run")
    run = runs[0]
    loaded = named or load_lab(lab_of(run))
    past = journal.past(run.id)
    known = scope(basis(loaded, run.id, run), past.saved(), past.profiles())
    return Current(run, loaded, known, tuple(past.held()))


def lab_variables(target: str) -> dict[str, str]:
    """What the lab of the run that goes on exports; nothing where there is no such run."""
    from stslab.runner.journal.store import Journal
    from stslab.runner.run.scope import variables

    try:
        with Journal.of(home()) as journal:
            now = current(journal, target)
            return variables(now.lab, now.scope)
    except StslabError:
        return {}
