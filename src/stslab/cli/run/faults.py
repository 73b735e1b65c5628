"""The faults of the labs, and ``stslab break --list``."""

import json
import sys
from typing import Any

import click

from stslab.cli.workspace import load_lab
from stslab.lab.listing import find, headers, kept
from stslab.lab.model import Lab
from stslab.render.terminal.paper import paper_on
from stslab.runner.journal.records import RunFault
from stslab.structures import beside

DECLARE = "Declare one in `faults:`, or let the `access` table allow something after a stage."


def list_faults(lab: str, *, as_json: bool) -> None:
    """List them lab by lab, in the course's order; those of a foreign lab take a while."""
    rows, paper = [], paper_on(sys.stdout)
    for path in [find(lab)] if lab else [each.path for each in headers()]:
        loaded = load_lab(path)
        known = kept("faults.json").get(loaded.sha256)
        if known is None and sys.stderr.isatty():
            click.echo(f"{loaded.id}: proving which faults can be found and fixed ...", err=True)
        alike = dict[str, list[str]]()  # ids of the faults that look the same
        for fault in proved(loaded) if known is None else known:
            said = fault["title"]
            if fault["derived"]:  # what is the same in each is said once, below
                said = said.removeprefix("Since this morning ").partition(", and nobody")[0]
            alike.setdefault(said, []).append(fault["id"])
            rows.append({"id": fault["id"], "lab": loaded.id, **fault})
        if alike and not as_json:
            paper.prose(f"{loaded.title} ({loaded.id})", style="bold")
        for said, ids in alike.items() if not as_json else ():
            paper.prose(f"{', '.join(ids)}: {said}", indent=2)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        paper.prose(beside(__file__, "texts.yaml")["alike"])
    else:
        click.echo(f"No fault can be proved. {DECLARE}", err=True)


def offered(lab: Lab) -> list[RunFault]:
    from stslab.cli.in_memory import proofs

    found = [proof for _, proof in proofs(lab) if not isinstance(proof, str)]
    return sorted(found, key=lambda fault: fault.id)


def proved(lab: Lab) -> list[dict[str, Any]]:
    return [{"id": one.id, "title": one.title, "derived": one.derived} for one in offered(lab)]
