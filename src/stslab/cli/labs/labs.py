"""``stslab labs``: which labs there are."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stslab.cli.bench import progress
from stslab.cli.options import json_option
from stslab.render.text.safe import visible
from stslab.resources import foreign_folder, labs_folder

if TYPE_CHECKING:
    from stslab.runner.journal.standing import Standing


@click.command("labs")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@json_option("A JSON array, on stdout.")
def command(*, folder: Path | None, as_json: bool) -> None:
    """List the labs that come with stslab, and those in FOLDER (or STSLAB_LABS), as foreign.

    A lab goes by its id; those of a FOLDER that is named here, by their path.
    """
    from stslab.errors import UsageError
    from stslab.lab.reading.listing import header, headers, labs_in

    further = folder or foreign_folder()
    foreign = [header(path) for path in labs_in(further)] if further else []
    if further and not foreign:
        raise UsageError(
            f"There is no lab in {further}.",
            "Name a folder with labs (ARGUMENT, or STSLAB_LABS), or make one: stslab new ID",
        )
    found = [*headers(labs_folder()), *foreign]
    embedded = {lab.path for lab in found if not lab.problem and _embedded_only(lab.path)}
    reached = progress()
    if as_json:
        listed = [
            {
                "id": lab.id,
                "title": lab.title,
                "path": str(lab.path),
                "problem": lab.problem,
                "foreign": lab in foreign,
                "embedded_only": lab.path in embedded,
                "after": lab.after,
                **_progress(reached.get(lab.id)),
                "stages": [{"id": stage, "title": title} for stage, title in lab.stages],
            }
            for lab in found
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    for lab in found:
        marks = ["foreign"] if lab in foreign else []
        marks += ["embedded account only"] if lab.path in embedded else []
        stood = reached.get(lab.id)
        if stood:
            marks += ["done" if stood.finished else f"{stood.proved} of {len(stood.claims)} proved"]
        only = f" ({', '.join(marks)})" if marks else ""
        width = shutil.get_terminal_size().columns
        line = f"{lab.id}: {lab.title or lab.problem}{only}"
        click.echo(visible(click.wrap_text(line, width, "", "  ")))
        stages = ", ".join(stage for stage, _ in lab.stages)
        click.echo(visible(click.wrap_text(stages, width, "  ", "  ")))
        if lab in foreign:
            click.echo(visible(f"  {lab.path}"))


def _progress(stood: "Standing | None") -> dict[str, object]:
    if stood is None:
        return {"state": "new", "proved": 0, "claims": 0}
    state = "done" if stood.finished else "begun"
    return {"state": state, "proved": stood.proved, "claims": len(stood.claims)}


def _embedded_only(path: Path) -> bool:
    from stslab.errors import InvalidLab
    from stslab.lab.embedded import embedded_only
    from stslab.lab.loader import load

    try:
        return bool(embedded_only(load(path, catalogue=None)))
    except InvalidLab:
        return False
