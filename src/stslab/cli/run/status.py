"""``stslab status``: list the runs and how far each is."""

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from stslab.cli.options import json_option
from stslab.home import home

if TYPE_CHECKING:
    from stslab.runner.journal.standing import Standing

_FEW = 10
_TOLD = "lab title path target account region state started ended".split()


@click.command("status")
@click.option("--all", "every", is_flag=True, help=f"All runs, not only the last {_FEW}.")
@json_option("A JSON array, on stdout.")
def command(*, every: bool, as_json: bool) -> None:
    """Show the runs of this machine, newest first, and how far each is."""
    from stslab.runner.journal.standing import standing
    from stslab.runner.journal.store import Journal

    with Journal.of(home()) as journal:
        few = journal.runs() if every else journal.newest(_FEW)
        runs = [standing(journal.past(run.id)) for run in few]
    if as_json:
        click.echo(json.dumps([_fields(run) for run in runs], indent=2))
        return
    if not runs:
        click.echo("There are no runs yet. Begin with: stslab run")
        return
    from stslab.render.terminal.paper import paper_on

    paper = paper_on(sys.stdout)
    signs = paper.symbols
    marks = {"done": signs.done, "did not hold": signs.failed, "stopped": signs.current}
    for stands in runs:
        run = stands.run
        where = f"{run.target}, account {run.account}"
        paper.prose(f"{run.id}  {run.lab}  {run.state}  ({where}, {run.started[:16]})")
        stages = [f"{marks.get(each.state, signs.pending)} {each.id}" for each in stands.stages]
        if stages:
            paper.prose("  ".join(stages), indent=2)
            paper.prose(stands.summary, indent=2)


def _fields(stands: "Standing") -> dict[str, Any]:
    run = stands.run
    return {
        "run": run.id,
        **{name: getattr(run, name) for name in _TOLD},
        "claims": len(stands.claims),
        "proved": stands.proved,
        **stands.remarks,
        "stages": [
            {
                "stage": stage.id,
                "state": str(stage.state),
                "held": stage.state == "done",
                "attempts": len(stage.attempts),
            }
            for stage in stands.stages
        ],
    }
