"""``stslab hint``, ``solve`` and ``access``, for a run that waits in another terminal."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from stslab.cli.accounts import open_account
from stslab.cli.options import Where
from stslab.cli.run.exercises import FaultExercise, TasksExercise
from stslab.cli.run.here import Here
from stslab.cli.workspace import current, open_workspace
from stslab.errors import UsageError
from stslab.home import home
from stslab.lesson.access import table
from stslab.render.lesson.scenes import Matrix
from stslab.render.terminal.paper import Paper, paper_on
from stslab.runner.journal.records import FaultState, How
from stslab.runner.journal.store import Journal


def hint(lab: str) -> None:
    with _at_work("stslab hint", lab) as (paper, exercise):
        _say_task(paper, exercise)
        paper.prose(exercise.hint())
        _show_command(paper, exercise)


def solve(lab: str) -> None:
    with _at_work("stslab solve", lab) as (paper, exercise):
        _say_task(paper, exercise)
        exercise.run()
        exercise.news(paper)


def why() -> bool:
    """Explain a little more; False if there is nothing left to find out."""
    try:
        with _at_work("stslab why", "") as (paper, exercise):
            exercise.draw_why(paper)
            _show_command(paper, exercise)
    except UsageError:
        return False
    return True


def _say_task(paper: Paper, exercise: "_AtWork") -> None:
    if not exercise.title:
        raise UsageError("Every task of this stage is done.", "Go on: stslab run --practice")
    paper.prose(exercise.title, style="bold")


def _show_command(paper: Paper, exercise: "_AtWork") -> None:
    if exercise.command:
        paper.command(exercise.command)


def access(lab: str, where: Where, *, as_json: bool) -> None:
    place = home()
    with Journal(place.journal) as journal:
        now = current(journal, where.target, lab)
    opened = open_account(place, where)
    cells = table(now.lab, now.done, now.scope, opened.decide)
    if as_json:
        rows = [
            {"cell": cell.cell, "as": cell.who, "verdict": cell.word, "by": list(cell.verdict.by)}
            for cell in cells
        ]
        click.echo(json.dumps({"cells": rows}, indent=2))
        return
    scene = Matrix(cells, title=f"Who can do what in run {now.run.id}")
    scene.draw(paper_on(sys.stdout))


_AtWork = TasksExercise | FaultExercise


@contextmanager
def _at_work(command: str, lab: str) -> Iterator[tuple[Paper, _AtWork]]:
    """The current exercise of the run: its fault, or the tasks of its stage."""
    with open_workspace(command) as workspace:
        now = current(workspace.journal, "sandbox", lab)
        opened = open_account(workspace.home, Where())
        runner = opened.runner(
            now.lab, workspace.journal, lambda _: None, workspace.describe, How.HAND
        )
        runner.resume()
        here, paper = Here(workspace, opened, now.lab, runner), workspace.paper
        for broken in workspace.journal.past(now.run.id).broken()[-1:]:
            if broken.state is not FaultState.PLANTED:
                raise UsageError("No fault is planted at the moment.", "Go on: stslab break")
            yield paper, FaultExercise(here, here.faults(), broken)
            return
        undone = (each for each in now.lab.stages if each.id not in runner.stages_done)
        stage = next((each for each in undone if not each.cleanup), None)
        if stage is None:
            raise UsageError("Every stage is done.", "Clean up: stslab run, or stslab cleanup")
        yield paper, TasksExercise(here, here.hand(), stage, stage.title)
