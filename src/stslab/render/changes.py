"""Draws what a lab changes: for the consent screen, `show` and the dry run."""

from collections.abc import Iterable, Iterator

from stslab.kinds.operations import HOME
from stslab.kinds.own import Changed, Summary
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import markdown_line, one_line
from stslab.runner.events import Foreseen

_CHECKED = (
    "is checked before it is sent, and is not sent if it would change what the run did not make."
)


def enforced(summary: Summary | Foreseen) -> str:
    """What is promised of all that is not listed."""
    unknown = ", ".join(_not_judged(summary))
    if not unknown:
        return f"Nothing else is touched: each call {_CHECKED}"
    return f"What the calls of {unknown} change, stslab can't tell. Each other call {_CHECKED}"


def _not_judged(summary: Summary | Foreseen) -> list[str]:
    """The services of which nothing is known, and that a lab may use all the same."""
    calls = [call for one in summary.changed for call in (*one.calls, *one.undo)]
    return sorted({call.partition(".")[0] for call in calls} - HOME)


def _heading(summary: Summary | Foreseen) -> str:
    return "changes" if _not_judged(summary) else "changes, and only what it made itself"


def show_changes(paper: Paper, summary: Summary | Foreseen, *, indent: int = 2) -> None:
    """Every thing that a run changes, with the calls; what only reads; what cleanup may call."""
    paper.prose(_heading(summary), indent=indent, style="dim")
    for one in summary.changed:
        paper.line("dot", one_line(one.thing), indent=indent + 2)
        paper.prose(_calls(one), indent=indent + 4, style="dim")
    for label, calls in (("reads", summary.reads), ("cleanup may also call", summary.cleanup)):
        if calls:
            paper.prose(label, indent=indent, style="dim")
            paper.prose(", ".join(calls), indent=indent + 2)
    if summary.notes:
        paper.prose("you should know", indent=indent, style="dim")
    for note in summary.notes:
        paper.line("warning", one_line(note), indent=indent + 2)


def changes_in_markdown(summary: Summary) -> Iterator[str]:
    """The same as lines of Markdown."""
    yield from ("## What it changes", "", f"It {_heading(summary)}:", "")
    yield from (f"- {markdown_line(one.thing)}: {_calls(one)}" for one in summary.changed)
    yield from ("", f"It reads with {_code(summary.reads)}.", "")
    if summary.cleanup:
        yield from (f"Cleanup may also call {_code(summary.cleanup)}.", "")
    yield from (f"- **{markdown_line(note)}**" for note in summary.notes)
    yield from (*[""] * bool(summary.notes), enforced(summary), "")


def _calls(one: Changed) -> str:
    done, undo = ", ".join(one.calls), ", ".join(one.undo)
    return f"{done}; undone by {undo}" if done and undo else done or f"undo: {undo}"


def _code(calls: Iterable[str]) -> str:
    return ", ".join(f"`{call}`" for call in calls) or "no call"
