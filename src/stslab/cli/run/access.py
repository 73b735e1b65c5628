"""``stslab access``: who can do what, as the account decides it now."""

import json
import sys

import click

from stslab.cli.names import complete_lab
from stslab.cli.options import Where, json_option, on_account
from stslab.errors import UsageError


@click.command("access")
@click.argument("lab", default="assume-role", shell_complete=complete_lab)
@json_option()
@on_account()
def command(*, lab: str, as_json: bool, where: Where) -> None:
    """Show who can do what in the current run of LAB.

    The embedded account decides each cell without the call being made. On another target a cell
    is empty: nothing is known before it is tried.
    """
    from stslab.aws.target import name_of
    from stslab.cli.accounts import open_account
    from stslab.cli.bench import load_lab
    from stslab.home import home
    from stslab.lesson import access
    from stslab.runner.journal.store import Journal
    from stslab.runner.run.scope import basis, scope

    loaded, place = load_lab(lab), home()
    with Journal(place.journal) as journal:
        runs = journal.unfinished(name_of(where.target), loaded.id)
        if not runs:
            raise UsageError(f"There is no run of {loaded.id}.", "Begin one: stslab run")
        run = runs[0]
        base = basis(run.id, run.account, run.region, run.partition)
        known = scope(loaded, base, journal.saved(run.id), journal.profiles(run.id))
        done = tuple(journal.held(run.id))
    opened = open_account(place, where)
    cells = access.table(loaded, done, known, opened.decider(place))
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

    scene = Matrix(f"Who can do what in run {run.id}", cells, frozenset())
    matrix(Paper(make_console(sys.stdout)), scene, lambda _: "")
