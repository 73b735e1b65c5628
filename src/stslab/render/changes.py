"""Draws what a lab changes: for the consent screen, `show` and the dry run."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import markdown_line, one_line

if TYPE_CHECKING:
    from stslab.lab.changed import Changed, Summary
    from stslab.runner.events import Foreseen

ENFORCED = (
    "Nothing else is touched: each call is checked before it is sent, and is not sent if it would"
    " change what the run did not make."
)


def show_changes(paper: Paper, summary: "Summary | Foreseen", *, indent: int = 2) -> None:
    """Every thing that a run changes, with the calls; what only reads; what cleanup may call."""
    paper.prose("changes, and only what it made itself", indent=indent, style="dim")
    for one in summary.changed:
        paper.line(paper.symbols.dot, "", one_line(one.thing), indent=indent + 2)
        paper.prose(_calls(one), indent=indent + 4, style="dim")
    for label, calls in (("reads", summary.reads), ("cleanup may also call", summary.cleanup)):
        if calls:
            paper.prose(label, indent=indent, style="dim")
            paper.prose(", ".join(calls), indent=indent + 2)
    if summary.notes:
        paper.prose("you should know", indent=indent, style="dim")
    for note in summary.notes:
        paper.line(paper.symbols.warning, "yellow", one_line(note), indent=indent + 2)


def changes_in_markdown(summary: "Summary") -> Iterator[str]:
    """The same as lines of Markdown."""
    yield from ("## What it changes", "", "Only what it made itself:", "")
    yield from (f"- {markdown_line(one.thing)}: {_calls(one)}" for one in summary.changed)
    yield from ("", f"It reads with {_code(summary.reads)}.", "")
    if summary.cleanup:
        yield from (f"Cleanup may also call {_code(summary.cleanup)}.", "")
    yield from (f"- **{markdown_line(note)}**" for note in summary.notes)
    yield from (("", ENFORCED, "") if summary.notes else (ENFORCED, ""))


def _calls(one: "Changed") -> str:
    done, undo = ", ".join(one.calls), ", ".join(one.undo)
    return f"{done}; undone by {undo}" if done and undo else done or f"undo: {undo}"


def _code(calls: Iterable[str]) -> str:
    return ", ".join(f"`{call}`" for call in calls) or "no call"
