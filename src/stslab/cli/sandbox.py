"""``stslab sandbox``: the embedded account as a background process."""

import json
import sys
from typing import Any

import click

from stslab.home import home


@click.group("sandbox")
def command() -> None:
    """Start, stop, look at or reset the embedded AWS account.

    Commands that need it start it by themselves, and it ends itself after two idle hours.
    """


@command.command("start")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 finds a free one.")
def start(*, port: int) -> None:
    """Start it, if it does not run yet."""
    from stslab.sandbox import client

    endpoint = client.ensure(home().sandbox, port=port)
    click.echo(f"The embedded account {endpoint.account} is at {endpoint.url}")
    click.echo('Use it with the aws CLI: eval "$(stslab env)"', err=True)


@command.command("stop")
def stop() -> None:
    """Stop it. Its account is kept for the next start."""
    from stslab.sandbox import client

    stopped = client.stop(home().sandbox)
    click.echo("Stopped." if stopped else "It was not running.")


@command.command("reset")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def reset(yes: bool) -> None:
    """Throw the account away, with everything in it, and begin with a new one."""
    from stslab.sandbox import client

    if not yes and sys.stdin.isatty():
        click.confirm("Throw away the embedded account with everything in it?", abort=True)
    endpoint = client.reset(home().sandbox)
    click.echo(f"A new embedded account is at {endpoint.url}")


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="A JSON object, on stdout.")
def status(as_json: bool) -> None:
    """Show whether it runs, where, and since when."""
    from stslab.sandbox import client

    known: dict[str, Any] = client.status(home().sandbox)
    if as_json:
        click.echo(json.dumps(known, indent=2, default=str))
        return
    widest = max((len(name) for name in known), default=0)
    for name, value in known.items():
        click.echo(f"{name:<{widest}}  {value}")
