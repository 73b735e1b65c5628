"""Draw a lab before any run, as a table or as Markdown, with everything that it changes."""

import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from rich.text import Text

from stslab.kinds.operations import HOME
from stslab.lab.effects import Changed, Summary, lab_calls, summary
from stslab.lab.model import Lab, Stage
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import markdown_line, markdown_prose, one_line, visible

_CHECKED = "is checked first, and not sent if it would change anything that the run did not make."


def enforced(summary: Summary) -> str:
    """A sentence on what is not in the summary."""
    unknown = ", ".join(_not_judged(summary))
    if not unknown:
        return f"Nothing else is touched: each call {_CHECKED}"
    return f"stslab can't tell what calls of {unknown} change. Every other call {_CHECKED}"


def _not_judged(summary: Summary) -> list[str]:
    """The services that the lab uses and stslab has no rules for."""
    calls = [call for change in summary.changed for call in (*change.calls, *change.undo)]
    return sorted({call.partition(".")[0] for call in calls} - HOME)


def _heading(summary: Summary) -> str:
    return "changes" if _not_judged(summary) else "changes, and only what it made itself"


def show_changes(paper: Paper, summary: Summary, *, indent: int = 2) -> None:
    """Draw the things that a run changes, with the calls; its reads; and cleanup's calls."""
    paper.prose(_heading(summary), indent=indent, style="dim")
    for change in summary.changed:
        paper.line("dot", one_line(change.thing), indent=indent + 2)
        paper.prose(_calls(change), indent=indent + 4, style="dim")
    for label, calls in (("reads", summary.reads), ("cleanup may also call", summary.cleanup)):
        if calls:
            paper.prose(label, indent=indent, style="dim")
            paper.prose(", ".join(calls), indent=indent + 2)
    if summary.notes:
        paper.prose("you should know", indent=indent, style="dim")
    for note in summary.notes:
        paper.line("warning", one_line(note), indent=indent + 2)


def _changes(summary: Summary) -> Iterator[str]:
    yield from ("## What it changes", "", f"It {_heading(summary)}:", "")
    yield from (f"- {markdown_line(each.thing)}: {_calls(each)}" for each in summary.changed)
    yield from ("", f"It reads with {_code(summary.reads)}.", "")
    if summary.cleanup:
        yield from (f"Cleanup may also call {_code(summary.cleanup)}.", "")
    yield from (f"- **{markdown_line(note)}**" for note in summary.notes)
    yield from (*[""] * bool(summary.notes), enforced(summary), "")


def _calls(change: Changed) -> str:
    done, undo = ", ".join(change.calls), ", ".join(change.undo)
    return f"{done}; undone by {undo}" if done and undo else done or f"undo: {undo}"


def _code(calls: Iterable[str]) -> str:
    return ", ".join(f"`{call}`" for call in calls) or "no call"


# -- the lab, as a table and as a page -----------------------------------------------------------

_URL = ":/?#@!$&'*+,;=%~"  # no brackets: they end a link


def show_table(paper: Paper, lab: Lab, name: str) -> None:
    """Draw the lab's stages with their steps and checks. ``name`` is for ``stslab run``."""
    paper.put(Text(visible(lab.title), style="bold"))
    if lab.summary:
        paper.markdown(lab.summary)
    paper.blank()
    columns = {"Stage": 0, "As": 0, "What is done, and proved": 1}
    paper.table(columns, _rows(lab, paper.symbols.done))
    show_changes(paper, summary(lab_calls(lab)), indent=0)
    paper.prose(f"stslab run {shlex.quote(name)}", lead=paper.symbols.hint, apart=True)


def markdown_of(lab: Lab) -> str:
    lines = [f"# {markdown_line(lab.title)}", ""]
    lines += [markdown_prose(lab.summary), ""] if lab.summary else []
    for number, stage in enumerate(lab.stages, 1):
        lines += _stage(number, stage)
    return "\n".join([*lines, *_changes(summary(lab_calls(lab)))]).rstrip() + "\n"


def _rows(lab: Lab, proved: str) -> Iterator[tuple[Text | str, ...]]:
    for stage in lab.stages:
        yield Text(stage.id, style="bold"), "", Text(one_line(stage.title), style="bold")
        for step in stage.steps:
            yield "", step.identity, Text(one_line(step.title))
        for check in stage.checkpoint:
            yield "", check.identity, Text(f"{proved} {one_line(check.says)}", style="green")


def _stage(number: int, stage: Stage) -> Iterator[str]:
    yield from (f"## {number}. {markdown_line(stage.title)}", "", markdown_prose(stage.intro))
    if stage.pages:
        yield ""
    for page in stage.pages:
        yield f"- [{markdown_line(page.title)}]({quote(page.url, safe=_URL)})"
    if stage.steps:
        yield from ("", "What is done:", "")
    for step in stage.steps:
        why = f" {markdown_line(step.why)}" if step.why else ""
        yield f"- {markdown_line(step.title)} (`{step.call}` as `{step.identity}`).{why}"
    if stage.checkpoint:
        yield from ("", "What is proved:", "")
    for check in stage.checkpoint:
        how = f"`{check.call}` as `{check.identity}`" if check.call else "looked up in the files"
        refused = f", refused with {' or '.join(check.fails)}" if check.fails else ""
        because = f" {markdown_line(check.because)}" if check.because else ""
        yield f"- {markdown_line(check.says)} ({how}{refused}).{because}"
    yield ""
