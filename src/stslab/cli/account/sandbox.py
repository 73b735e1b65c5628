"""``stslab sandbox``: the embedded account as a background process."""

import json
import os
import sys

import click

from stslab.cli.commands import LazyGroup, family
from stslab.cli.options import json_option
from stslab.errors import UsageError
from stslab.home import home

_OFF = "off"


@click.group("sandbox", cls=LazyGroup)
@click.option("--name", metavar="NAME", help="Use another embedded account than the usual one.")
def command(name: str | None) -> None:
    """Start, stop, look at or reset the embedded AWS account.

    Commands that need it start it, and it stops after two idle hours. There may be several,
    each with a name: with STSLAB_SANDBOX=NAME every command uses that one.
    """
    if name is not None:
        os.environ["STSLAB_SANDBOX"] = name


command.entries = family("sandbox")


@click.command("start")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 finds a free one.")
@click.option("--rehearse", "spec", is_flag=False, flag_value="", default=None, metavar="[SPEC]",
              help="Behave as a real account can: changes spread slowly, calls fail. "
              "`off` ends that.")  # fmt: skip
def start(*, port: int, spec: str | None) -> None:
    """Start it, if it does not run yet.

    --rehearse alone uses the usual settings. In SPEC only what is named happens: seed, keys,
    users, roles, policies, throttle, errors, errors-after, reset-before, reset-after,
    slow-stacks, fail-stacks, fail-deletes.
    """
    from stslab.sandbox.rehearsal.spec import parse
    from stslab.sandbox.server import client

    if spec not in (None, _OFF):
        parse(spec)
    endpoint = client.ensure(home().sandbox, port=port)
    if spec is not None:
        client.rehearse(home().sandbox, None if spec == _OFF else spec)
    click.echo(f"The embedded account {endpoint.account} is at {endpoint.url}")
    click.echo('Use it with the aws CLI: eval "$(stslab env)"', err=True)


@click.command("stop")
def stop() -> None:
    """Stop it. Its account is kept for the next start."""
    from stslab.sandbox.server import client

    stopped = client.stop(home().sandbox)
    click.echo("Stopped." if stopped else "It was not running.")


@click.command("reset")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def reset(yes: bool) -> None:
    """Delete the account with everything in it, and begin with a new one."""
    from stslab.sandbox.server import client

    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "Without a terminal, the account is deleted only with --yes.",
                "If that is what you want: stslab sandbox reset --yes",
            )
        click.confirm("Delete the embedded account with everything in it?", abort=True)
    endpoint = client.reset(home().sandbox)
    click.echo(f"A new embedded account is at {endpoint.url}")
    click.echo('Its keys are new ones: eval "$(stslab env)"', err=True)


@click.command("status")
@json_option("A JSON object, on stdout.")
def status(as_json: bool) -> None:
    """Show whether it runs, where, and since when."""
    from stslab.sandbox.server import client

    known = client.status(home().sandbox)
    if as_json:
        click.echo(json.dumps(known, indent=2, default=str))
        return
    widest = max((len(name) for name in known), default=0)
    for name, value in known.items():
        click.echo(f"{name:<{widest}}  {value}")
