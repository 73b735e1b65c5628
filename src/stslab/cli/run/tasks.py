"""``stslab hint``, ``solve`` and ``access``: beside a run that waits in another terminal."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from stslab.cli.names import complete_lab
from stslab.cli.options import Where, json_option, on_account
from stslab.errors import UsageError

if TYPE_CHECKING:
    from stslab.cli.run.exercises import TasksExercise
    from stslab.render.terminal.paper import Paper

_LAB = click.argument("lab", default="", shell_complete=complete_lab)


@click.command("hint")
@_LAB
def hint(*, lab: str) -> None:
    """Say a little more about the next task of the run that goes on (of LAB, if named).

    First a nudge, then a pointer, then the command. A `stslab run` that waits for you goes on
    waiting meanwhile.
    """
    with _at_work("stslab hint", lab) as now:
        now.paper.prose(now.tasks.hint())
        if now.tasks.command:
            now.paper.command(now.tasks.command)


@click.command("solve")
@_LAB
def solve(*, lab: str) -> None:
    """Do the next task of the run that goes on (of LAB, if named), as the lab would.

    A `stslab run --practice` that waits for you sees it done.
    """
    with _at_work("stslab solve", lab) as now:
        now.tasks.run()
        now.tasks.news(now.paper)


@click.command("access")
@click.argument("lab", default="", shell_complete=complete_lab)
@json_option()
@on_account()
def access(*, lab: str, as_json: bool, where: Where) -> None:
    """Show who can do what in the run that goes on (of LAB, if named).

    The embedded account decides each cell without the call being made. On another target a cell
    is empty: nothing is known before it is tried.
    """
    from stslab.cli.accounts import open_account
    from stslab.cli.current import current
    from stslab.home import home
    from stslab.lesson.access import table
    from stslab.runner.journal.store import Journal

    place = home()
    with Journal(place.journal) as journal:
        now = current(journal, where.target, lab)
    opened = open_account(place, where)
    cells = table(now.lab, now.done, now.scope, opened.decider(place))
    if as_json:
        rows = [
            {"cell": one.cell, "as": one.who, "verdict": one.word, "by": list(one.verdict.by)}
            for one in cells
        ]
        click.echo(json.dumps({"cells": rows}, indent=2))
        return
    from stslab.lesson.scenes import Matrix
    from stslab.render.lesson.views import matrix
    from stslab.render.terminal.console import make_console
    from stslab.render.terminal.paper import Paper

    scene = Matrix(f"Who can do what in run {now.run.id}", cells, frozenset())
    matrix(Paper(make_console(sys.stdout)), scene)


class _AtWork(NamedTuple):
    paper: "Paper"
    tasks: "TasksExercise"


@contextmanager
def _at_work(command: str, lab: str) -> Iterator[_AtWork]:
    """The tasks of the stage that the run is at.

    Raises:
        UsageError: there is no such run, or nothing is left to do in it by hand.
    """
    from stslab.cli.accounts import open_account
    from stslab.cli.bench import bench
    from stslab.cli.current import current
    from stslab.cli.run.exercises import TasksExercise, call_of
    from stslab.cli.run.lesson import commands, hand_of
    from stslab.render.terminal.paper import Paper
    from stslab.runner.journal.records import How

    with bench(command) as laid:
        now, opened = current(laid.journal, "sandbox", lab), open_account(laid.home, Where())
        if laid.journal.past(now.run.id).broken():
            raise UsageError(
                "A fault is to be found: hint and solve are words at its prompt.",
                "Go on there: stslab break",
            )
        runner = opened.runner(
            now.lab, laid.home, laid.journal, lambda _: None, describe=laid.describe, how=How.HAND
        )
        runner.resume()
        undone = (one for one in now.lab.stages if one.id not in runner.stages_done)
        stage = next((one for one in undone if not one.cleanup), None)
        if stage is None:
            raise UsageError("Every stage is done.", "Clean up: stslab run, or stslab cleanup")
        tasks = hand_of(laid.home, opened, now.lab, runner)
        shown = commands(laid.home, opened, now.lab, runner)
        exercise = TasksExercise(
            tasks, stage, stage.title, lambda step: shown(call_of(step, runner.scope()))
        )
        if exercise.standing.next is None:
            done = f"Every task of “{stage.title}” is done."
            raise UsageError(done, "Go on: stslab run --practice")
        paper = Paper(laid.console)
        paper.prose(exercise.standing.next.text, style="bold")
        yield _AtWork(paper, exercise)
