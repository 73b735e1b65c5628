"""What to say when the stages are through, or a run stands still and its things are there."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from stslab.cli.failures import with_flags
from stslab.errors import UndoIncomplete
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted

if TYPE_CHECKING:
    from stslab.lab.model import Lab, Stage
    from stslab.runner.events import RunFinished
    from stslab.runner.run.run import Runner


def end(console: Console, lab: "Lab", stages: "Iterable[Stage]", runner: "Runner") -> "RunFinished":
    """What was proved, what is still there, and what to try with it.

    Raises:
        UndoIncomplete: these ``stages`` were the lab's last ones, and something is left.
    """
    told = runner.finish()
    if told.left and lab.stages[-1] in stages:
        are = "is" if len(told.left) == 1 else "are"
        raise UndoIncomplete(
            f"The lab is through, and {counted(len(told.left), 'thing')} of run {told.run} {are}"
            " still in the account.",
            told.left,
            "Take everything back: stslab cleanup",
        )
    if told.outcome == "open":
        say_what_to_try(console, runner.scope())
    return told


def say_what_to_try(console: Console, scope: Mapping[str, Any]) -> None:
    """How to look around with the ordinary aws CLI, how to go on, and how to clean up."""
    paper = Paper(console)
    paper.blank()
    paper.prose("Look around with the aws CLI:", style="bold")
    paper.command(with_flags('eval "$(stslab env)"'))
    profiles = scope.get("profiles", {})
    for name in ("admin", *profiles):
        paper.command(f"aws sts get-caller-identity --profile {name}")
    bucket = scope.get("bucket_name")
    for name in profiles if bucket else ():
        paper.command(f"aws s3 ls s3://{bucket} --profile {name}")
    say_how_to_go_on(console)


def say_how_to_go_on(console: Console) -> None:
    """How a run that stands still goes on, or is taken back."""
    paper = Paper(console)
    paper.blank()
    paper.prose(with_flags("Go on:      stslab run"), lead=paper.symbols.hint)
    paper.prose(with_flags("Clean up:   stslab cleanup"), lead=paper.symbols.hint)
