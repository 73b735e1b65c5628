"""``stslab labs``, ``show``, ``new``, ``lint`` and ``test``."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import click

from stslab.cli.failures import for_same_run, writing
from stslab.cli.options import USUAL_LAB, complete_lab, json_option
from stslab.durations import counted
from stslab.errors import InvalidLab, LabError, UsageError
from stslab.render.text.safe import one_line, visible
from stslab.render.text.symbols import columns
from stslab.resources import bundled_labs, foreign_folder, labs_folder, labs_in


@click.command("labs")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@json_option("A JSON array, on stdout.")
def command(*, folder: Path | None, as_json: bool) -> None:
    """List the labs that come with stslab, and those in FOLDER (or STSLAB_LABS).

    Other commands take a lab's id. For a lab in a FOLDER named here, they take its path.
    """
    from stslab.cli.progress import known_of, progress
    from stslab.lab.listing import header, headers

    further = folder or foreign_folder()
    foreign = [header(path) for path in labs_in(further)] if further else []
    if further and not foreign:
        fix = "Name another folder (as FOLDER, or in STSLAB_LABS), or make a lab: stslab new ID"
        raise UsageError(f"There is no lab in {further}.", fix)
    reached = progress()
    rows = [known_of(lab, reached.get(lab.id), foreign=False) for lab in headers()]
    rows += [known_of(lab, reached.get(lab.id), foreign=True) for lab in foreign]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        _show(rows)


def _show(rows: list[dict[str, Any]]) -> None:
    width, widest = columns(), max(len(row["id"]) for row in rows)
    for number, row in enumerate(rows, 1):
        proved = f"{row['proved']} of {row['claims']} proved"
        marks = ["foreign"] if row["foreign"] else []
        marks += ["embedded account only"] if row["embedded_only"] else []
        marks += {"new": [], "begun": [proved], "done": ["done"]}[row["state"]]
        marked = f" ({', '.join(marks)})" if marks else ""
        lead = f"{'' if row['foreign'] else number:<2} {row['id']:<{widest}}  "
        text = f"{row['title'] or row['problem']}{marked}"
        click.echo(visible(click.wrap_text(text, width, lead, " " * len(lead))))
        if row["foreign"]:
            click.echo(f"   {one_line(row['path'])}")
    course = [row["state"] for row in rows if not row["foreign"]]
    done, of = course.count("done"), len(course)
    goes_on = "Go on: stslab run next" if done < of else "Find a fault: stslab break"
    last = f"{done} of {of} done. {for_same_run(goes_on)}. What a lab does: stslab show LAB"
    click.echo(click.wrap_text(last, width))


@click.command("show")
@click.argument("lab", default=USUAL_LAB, shell_complete=complete_lab)
@click.option("--table/--markdown", "as_table", default=True, help="A table, or a page.")
def show(*, lab: str, as_table: bool) -> None:
    """Show LAB (an id or a file) as a table, or as a page of Markdown."""
    from stslab.cli.workspace import load_lab
    from stslab.render.terminal.lab import markdown_of, show_table
    from stslab.render.terminal.paper import paper_on

    loaded = load_lab(lab)
    if as_table:
        show_table(paper_on(sys.stdout), loaded, lab)
    else:
        click.echo(visible(markdown_of(loaded)), nl=False)


STARTS = Path(__file__).parent / "starts"
_SCHEMA = "lab.schema.json"


@click.command("new")
@click.argument("lab_id", metavar="ID")
@click.option("--from", "start", default="role", show_default=True, help="What the lab is about.",
              type=click.Choice(sorted(path.stem for path in STARTS.glob("*.yaml"))))  # fmt: skip
def new(*, lab_id: str, start: str) -> None:
    """Make the folder ID with a lab in it, `ID.yaml`, that passes its test.

    Change one thing at a time, and test it again.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,39}", lab_id):
        fix = "Use 2 to 40 small letters, digits and -, beginning with a letter."
        raise UsageError(f"{lab_id!r} is not a valid name for a lab.", fix)
    folder = Path(lab_id)
    text = (STARTS / f"{start}.yaml").read_text(encoding="utf-8").replace("my-lab", lab_id)
    path = folder / f"{lab_id}.yaml"
    with writing(folder):
        if folder.exists():
            raise UsageError(f"{folder} exists already.", "Choose another name.")
        folder.mkdir()
        path.write_text(f"# yaml-language-server: $schema={_SCHEMA}\n{text}", encoding="utf-8")
        schema = (labs_folder() / _SCHEMA).read_text(encoding="utf-8")
        (folder / _SCHEMA).write_text(schema, encoding="utf-8")
    click.echo(f"{path}: made from {start}; now change it.")
    click.echo(f"Check it:   stslab lint {path}")
    click.echo(f"Test it:    stslab test {path} --mutate")
    click.echo(f"Go through: stslab run {path}")


_KEYS = ("rule", "severity", "file", "line", "column", "message", "fix")


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="For people, or one JSON object a problem.")  # fmt: skip
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
def lint_command(*, paths: tuple[Path, ...], form: str) -> None:
    """Check lab files and the labs in folders (PATHS) offline; without PATHS, all bundled labs.

    Each problem comes with its file, line and column, and what to write instead. A lab with
    an error does not run. A warning may be allowed in the file: `# stslab: allow RULE reason`.
    Exit code 2 if there is any problem.
    """
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.cli.in_memory import served
    from stslab.lab.embedded import embedded_only
    from stslab.lab.lint import lint
    from stslab.lab.loader import load

    catalogue, calls = BotocoreCatalogue(), served()
    chosen = [lab for path in paths for lab in _labs(path)] or bundled_labs()
    problems = [found for lab in chosen for found in lint(lab, catalogue=catalogue, served=calls)]
    for problem in problems:
        line = json.dumps({key: getattr(problem, key) for key in _KEYS})
        click.echo(line if form == "json" else visible(f"{problem}\n"))
    for path in chosen if not problems else ():
        if needs := embedded_only(load(path, catalogue=None)):
            only = f"embedded account only, since it {' and '.join(needs)}."
            click.echo(f"{one_line(str(path))}: {only}", err=True)
    where = counted(len(chosen), "lab" if paths else "bundled lab")
    if problems:
        raise InvalidLab(f"{counted(len(problems), 'problem')} in {where}.")
    click.echo(f"{where} checked, nothing to fix.", err=form == "json")


def _labs(path: Path) -> list[Path]:
    """The labs in a folder or of an id; any other path itself, so that reading it fails."""
    from stslab.lab.listing import find

    with suppress(OSError, LabError):
        return labs_in(path) or [find(path)]
    return [path]


@click.command("test")
@click.argument("labs", nargs=-1, shell_complete=complete_lab)
@click.option("--mutate", is_flag=True, help="Also change one thing at a time: a check or a cell"
              " of `access` must notice it.")  # fmt: skip
@click.option("--rehearse", "spec", is_flag=False, flag_value="", default=None, metavar="[SPEC]",
              help="In an account that behaves as a real one can; see `stslab sandbox start`."
              )  # fmt: skip
@click.option("--junit", type=click.File("w", encoding="utf-8", lazy=False), metavar="FILE",
              help="Write JUnit XML, for a CI system.")  # fmt: skip
@json_option("One JSON object a lab, on stdout.")
def test(
    *, labs: tuple[str, ...], mutate: bool, spec: str | None, junit: TextIO | None, as_json: bool
) -> int:
    """Run LABS (ids, files, folders; by default all bundled ones) in throw-away accounts.

    A lab passes when every stage ran, every claim held, and the account is afterwards what it
    was before, thing by thing. Exit code: 0, or that of the first lab that failed: 1 a call
    failed, 2 the lab is invalid, 3 a claim did not hold, a task or fault can't be solved, or a
    mutant was not noticed, 5 something is left.
    """
    from stslab.cli.labs.testing import tested

    return tested(labs, spec, junit, mutate=mutate, as_json=as_json)
