"""``stslab why``: explains a refusal from the decision itself, and says what to change."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stslab.errors import SandboxError, UsageError
from stslab.home import home

if TYPE_CHECKING:
    from stslab.sandbox.pipeline.log_file import Event

_SHORTEST = 6


@click.command("why")
@click.argument("request_id", default="", metavar="[REQUEST-ID]")
@click.option("--json", "as_json", is_flag=True, help="A JSON object, on stdout.")
def command(*, request_id: str, as_json: bool) -> None:
    """Explain the last refusal of the embedded account, or the request of this id.

    It shows who asked for what, which policies were gathered, what each statement said of the
    request, which of them refused, and what to change. The id is the one that AWS answers:
    `stslab sandbox log` shows it, boto3 has it in ResponseMetadata, the aws CLI with --debug.
    Its first characters are enough.
    """
    from stslab.sandbox.why.explanation import explain

    folder = home().sandbox
    event = _chosen(folder, request_id)
    if event is None:
        _say_nothing(as_json=as_json)
        return
    told = explain(event, lambda key: _key_facts(folder, key))
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    from stslab.render.terminal.console import make_console
    from stslab.render.why import show

    show(make_console(sys.stdout), told)


def _say_nothing(*, as_json: bool) -> None:
    click.echo("The embedded account has refused nothing yet.", err=True)
    if as_json:
        click.echo("null")


def _chosen(folder: Path, request_id: str) -> "Event | None":
    from stslab.sandbox.pipeline.log_file import is_refused, newest_first

    if not request_id:
        return next(filter(is_refused, newest_first(folder)), None)
    wanted = request_id.strip().lower()
    found = {
        event["requestID"]: event
        for event in newest_first(folder)
        if str(event["requestID"]).lower().startswith(wanted)
    }
    if len(found) == 1 and (len(wanted) >= _SHORTEST or wanted in map(str.lower, found)):
        return next(iter(found.values()))
    problem = "several requests" if found else "no request"
    raise UsageError(
        f"The log has {problem} whose id begins with {request_id}.",
        "See the ids of the last ones: stslab sandbox log",
    )


def _key_facts(folder: Path, access_key_id: str) -> Mapping[str, Any] | None:
    """What the sandbox knows of the key; None where it does not run."""
    from stslab.sandbox.server import client

    if not access_key_id:
        return None
    try:
        return client.control(folder, "GET", f"key?id={access_key_id}")
    except SandboxError:
        return None
