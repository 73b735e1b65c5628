"""``stslab status``: where runs stand."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from stslab.home import home
from stslab.render.text.symbols import symbols_for

if TYPE_CHECKING:
    from stslab.runner.journal.standing import Standing

_FEW = 10


@click.command("status")
@click.option("--all", "every", is_flag=True, help=f"All runs, not only the last {_FEW}.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, on stdout.")
def command(*, every: bool, as_json: bool) -> None:
    """Show the runs of this machine, the newest first, and how far each has come."""
    runs = _runs(None if every else _FEW)
    if as_json:
        click.echo(json.dumps([_fields(run) for run in runs], indent=2))
        return
    if not runs:
        click.echo("There are no runs yet. Begin with: stslab run")
    for run in runs:
        _say(run)


def _runs(most: int | None) -> "list[Standing]":
    from stslab.runner.journal.standing import standing
    from stslab.runner.journal.store import Journal

    place = home()
    if not place.has_journal:
        return []
    with Journal(place.journal) as journal:
        stands = (standing(journal.past(run.id)) for run in journal.runs()[:most])
        return [one for one in stands if one]


def _fields(stands: "Standing") -> dict[str, Any]:
    run = stands.run
    return {
        "run": run.id,
        "lab": run.lab,
        "title": run.title,
        "path": run.path,
        "target": run.target,
        "account": run.account,
        "region": run.region,
        "state": str(run.state),
        "started": run.started,
        "ended": run.ended,
        "claims": len(stands.claims),
        "proved": stands.proved,
        "skipped": stands.skipped,
        "not_reached": stands.not_reached,
        "asked_nobody": stands.asked_nobody,
        "tried_again": stands.tried_again,
        "lab_changed": stands.changed,
        "stages": [
            {
                "stage": one.id,
                "state": str(one.state),
                "held": one.state == "done",
                "attempts": len(one.attempts),
            }
            for one in stands.stages
        ],
    }


def _say(stands: "Standing") -> None:
    from stslab.render.report import proved

    run, signs = stands.run, symbols_for(sys.stdout.encoding)
    where = f"{run.target}, account {run.account}"
    click.echo(f"{run.id}  {run.lab}  {run.state}  ({where}, {run.started[:16]})")
    marks = {"done": signs.done, "did not hold": signs.failed, "stopped": signs.failed}
    stages = [f"{marks.get(one.state, signs.pending)} {one.id}" for one in stands.stages]
    for line in ("  ".join(stages), proved(stands)) if stages else ():
        click.echo(click.wrap_text(line, 80, "  ", "  "))
