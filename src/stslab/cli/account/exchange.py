"""``stslab sandbox export`` and ``import``: an embedded account as one file."""

import shlex
from pathlib import Path

import click

from stslab.cli.account.sandbox import confirm
from stslab.cli.options import complete_run
from stslab.errors import UsageError
from stslab.home import home
from stslab.render.text.safe import visible

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("export")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--run", default="", metavar="RUN", shell_complete=complete_run,
              help="With this run: its journal, its profiles and its lab.")  # fmt: skip
def export_command(*, file: Path, force: bool, run: str) -> None:
    """Write the whole account to FILE, for import elsewhere.

    With --run, the run is included, and continues where FILE is imported: this hands out a
    set-up that is half done or broken.

    It works while the account is in use. The file holds the account's secret keys, and only
    you may read it: give it only to people who may use them.
    """
    from stslab.sandbox.server import client, exchange

    path = file.expanduser().absolute()
    if path.exists() and not force:
        raise UsageError(f"The file {file} exists already.", "Name another one, or add --force.")
    if not exchange.has_account(home().sandbox):
        client.ensure(home().sandbox)
    if run:
        from stslab.cli.account import setup

        setup.export(home(), run, path)
    else:
        exchange.export(home().sandbox, path)
    click.echo(f"Exported the account to {file} ({path.stat().st_size >> 10} KiB).")
    click.echo("It holds the account's secret keys; only you may read it.", err=True)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def import_command(*, file: Path, yes: bool) -> None:
    """Replace the present account with the one in FILE.

    FILE is from `stslab sandbox export` of this version. Its users, roles, buckets and keys
    come with it. The present account is deleted, and its runs are lost.
    """
    from stslab.cli.account import setup
    from stslab.sandbox.server import exchange
    from stslab.sandbox.state import archive

    folder = home().sandbox
    read = None if setup.is_one(file) else archive.read(file)
    if exchange.has_account(folder) and not yes:
        question = f"Replace the embedded account, with everything in it, by the one in {file}?"
        hint = "If that is what you want, add it."
        confirm(question, "the present account is replaced", hint)
    if read is None:
        _set_up(file)
        return
    endpoint = exchange.put_in(folder, read)
    click.echo(f"The account of {file} is at {endpoint.url}")
    click.echo('Its keys are new ones: eval "$(stslab env)"', err=True)


def _set_up(file: Path) -> None:
    from stslab.cli.account import setup
    from stslab.runner.journal.lock import held

    with held(home(), "stslab sandbox import"):
        run, lab = setup.put_in(home(), file)
    click.echo(visible(f"Run {run.id} of the lab {run.lab} was imported as it was."))
    click.echo("See what holds: stslab check")
    click.echo(visible(f"Go on: stslab run {shlex.quote(str(lab or run.lab))}"))
    click.echo(f"Undo it: stslab cleanup {run.id}")
