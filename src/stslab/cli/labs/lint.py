"""``stslab lint``: what is wrong in lab files, all at once."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from stslab.errors import InvalidLab
from stslab.render.text.durations import counted
from stslab.render.text.safe import visible

_KEYS = ("rule", "severity", "file", "line", "column", "message", "fix")


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="For people, or one JSON object a problem.")  # fmt: skip
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def command(*, paths: tuple[Path, ...], form: str) -> None:
    """Check the lab files PATHS, and those in folders, offline; without PATHS all bundled labs.

    Each problem comes with its file, line and column, and what to write instead. A lab with
    an error does not run. A warning may be allowed in the file: `# stslab: allow RULE reason`.
    Exit code 2 if there is either.
    """
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.cli.inside import served
    from stslab.lab.embedded import embedded_only
    from stslab.lab.lint import lint
    from stslab.lab.loader import load
    from stslab.resources import bundled_labs

    catalogue, calls = BotocoreCatalogue(), served()
    chosen = [one for path in paths for one in _labs(path)] or bundled_labs()
    problems = [one for path in chosen for one in lint(path, catalogue=catalogue, served=calls)]
    for problem in problems:
        fields = asdict(problem)
        told = json.dumps({key: fields[key] for key in _KEYS}) if form == "json" else f"{problem}\n"
        click.echo(told if form == "json" else visible(told))
    for path in chosen if not problems else ():
        if needs := embedded_only(load(path, catalogue=None)):
            click.echo(f"{path}: embedded account only, since it {' and '.join(needs)}.", err=True)
    if problems:
        told = f"{counted(len(problems), 'problem')} in {counted(len(chosen), 'lab')}."
        raise InvalidLab(told)
    click.echo(f"{counted(len(chosen), 'lab')} checked, nothing to fix.", err=form == "json")


def _labs(path: Path) -> list[Path]:
    """The labs of a folder; a file, or what is neither, as it is: reading it says so."""
    from stslab.lab.reading.listing import labs_in

    try:
        return labs_in(path) or [path]
    except OSError:
        return [path]
