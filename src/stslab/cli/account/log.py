"""``stslab sandbox log`` and ``watch``: requests to the embedded account."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from stslab.cli.account.sandbox import since
from stslab.cli.options import json_option
from stslab.home import home
from stslab.sandbox.server import client

if TYPE_CHECKING:
    from stslab.sandbox.pipeline.log_file import Event

_PAUSE = 0.2
_every = click.option("--all", "every", is_flag=True, help="Also stslab's own lookups.")


@click.command("log")
@click.option("-f", "--follow", is_flag=True, help="Show new requests too, until Ctrl-C.")
@click.option("--denied", is_flag=True, help="Only refused requests.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True,
              help="How many of the last requests.")  # fmt: skip
@click.option("--since", "start", default="", metavar="SPAN|TIME",
              help="Only requests after this: 10m, 2h, 2030-01-31T12:00Z.")  # fmt: skip
@_every
@json_option("JSON lines, as CloudTrail records.")
def command(
    *, follow: bool, denied: bool, limit: int, start: str, every: bool, as_json: bool
) -> None:
    """Show the requests to the account: time, caller, call, resource, and the decision.

    A refusal shows the reason, and the id by which `stslab why` explains it. --json prints
    CloudTrail records, each with its `decisions`.
    """
    from stslab.lesson.byhand import is_look
    from stslab.sandbox.pipeline.log_file import Tail, is_refused, newest_first

    folder = home().sandbox
    runs, now = client.find(folder) is not None, datetime.now(UTC)
    if start and runs:
        now = datetime.fromisoformat(client.control(folder, "GET", "clock")["now"])
    begin = since(start, now) if start else None

    def matches(event: "Event") -> bool:
        shown = (not denied or is_refused(event)) and (every or not is_look(event))
        return shown and not (begin and datetime.fromisoformat(event["eventTime"]) < begin)

    if not runs:
        click.echo("The embedded account is not running; this is its log.", err=True)
    show = _shower(as_json=as_json)
    if follow:
        with closing(Tail(folder)) as tail, suppress(KeyboardInterrupt):  # which is no error here
            new = list(filter(matches, tail.read()))[-limit:]
            while True:
                for event in new:
                    show(event)
                time.sleep(_PAUSE)
                new = list(filter(matches, tail.read()))
        return
    found = list(islice(filter(matches, newest_first(folder)), limit))
    for event in reversed(found):
        show(event)
    if not found and not as_json:
        click.echo("The log has no such request.", err=True)


def _shower(*, as_json: bool) -> Callable[["Event"], None]:
    if as_json:
        return lambda event: click.echo(json.dumps(event))
    from stslab.render.requests import RequestTable
    from stslab.render.terminal.paper import paper_on
    from stslab.sandbox.api.identifiers import LEARNER
    from stslab.sandbox.pipeline.log_file import is_refused

    return RequestTable(paper_on(sys.stdout), is_refused, LEARNER).show


@click.command("watch")
@_every
@json_option("One JSON object a line, on stdout.")
def watch(*, every: bool, as_json: bool) -> None:
    """Follow the run on the embedded account from a second terminal, until Ctrl-C.

    It shows each request: who called what, the gates in order, where it stopped and why; the
    identities and how long they last; the current task, and what is still missing.
    """
    from stslab.cli.account.watch import follow

    follow(every=every, as_json=as_json)
