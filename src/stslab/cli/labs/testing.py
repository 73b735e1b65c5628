"""``stslab test``: runs labs without anybody, and proves that they leave nothing behind."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stslab.cli.names import complete_lab
from stslab.cli.options import json_option
from stslab.errors import InvalidLab, StslabError

if TYPE_CHECKING:
    from stslab.cli.labs.trial import Verdict
    from stslab.runner.events import Event


@click.command("test")
@click.argument("labs", nargs=-1, shell_complete=complete_lab)
@click.option(
    "--rehearse",
    "spec",
    is_flag=False,
    flag_value="",
    default=None,
    metavar="[SPEC]",
    help="In an account that behaves as a real one can; see `stslab sandbox start`.",
)
@json_option("One JSON object a lab, on stdout.")
def command(*, labs: tuple[str, ...], spec: str | None, as_json: bool) -> int:
    """Run each of LABS (ids or files; all bundled ones without any) in a throw-away account.

    A lab passes when every stage ran, every claim held, and the account is afterwards what it
    was before, thing by thing. Exit code: 0, or that of the first lab that did not pass: 1 a
    call failed, 2 the lab is invalid, 3 a claim did not hold, 5 something is left.
    """
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.cli.labs.trial import Trials, throw_away_home

    if spec and "=" not in spec:  # `--rehearse my-lab.yaml`
        labs, spec = (*labs, spec), ""
    paths = _paths(labs, spec)
    with throw_away_home() as home:
        trials = Trials(home, BotocoreCatalogue(), spec)
        verdicts = [_told(trials.verdict(path), as_json=as_json) for path in paths]
    bad = [verdict.exit_code for verdict in verdicts if verdict.exit_code]
    return bad[0] if bad else 0


def _paths(labs: tuple[str, ...], spec: str | None) -> list[Path]:
    """The files of the labs.

    Raises:
        LabError: there is no such lab.
        UsageError: there is no such rehearsal.
    """
    from stslab.cli.labs.labs import bundled_paths
    from stslab.lab.reading.listing import find
    from stslab.sandbox.rehearsal.spec import parse

    if spec:
        parse(spec)
    return [find(name) for name in labs] or list(bundled_paths())


def _told(verdict: "Verdict", *, as_json: bool) -> "Verdict":
    if as_json:
        click.echo(json.dumps(_fields(verdict)))
    else:
        _tell(verdict)
    return verdict


def _tell(verdict: "Verdict") -> None:
    """A line for a lab that passes; for another, all that happened in it."""
    from stslab.cli.failures import tell
    from stslab.render.text.durations import counted, spoken

    if verdict.exit_code == 0:
        claims, calls = counted(verdict.claims, "claim"), counted(verdict.calls, "call")
        told = f"{claims}, {calls}, {spoken(verdict.seconds)}, nothing left"
        click.echo(f"passed  {verdict.lab}: {told}")
        return
    _replay(verdict)
    click.echo(f"FAILED  {verdict.lab} ({verdict.file})")
    for one in verdict.left:
        click.echo(f"        {one}")
    if verdict.error:
        tell(_without_advice(verdict.error, verdict.file))


def _without_advice(error: StslabError, file: str) -> StslabError:
    """The error without commands for an account that is gone; how to see it on one that stays."""
    if isinstance(error, InvalidLab):
        return error
    how = f"See it happen on your own:\n  stslab run {shlex.quote(file)}"
    told = StslabError(error.message, how)
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _replay(verdict: "Verdict") -> None:
    import sys

    from stslab.cli.bench import renderer
    from stslab.cli.describing import describer
    from stslab.render.terminal.console import make_console

    if not verdict.events:
        return
    render = renderer(make_console(sys.stdout), describer(Path(verdict.file)), as_json=False)
    for event in verdict.events:
        render(_of_a_gone_account(event))
    render.close()


def _of_a_gone_account(event: "Event") -> "Event":
    """The event without what could be done in the account, were it still there."""
    from stslab.runner.events import CleanupFinished, RunStarted

    if isinstance(event, RunStarted):
        return replace(event, target="a throw-away account")
    if isinstance(event, CleanupFinished):
        return replace(event, remaining=tuple((thing, "") for thing, _ in event.remaining))
    return event


def _fields(verdict: "Verdict") -> dict[str, Any]:
    return {
        "lab": verdict.lab,
        "file": verdict.file,
        "passed": verdict.exit_code == 0,
        "exit_code": verdict.exit_code,
        "error": verdict.error.message if verdict.error else None,
        "places": list(getattr(verdict.error, "__notes__", ())),
        "left": list(verdict.left),
        "claims": verdict.claims,
        "calls": verdict.calls,
        "seconds": round(verdict.seconds, 3),
    }
