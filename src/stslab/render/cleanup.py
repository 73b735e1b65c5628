"""Draw the preview of a cleanup, and the findings of a sweep."""

from collections.abc import Sequence

from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted
from stslab.runner.events import Describe
from stslab.runner.ports import TargetInfo
from stslab.runner.undo.cleanup import Planned
from stslab.runner.undo.proof import by_hand
from stslab.runner.undo.sweep import Found, FoundRun


def show_cleanup(paper: Paper, run: str, planned: Sequence[Planned], describe: Describe) -> None:
    count = counted(len(planned), "thing")
    paper.prose(f"Cleanup of run {run} would undo {count}, newest first:", style="bold")
    for each in planned:
        paper.line("pending", each.thing, indent=2, aside="if it exists" if each.perhaps else "")
        for extra in each.extras:
            paper.prose(f"and with it {extra}", indent=4, style="dim")
        for call in each.calls:
            paper.command(describe(call))


def show_found(
    paper: Paper,
    target: TargetInfo,
    found: Found,
    chosen: tuple[FoundRun, ...],
    describe: Describe,
) -> None:
    paper.prose(
        f"Searched account {target.account} for things with the tag stslab:run."
        f" Stacks were searched in {target.region} only.",
        style="bold",
    )
    if not chosen:
        paper.line("done", "There is nothing to undo.")
    for run in chosen:
        paper.blank()
        known = f"{run.known.state} on this machine" if run.known else "not a run of this machine"
        since = f", made {run.since[:16].replace('T', ' ')} UTC" if run.since else ""
        things = counted(len(run.things), "thing")
        paper.prose(f"Run {run.id}: {things}{since}; {known}", style="bold")
        for thing in run.things:
            paper.line("pending", thing.label, indent=2)
            paper.command(by_hand(thing, describe))
    for run in (each for each in found.runs if each not in chosen):
        other = f"Run {run.id} was not selected: {counted(len(run.things), 'thing')}"
        unfinished = f"Run {run.id} is unfinished here. To undo it: stslab cleanup {run.id}"
        paper.line("hint", unfinished if run.unfinished else other)
    for thing, tag in found.doubtful:
        why = f"it has the tag of run {tag!r}, but its name lacks that id: left alone"
        paper.line("warning", thing.label, aside=why)
        paper.command(by_hand(thing, describe))
