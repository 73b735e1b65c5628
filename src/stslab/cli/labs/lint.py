"""``stslab lint``: what is wrong in lab files, all at once."""

import json
from pathlib import Path
from typing import Any

import click

from stslab.cli.options import json_option
from stslab.errors import InvalidLab
from stslab.render.text.safe import visible


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@json_option("One JSON object a problem, on stdout.")
def command(*, paths: tuple[Path, ...], as_json: bool) -> None:
    """Check the lab files PATHS (all bundled labs without any) offline.

    Each problem comes with its file, line and column, and what to write instead. Exit code 2
    if there is any.
    """
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.cli.labs.labs import bundled_paths

    catalogue = BotocoreCatalogue()
    chosen = paths or bundled_paths()
    found = [problem for path in chosen for problem in _problems(path, catalogue)]
    for problem in found:
        click.echo(json.dumps(_fields(problem)) if as_json else visible(f"{problem}\n"))
    if found:
        raise InvalidLab(f"{_count(len(found), 'problem')} in {_count(len(chosen), 'lab')}.")
    click.echo(f"{_count(len(chosen), 'lab')} checked, nothing to fix.", err=as_json)


def _problems(path: Path, catalogue: Any) -> tuple[Any, ...]:
    from stslab.lab.loader import load
    from stslab.lab.reading.problems import Problem

    try:
        load(path, catalogue=catalogue)
    except InvalidLab as invalid:
        return invalid.problems or (Problem(str(path), 1, 1, invalid.message, invalid.hint),)
    return ()


def _fields(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "line", "column", "message", "fix")}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
