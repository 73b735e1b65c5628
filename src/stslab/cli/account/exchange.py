"""``stslab sandbox export`` and ``import``: an embedded account as one file."""

import sys
from pathlib import Path

import click

from stslab.errors import UsageError
from stslab.home import home

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("export")
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def export_command(*, file: Path, force: bool) -> None:
    """Write the whole account to FILE, to be imported elsewhere.

    It works while the account is in use. The file holds the account's secret keys, and only
    you may read it: give it to people who may use them.
    """
    from stslab.sandbox.server import client, exchange

    path = file.expanduser().absolute()
    if path.exists() and not force:
        raise UsageError(f"The file {file} exists already.", "Name another one, or add --force.")
    if not exchange.has_account(home().sandbox):
        client.ensure(home().sandbox)
    exchange.export(home().sandbox, path)
    click.echo(f"Exported the account to {file} ({path.stat().st_size >> 10} KiB).")
    click.echo("It holds the account's secret keys; only you may read it.", err=True)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def import_command(*, file: Path, yes: bool) -> None:
    """Replace the present account with the one in FILE.

    FILE is what `stslab sandbox export` wrote, with this version. Its users, roles, buckets
    and keys come with it. The present account goes, and with it the runs that were made there.
    """
    from stslab.sandbox.server import exchange
    from stslab.sandbox.state import archive

    folder = home().sandbox
    read = archive.read(file)
    if exchange.has_account(folder) and not yes:
        _ask(file)
    endpoint = exchange.put_in(folder, read)
    click.echo(f"The account of {file} is at {endpoint.url}")
    click.echo('Its keys are new ones: eval "$(stslab env)"', err=True)


def _ask(file: Path) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "Without a terminal, the present account is replaced only with --yes.",
            "If that is what you want, add it.",
        )
    question = f"Replace the embedded account, with everything in it, by the one in {file}?"
    click.confirm(question, abort=True)
