"""``stslab new``: a folder with a lab to begin with, which passes its test as it is."""

import re
from pathlib import Path

import click

from stslab.errors import UsageError
from stslab.resources import labs_folder

STARTS = Path(__file__).parent / "starts"
_NAME = "my-lab"
_ID = re.compile(r"[a-z][a-z0-9-]{1,39}")
_SCHEMA = "lab.schema.json"


@click.command("new")
@click.argument("lab_id", metavar="ID")
@click.option(
    "--from",
    "start",
    type=click.Choice(sorted(path.stem for path in STARTS.glob("*.yaml"))),
    default="role",
    show_default=True,
    help="What the lab is about.",
)
def command(*, lab_id: str, start: str) -> None:
    """Make the folder ID with a lab in it, `ID.yaml`, that passes its test as it is.

    Change one thing at a time, and test it again.
    """
    if not _ID.fullmatch(lab_id):
        raise UsageError(
            f"{lab_id!r} is no name for a lab.",
            "Use small letters, digits and -, beginning with a letter; 2 to 40 of them.",
        )
    folder = Path(lab_id)
    text = (STARTS / f"{start}.yaml").read_text(encoding="utf-8").replace(_NAME, lab_id)
    path = folder / f"{lab_id}.yaml"
    try:
        folder.mkdir()
        path.write_text(f"# yaml-language-server: $schema={_SCHEMA}\n{text}", encoding="utf-8")
        schema = (labs_folder() / _SCHEMA).read_text(encoding="utf-8")
        (folder / _SCHEMA).write_text(schema, encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"There is a {folder} already.", "Choose another name.") from None
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} can't be written: {error.strerror}.",
            "Go to a folder that you may write to.",
        ) from error
    click.echo(f"{path}: {start}, ready to be changed.")
    click.echo(f"Check it:   stslab lint {path}")
    click.echo(f"Test it:    stslab test {path} --mutate")
    click.echo(f"Go through: stslab run {path}")
