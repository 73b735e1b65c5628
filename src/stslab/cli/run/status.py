"""``stslab status``: where runs stand."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from stslab.home import home
from stslab.render.text.symbols import symbols_for

if TYPE_CHECKING:
    from stslab.runner.journal.records import RunRecord
    from stslab.runner.journal.store import Journal

_FEW = 10


@click.command("status")
@click.option("--all", "every", is_flag=True, help=f"All runs, not only the last {_FEW}.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, on stdout.")
def command(*, every: bool, as_json: bool) -> None:
    """Show the runs of this machine, the newest first, and how far each has come."""
    runs = _runs(None if every else _FEW)
    if as_json:
        click.echo(json.dumps(runs, indent=2))
        return
    if not runs:
        click.echo("There are no runs yet. Begin with: stslab run")
    for run in runs:
        _say(run)


def _runs(most: int | None) -> list[dict[str, Any]]:
    from stslab.runner.journal.store import Journal

    place = home()
    if not place.has_journal:
        return []
    with Journal(place.journal) as journal:
        return [_fields(run, journal) for run in journal.runs()[:most]]


def _fields(run: "RunRecord", journal: "Journal") -> dict[str, Any]:
    stages = sorted(journal.stages(run.id), key=lambda one: one.at)
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
        "stages": [{"stage": one.stage, "held": one.held, "at": one.at} for one in stages],
    }


def _say(run: dict[str, Any]) -> None:
    signs = symbols_for(sys.stdout.encoding)
    where = f"{run['target']}, account {run['account']}"
    click.echo(f"{run['run']}  {run['lab']}  {run['state']}  ({where}, {run['started'][:16]})")
    done = [
        f"{signs.done if one['held'] else signs.failed} {one['stage']}" for one in run["stages"]
    ]
    if done:
        click.echo(click.wrap_text("  ".join(done), 80, "  ", "  "))
