"""Draws cleanup: what is taken back, the proof that it is gone, and what is left."""

from rich import box
from rich.table import Table
from rich.text import Text

from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line
from stslab.runner.events import CleanupFinished, ThingLookedUp, UndoFinished, UndoStarted

_WIDEST_READ = 96


def undo_started(paper: Paper, event: UndoStarted) -> None:
    """How much there is to take back."""
    paper.blank()
    count = counted(len(event.things), "thing")
    paper.prose(f"Cleaning up run {event.run}: {count} to take back, last made first", style="bold")


def undo_finished(paper: Paper, event: UndoFinished) -> None:
    """One thing, and how taking it back went."""
    paper.wait.ended()
    failed = event.outcome == "failed"
    sign = paper.symbols.failed if failed else paper.symbols.done
    by = ", ".join(f"{call.service}.{call.operation}" for call in event.calls)
    aside = f"{event.outcome}, by {by}" if by else event.outcome
    paper.line(sign, "red" if failed else "green", event.thing, indent=2, aside=aside)
    if failed and event.detail:
        paper.prose(event.detail, indent=4)


def looked_up(paper: Paper, event: ThingLookedUp) -> None:
    """What the look for a thing that should be gone has found. Only a leftover is news."""
    if not event.gone:
        paper.line(paper.symbols.failed, "red", f"{event.thing} is still there", indent=2)
        paper.prose(event.proof, indent=4)


def cleanup_finished(paper: Paper, event: CleanupFinished, looked: list[ThingLookedUp]) -> None:
    """The table of what is gone with the proof of each, or what is left and how to remove it."""
    paper.blank()
    if looked:
        paper.put(_table(paper, looked), "")
    if event.remaining:
        _left(paper, event)
        return
    paper.line(
        paper.symbols.done,
        "green",
        f"Nothing of run {event.run} is left: {counted(len(event.removed), 'thing')} removed, "
        f"{counted(len(looked), 'look-up')}, {spoken(event.seconds)}",
    )


def _table(paper: Paper, looked: list[ThingLookedUp]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.width = min(paper.width, _WIDEST_READ)
    table.add_column("", no_wrap=True)
    table.add_column("Looked for", ratio=3, overflow="fold")
    table.add_column("Answer", ratio=2, overflow="fold")
    for one in looked:
        sign = Text(paper.symbols.done, "green") if one.gone else Text(paper.symbols.failed, "red")
        table.add_row(sign, Text(one_line(one.thing)), Text(one_line(one.proof)))
    return table


def _left(paper: Paper, event: CleanupFinished) -> None:
    count = counted(len(event.remaining), "thing")
    how = " Remove by hand:" if any(command for _, command in event.remaining) else ""
    paper.line(paper.symbols.failed, "red", f"{count} of run {event.run} left.{how}")
    for thing, command in event.remaining:
        paper.prose(thing, indent=2)
        if command:
            paper.command(command, indent=4)
