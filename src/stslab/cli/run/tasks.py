"""``stslab hint``, ``solve`` and ``access``, for a run that waits in another terminal."""

import json
import sys

import click

from stslab.cli.accounts import open_account
from stslab.cli.failures import hints_name
from stslab.cli.options import Where
from stslab.cli.run.exercises import Exercise, FaultExercise, TasksExercise
from stslab.cli.run.here import Here
from stslab.cli.workspace import Workspace, current, open_workspace, word_for
from stslab.errors import UsageError
from stslab.home import home
from stslab.lesson.access import table
from stslab.render.lesson.scenes import heading, matrix
from stslab.render.terminal.paper import paper_on
from stslab.runner.journal.records import FaultState, How
from stslab.runner.journal.store import Journal


def help_with(word: str, lab: str) -> None:
    """Do a ``word`` of the prompt, ``hint``, ``solve`` or ``why``. UsageError: nothing is open."""
    with open_workspace(f"stslab {word}") as workspace:
        exercise, paper = _at_work(workspace, lab), workspace.paper
        if word == "why":
            exercise.why(paper)
        elif exercise.done:
            raise UsageError("Every task of this stage is done.", "Go on: stslab run")
        elif exercise.title:
            paper.prose(exercise.title, style="bold")
            paper.blank()
        if word == "hint":
            exercise.hint(paper)
        if word == "solve":
            exercise.run()
            exercise.news(paper)
        elif exercise.command:
            paper.command(exercise.elsewhere)


def access(lab: str, where: Where, *, as_json: bool) -> None:
    place = home()
    with Journal(place.journal) as journal:
        here = current(journal, where.target, lab)
    cells = table(here.lab, here.done, here.scope, open_account(place, where).decide)
    if as_json:
        words = {True: "allowed", False: "denied", None: "unknown"}
        rows = [
            {"cell": each.cell, "as": each.who, "verdict": words[each.verdict.allowed],
             "by": list(each.verdict.by)}
            for each in cells
        ]  # fmt: skip
        click.echo(json.dumps({"cells": rows}, indent=2))
        return
    paper = paper_on(sys.stdout)
    heading(paper, f"Who can do what in run {here.run.id}")
    matrix(paper, cells)


def _at_work(workspace: Workspace, lab: str) -> Exercise:
    """The current exercise of the run: its fault, or the tasks of its stage."""
    journal = workspace.journal
    meant = current(journal, "sandbox", lab)
    opened = open_account(workspace.home, Where())
    runner = opened.runner(meant.lab, journal, lambda _: None, How.HAND)
    if not runner.resume():
        raise UsageError("The run's account is gone.", "Begin again: stslab run")
    hints_name(word_for(meant.run), by_hand=runner.past.how is How.HAND)
    here = Here(workspace, opened, runner)
    for broken in journal.past(meant.run.id).broken()[-1:]:
        if broken.state not in (FaultState.PLANTED, FaultState.FIXED):
            raise UsageError("No fault is planted at the moment.", "Go on: stslab break")
        exercise = FaultExercise(here, here.faults(), broken)
        if exercise.stands.state is FaultState.FIXED:
            raise UsageError("The fault is fixed.", "Go on: stslab break")
        return exercise
    undone = (each for each in meant.lab.stages if each.id not in runner.stages_done)
    stage = meant.lab.stage(runner.past.stage) or next(undone, None)
    if stage is None or stage.cleanup:
        raise UsageError("Every stage is done.", "Clean up: stslab run, or stslab cleanup")
    return TasksExercise(here, here.hand(), stage)
