"""Draws what cleanup would undo, and what a sweep of an account found, before it is done."""

from collections.abc import Sequence

from rich.console import Console

from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted
from stslab.runner.calls.look import label
from stslab.runner.events import Describe
from stslab.runner.ports import TargetInfo
from stslab.runner.undo.cleanup import Planned
from stslab.runner.undo.proof import by_hand
from stslab.runner.undo.recovery import Found, FoundRun


def show_cleanup(
    console: Console, run: str, planned: Sequence[Planned], describe: Describe
) -> None:
    """What cleanup of a run would undo, in its order, with the calls."""
    paper = Paper(console)
    count = counted(len(planned), "thing")
    paper.prose(f"Cleanup of run {run} would undo {count}, last made first:", style="bold")
    for one in planned:
        aside = "if it is there" if one.perhaps else ""
        paper.line("pending", one.thing, indent=2, aside=aside)
        for extra in one.extras:
            paper.prose(f"and with it {extra}", indent=4, style="dim")
        for call in one.calls:
            paper.command(describe(call))


def show_found(
    console: Console,
    target: TargetInfo,
    found: Found,
    chosen: tuple[FoundRun, ...],
    describe: Describe,
) -> None:
    """The runs, what is left of each with the command that removes it, and what is left alone."""
    paper = Paper(console)
    paper.prose(
        f"Swept account {target.account} for things with the tag stslab:run."
        f" Stacks were looked for in {target.region} only.",
        style="bold",
    )
    if not chosen:
        paper.line("done", "There is nothing to undo.")
    for run in chosen:
        _run(paper, run, describe)
    for run in (one for one in found.runs if one not in chosen):
        asked = f"Run {run.id} was not asked for: {counted(len(run.things), 'thing')}"
        goes_on = f"Run {run.id} goes on on this machine. To undo it: stslab cleanup {run.id}"
        paper.line("hint", goes_on if run.unfinished else asked)
    for thing, tag in found.doubtful:
        why = f"it has the tag of run {tag!r}, but not that id in its name: left alone"
        paper.line("warning", label(thing), aside=why)
        paper.command(by_hand(thing, describe))


def _run(paper: Paper, run: FoundRun, describe: Describe) -> None:
    paper.blank()
    known = f"{run.known.state} on this machine" if run.known else "not a run of this machine"
    since = f", made {run.since[:16].replace('T', ' ')} UTC" if run.since else ""
    paper.prose(f"Run {run.id}: {counted(len(run.things), 'thing')}{since}; {known}", style="bold")
    for thing in run.things:
        paper.line("pending", label(thing), indent=2)
        paper.command(by_hand(thing, describe))
