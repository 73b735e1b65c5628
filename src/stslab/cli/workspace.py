"""The workspace of a command on runs: state folder, journal, renderer, console; and its lab."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import describer
from stslab.aws.target import name_of, selecting
from stslab.cli.failures import hints_name, interruptible
from stslab.cli.options import USUAL_LAB
from stslab.cli.progress import labs_to_do
from stslab.errors import LabError, StslabError, UsageError
from stslab.home import Home, home
from stslab.lab.listing import find
from stslab.lab.loader import load
from stslab.lab.model import Lab
from stslab.render.jsonl import JsonRenderer
from stslab.render.terminal.paper import Paper, paper_on
from stslab.render.terminal.run_view import TerminalRenderer
from stslab.runner.journal.lock import Held
from stslab.runner.journal.records import RunRecord
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Data
from stslab.runner.run.scope import basis, scope, variables


class Workspace(msgspec.Struct, frozen=True):
    home: Home
    journal: Journal
    render: JsonRenderer | TerminalRenderer
    paper: Paper  # for messages to people: stdout, or stderr with ``--json``
    asks: bool  # whether a person can be asked
    lock: Held  # except while a prompt waits for the learner


@contextmanager
def open_workspace(
    command: str, *, as_json: bool = False, yes: bool = False, lab: Lab | None = None
) -> Iterator[Workspace]:
    """Lock and open the state folder; other processes see ``command`` as the lock's holder.

    After Ctrl-C, say how to continue. JournalError, StateFolderError: it can't be used now.
    """
    place = home()
    with interruptible(), Held(place, command) as lock, Journal(place.journal) as journal:
        render, paper = renderer(lab, as_json=as_json)
        try:
            asks = not yes and sys.stdin.isatty()
            yield Workspace(place, journal, render, paper, asks, lock)
        finally:
            render.close()


def load_lab(lab: str | Path) -> Lab:
    """Load and check a lab. LabError: there is none. InvalidLab: it has problems."""
    return load(lab if isinstance(lab, Path) else find(lab), catalogue=BotocoreCatalogue())


def meant_lab(name: str | None, target: str, *, ended: bool = False, by_hand: bool = False) -> Lab:
    """The lab of this id or file, or the ``next`` to do; else the newest run's or the usual one.

    ``ended``: also consider runs that have ended. All later hints name the lab.
    """
    if name == "next":
        left = labs_to_do()
        if not left:
            raise UsageError("No lab is left to do.", "Find a fault in one of them: stslab break")
        meant = left[0].id
    else:
        meant = _meant(name, target, ended=ended)
    loaded, usual = load_lab(meant), USUAL_LAB
    if meant == usual:  # a command without a lab may mean a run of another one
        with Journal.of(home()) as journal:
            runs = journal.unfinished(name_of(target))
        usual = "" if any(run.lab != loaded.id for run in runs) else usual
    hints_name(meant, by_hand=by_hand, usual=usual)
    return loaded


def _meant(name: str | None, target: str, *, ended: bool) -> str:
    """The id or file of the lab. A lab imported with an account is found through its run."""
    meant = USUAL_LAB if name is None else name
    if name is not None and (not name or _file(name)):
        return meant
    with Journal.of(home()) as journal:
        place = (name_of(target), name or "")
        runs = journal.unfinished(*place) or (journal.runs(*place) if ended else ())
    return next(filter(None, map(word_for, runs)), meant)


def _file(lab: str) -> str:
    with suppress(LabError):
        return str(find(lab))
    return ""


def word_for(run: RunRecord) -> str:
    """How commands name a run's lab: by its id if that is enough, else by its file; or ""."""
    found = _file(lab_of(run))
    return run.lab if found and _file(run.lab) == found else found


def lab_of(run: RunRecord) -> str:
    """The file of a run's lab, imported or at its old place; else its id."""
    imported = home().root / "labs" / run.id / Path(run.path).name
    return next((str(path) for path in (imported, Path(run.path)) if path.is_file()), run.lab)


def renderer(lab: Lab | None, *, as_json: bool) -> tuple[JsonRenderer | TerminalRenderer, Paper]:
    """What shows events, and the paper for messages to people."""
    if as_json:
        return JsonRenderer(sys.stdout), paper_on(sys.stderr)
    paper = paper_on(sys.stdout)
    return TerminalRenderer(paper.console, describer(lab)), paper


def agrees(question: str, *, usually: bool = False) -> bool:
    """Ask for yes or no, which is ``usually`` for Enter; the end of the input means no."""
    try:
        return click.confirm(question, default=usually, err=True)
    except click.Abort as stop:
        if isinstance(stop.__context__, EOFError):  # else it was Ctrl-C
            click.echo(err=True)
            return False
        raise


# -- the current run -----------------------------------------------------------------------------


class CurrentRun(NamedTuple):
    run: RunRecord
    lab: Lab
    scope: Data  # of the lab's expressions
    done: Collection[str]  # the ids of stages


def current(journal: Journal, target: str, lab: str = "") -> CurrentRun:
    """The newest unfinished run (of one lab) there.

    UsageError: there is none. LabError: its lab is gone.
    """
    named = load_lab(_meant(lab, target, ended=False)) if lab else None
    runs = journal.unfinished(name_of(target), named.id if named else "")
    if not runs:
        of = f" of {named.id}" if named else ""
        none = UsageError(f"There is no unfinished run{of}.", "Start one: stslab run")
        for run in journal.unfinished(lab=named.id if named else "")[:1]:
            none.add_note(f"Run {run.id} is in another account: {selecting(run, 'stslab run')}")
        raise none
    run = runs[0]
    loaded = named or load_lab(lab_of(run))
    past = journal.past(run.id)
    known = scope(basis(loaded, run.id, run), past.saved(), past.profiles())
    return CurrentRun(run, loaded, known, past.held())


def lab_variables(target: str) -> dict[str, str]:
    """The variables that the current run's lab exports; empty if there is no such run."""
    with suppress(StslabError), Journal.of(home()) as journal:
        here = current(journal, target)
        return variables(here.lab, here.scope)
    return {}
