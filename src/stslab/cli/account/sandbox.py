"""``stslab sandbox`` and ``watch``: the embedded account, its clock, its requests, its file."""

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import click

from stslab.cli.commands import LazyGroup
from stslab.cli.failures import for_same_run, writing
from stslab.cli.options import complete_run, json_option
from stslab.errors import SandboxError, UsageError
from stslab.home import expanded, home
from stslab.render.text.safe import visible
from stslab.sandbox.api.model import moment
from stslab.sandbox.pipeline.log_file import Event, Tail, is_refused, newest_first
from stslab.sandbox.server import client

_WORDS = {"True": "yes", "False": "no"}


@click.group("sandbox", cls=LazyGroup, family="sandbox")
@click.option("--name", metavar="NAME", help="Use the embedded account of this name.")
def command(name: str | None) -> None:
    """Start, stop, look at or reset the embedded AWS account.

    Commands that need it start it, and it stops after two idle hours. There may be several
    accounts with names: with STSLAB_SANDBOX=NAME every command uses that one.
    """
    if name is not None:
        os.environ["STSLAB_SANDBOX"] = name


@click.command("start")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Its port; 0: any.")
@click.option("--rehearse", "spec", is_flag=False, flag_value="", default=None, metavar="[SPEC]",
              help="Behave as a real account can: changes spread slowly, calls fail. "
              "`off` ends that.")  # fmt: skip
def start(*, port: int, spec: str | None) -> None:
    """Start the embedded account, if it is not running yet.

    --rehearse alone uses the usual settings. With SPEC, only what it names happens: seed, keys,
    users, roles, policies, throttle, errors, errors-after, reset-before, reset-after,
    slow-stacks, fail-stacks, fail-deletes.
    """
    from stslab.sandbox.rehearsal.spec import parse

    if spec is not None and spec != "off":
        parse(spec)
    endpoint = client.ensure(home().sandbox, port=port)
    if spec is not None:
        body = {"spec": None if spec == "off" else spec}
        client.control(home().sandbox, "POST", "rehearse", body)
    click.echo(f"The embedded account {endpoint.account} is at {endpoint.url}")
    if endpoint.notes:
        click.echo(visible(endpoint.notes), err=True)
    click.echo(for_same_run('Use it with the aws CLI: eval "$(stslab env)"'), err=True)


@click.command("stop")
def stop() -> None:
    """Stop the embedded account. All that is in it is kept for the next start."""
    click.echo("Stopped." if client.stop(home().sandbox) else "It was not running.")


@click.command("reset")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def reset(yes: bool) -> None:
    """Delete the account with everything in it, and begin with a new one."""
    if not yes:
        _confirm("Delete", "deleted", "reset")
    endpoint = client.reset(home().sandbox)
    click.echo(f"A new embedded account is at {endpoint.url}")
    click.echo(for_same_run('Its keys are new: eval "$(stslab env)"'), err=True)


def _confirm(does: str, done: str, command: str, by: str = "") -> None:
    account = f"the embedded account {home().named}".rstrip()
    if not sys.stdin.isatty():
        message = f"Without a terminal, {account} is {done} only with --yes."
        raise UsageError(message, f"If that is what you want: stslab sandbox {command} --yes")
    click.confirm(f"{does} {account}, with everything in it{by}?", abort=True)


@click.command("status")
@json_option("A JSON object, on stdout.")
def status(as_json: bool) -> None:
    """Show whether the embedded account runs, where, and since when."""
    known = client.status(home().sandbox)
    if as_json:
        click.echo(json.dumps(known, indent=2, default=str))
        return
    widest = max(map(len, known), default=0)
    for name, value in known.items():
        if value != "":
            click.echo(f"{name:<{widest}}  {visible(_WORDS.get(str(value), str(value)))}")


# -- its clock -----------------------------------------------------------------------------------


class _Moving(click.Command):
    """A command that takes ``-30m`` as a move back in time, not as options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        moves = [each for each in args if re.fullmatch(r"-\d.*", each)]
        others = [each for each in args if each not in moves]
        return super().parse_args(ctx, [*others, "--", *moves] if moves else others)


@click.command("clock", cls=_Moving)
@click.argument("move", default="", metavar="[+2h|-30m|+1d|TIME|real]")
def clock(*, move: str) -> None:
    """Show the account's clock, or move it.

    Move it by a span (+2h, -30m, +1d12h), to a TIME (2030-01-31T12:00:00Z; without a zone it is
    UTC), or back to the real time. Sessions expire by this clock, and conditions on time use
    it. Signatures always use the real time.
    """
    from stslab.durations import spoken

    body = _move(move) if move else None
    folder = home().sandbox
    client.ensure(folder)
    shown = client.control(folder, "POST" if body else "GET", "clock", body)
    now, offset = datetime.fromisoformat(shown["now"]), round(shown["offset"])
    where = "the real time"
    if offset:
        where = f"{spoken(abs(offset))} {'ahead of' if offset > 0 else 'behind'} {where}"
    click.echo(f"{now:%Y-%m-%dT%H:%M:%SZ}  ({where})")


def _move(move: str) -> dict[str, float]:
    """The body of the request: a move by ``seconds``, or an ``offset`` from the real time."""
    if move == "real":
        return {"offset": 0}
    from stslab.lab.model import moved

    with suppress(ValueError):
        return {"seconds": moved(move)}
    fix = "Use +2h, -30m, +1d12h (s, m, h, d, w), a time (2030-01-31T12:00:00Z), or real."
    to = _moment(move, "a move of the clock", fix)
    return {"offset": round((to - datetime.now(UTC)).total_seconds(), 3)}


def _moment(text: str, meant: str, fix: str) -> datetime:
    """Parse an ISO 8601 time, UTC unless it says otherwise; UsageError if it is not one."""
    try:
        return moment(text)
    except ValueError:
        raise UsageError(f"{text!r} is not {meant}.", fix) from None


# -- its requests --------------------------------------------------------------------------------


@click.command("log")
@click.option("-f", "--follow", is_flag=True, help="Show new requests too, until Ctrl-C.")
@click.option("--denied", is_flag=True, help="Only refused requests.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True,
              help="How many of the last requests.")  # fmt: skip
@click.option("--since", "start", default="", metavar="SPAN|TIME",
              help="Only requests after this: 10m, 2h, 2030-01-31T12:00Z.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Show stslab's own lookups too.")
@json_option("JSON lines, as CloudTrail records.")
def log(*, follow: bool, denied: bool, limit: int, start: str, every: bool, as_json: bool) -> None:
    """Show the requests to the account: time, caller, call, resource, and the decision.

    A refusal shows the reason, and the id by which `stslab why` explains it. --json prints
    CloudTrail records, each with its `decisions`.
    """
    from stslab.lesson.byhand import is_look

    folder = home().sandbox
    runs, now = client.find(folder) is not None, datetime.now(UTC)
    if start and runs:
        now = datetime.fromisoformat(client.control(folder, "GET", "clock")["now"])
    begin = _since(start, now) if start else None

    def matches(event: Event) -> bool:
        shown = (not denied or is_refused(event)) and (every or not is_look(event))
        return shown and not (begin and datetime.fromisoformat(event["eventTime"]) < begin)

    if not runs:
        click.echo("The embedded account is not running; this is its log.", err=True)
    show = _shower(as_json=as_json)
    if follow:
        with closing(Tail(folder)) as tail, suppress(KeyboardInterrupt):
            new = list(filter(matches, tail.read()))[-limit:]
            while True:
                for event in new:
                    show(event)
                time.sleep(0.2)
                new = list(filter(matches, tail.read()))
        return
    found = list(islice(filter(matches, newest_first(folder)), limit))
    for event in reversed(found):
        show(event)
    if not found and not as_json:
        click.echo("The log has no such request.", err=True)


def _since(text: str, now: datetime) -> datetime:
    """Parse a span before ``now``, or an ISO 8601 time."""
    from stslab.lab.model import moved

    with suppress(ValueError, OverflowError):
        return now - timedelta(seconds=moved(f"+{text}"))
    return _moment(text, "a time", "Use a span such as 10m or 2h, or 2030-01-31T12:00:00Z.")


def _shower(*, as_json: bool) -> Callable[[Event], None]:
    if as_json:  # "CloudTrail record contents": in seconds
        return lambda one: click.echo(json.dumps({**one, "eventTime": f"{one['eventTime'][:19]}Z"}))
    from stslab.render.requests import RequestTable
    from stslab.render.terminal.paper import paper_on

    return RequestTable(paper_on(sys.stdout), is_refused, explains=for_same_run("stslab why")).show


@click.command("watch")
@click.option("--all", "every", is_flag=True, help="Show all of stslab's own calls.")
@json_option("One JSON object a line, on stdout.")
def watch(*, every: bool, as_json: bool) -> None:
    """Follow the run on the embedded account from a second terminal, until Ctrl-C.

    It shows each request: who called what, the gates in order, where it stopped and why; the
    identities and how long they last; the current tasks, and what is wrong.
    """
    from stslab.cli.account.watch import follow

    follow(every=every, as_json=as_json)


# -- an account as one file -----------------------------------------------------------------------


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--run", default="", metavar="RUN", shell_complete=complete_run,
              help="Include this run: its journal, its profiles and its lab.")  # fmt: skip
def export_command(*, file: Path, force: bool, run: str) -> None:
    """Write the whole account to FILE, for import elsewhere.

    With --run, the file includes the run, which continues where the file is imported. So you
    can hand out a set-up that is half done or broken.

    It works while the account is in use. The file holds the account's secret keys, and only
    you may read it: give it only to people who may use them.
    """
    from stslab.sandbox.server import exchange

    with writing(file, SandboxError):
        path = expanded(file)
        if path.exists() and not force:
            fix = "Name another one, or add --force."
            raise UsageError(f"The file {file} exists already.", fix)
        if not exchange.has_account(home().sandbox):
            client.ensure(home().sandbox)
        if run:
            from stslab.cli.account import handout

            handout.export(home(), run, path)
        else:
            exchange.export(home().sandbox, path)
    click.echo(f"Exported the account to {file} ({path.stat().st_size >> 10} KiB).")
    click.echo("It holds the account's secret keys; only you may read it.", err=True)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def import_command(*, file: Path, yes: bool) -> None:
    """Replace the present account with the one in FILE.

    FILE is from `stslab sandbox export`, of this version or an earlier one. Its users, roles,
    buckets and keys come with it. The present account is deleted, and its runs are lost.
    """
    from stslab.cli.account import handout
    from stslab.runner.journal.lock import Held
    from stslab.runner.journal.records import UNFINISHED
    from stslab.sandbox.server import exchange
    from stslab.sandbox.state import archive

    folder = home().sandbox
    read = None if handout.is_set_up(file) else archive.read(file)
    if exchange.has_account(folder) and not yes:
        _confirm("Replace", "replaced", f"import {shlex.quote(str(file))}", f", by that of {file}")
    if read is not None:
        endpoint = exchange.put_in(folder, read)
        click.echo(f"The account of {file} is at {endpoint.url}")
        click.echo(for_same_run('Its keys are new: eval "$(stslab env)"'), err=True)
        return
    with Held(home(), "stslab sandbox import"):
        run, lab = handout.put_in(home(), file)
    click.echo(visible(f"Run {run.id} of the lab {run.lab} was imported as it was."))
    if run.state not in UNFINISHED:
        click.echo(for_same_run(f"It has ended. See its report: stslab report {run.id}"))
        return
    click.echo(for_same_run("See what holds: stslab check --all"))
    click.echo(visible(for_same_run(f"Go on: stslab run {shlex.quote(str(lab or run.lab))}")))
    click.echo(for_same_run(f"Undo it: stslab cleanup {run.id}"))
