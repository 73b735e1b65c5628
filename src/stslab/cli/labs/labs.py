"""``stslab labs``: which labs there are."""

import json
import shutil
from pathlib import Path

import click

from stslab.cli.options import json_option
from stslab.resources import labs_folder


@click.command("labs")
@json_option("A JSON array, on stdout.")
def command(*, as_json: bool) -> None:
    """List the labs that come with stslab, with their stages."""
    from stslab.lab.reading.listing import headers

    found = headers(labs_folder())
    embedded = {lab.path for lab in found if not lab.problem and _embedded_only(lab.path)}
    if as_json:
        listed = [
            {
                "id": lab.id,
                "title": lab.title,
                "path": str(lab.path),
                "problem": lab.problem,
                "embedded_only": lab.path in embedded,
                "stages": [{"id": stage, "title": title} for stage, title in lab.stages],
            }
            for lab in found
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    for lab in found:
        only = " (embedded account only)" if lab.path in embedded else ""
        click.echo(f"{lab.id}: {lab.title or lab.problem}{only}")
        width = shutil.get_terminal_size().columns
        stages = ", ".join(stage for stage, _ in lab.stages)
        click.echo(click.wrap_text(stages, width, "  ", "  "))


def _embedded_only(path: Path) -> bool:
    from stslab.errors import InvalidLab
    from stslab.lab.embedded import embedded_only
    from stslab.lab.loader import load

    try:
        return bool(embedded_only(load(path, catalogue=None)))
    except InvalidLab:
        return False
