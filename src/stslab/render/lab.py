"""Draws a lab itself, before any run: as a table, or as Markdown for a page."""

import shlex
from collections.abc import Iterator
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from stslab.lab.effects import effects, summary
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.render.changes import changes_in_markdown, show_changes
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import markdown_line, markdown_prose, one_line, visible

_URL = ":/?#@!$&'*+,;=%~"  # no brackets: they end a link


def show_table(console: Console, lab: Lab, name: str) -> None:
    """The lab's stages, each with what it does and what it proves; ``name`` is how it is run."""
    paper = Paper(console)
    paper.put(Text(visible(lab.title), style="bold"))
    if lab.summary:
        paper.markdown(lab.summary)
    paper.blank()
    columns = {"Stage": 0, "As": 0, "What is done, and proved": 1}
    paper.table(columns, _rows(lab, paper.symbols.done))
    show_changes(paper, summary(effects(lab)), indent=0)
    paper.blank()
    paper.prose(f"stslab run {shlex.quote(name)}", lead=paper.symbols.hint)


def markdown_of(lab: Lab) -> str:
    return "\n".join(_page(lab)).rstrip() + "\n"


def _rows(lab: Lab, proved: str) -> Iterator[tuple[Text | str, ...]]:
    for stage in lab.stages:
        yield Text(stage.id, style="bold"), "", Text(one_line(stage.title), style="bold")
        for step in stage.steps:
            yield "", step.identity, Text(one_line(step.title))
        for check in stage.checkpoint:
            yield "", check.identity, Text(f"{proved} {one_line(check.says)}", style="green")


def _page(lab: Lab) -> Iterator[str]:
    yield from (f"# {markdown_line(lab.title)}", "")
    if lab.summary:
        yield from (markdown_prose(lab.summary), "")
    for number, stage in enumerate(lab.stages, 1):
        yield from _stage(number, stage)
    yield from changes_in_markdown(summary(effects(lab)))


def _stage(number: int, stage: Stage) -> Iterator[str]:
    yield from (f"## {number}. {markdown_line(stage.title)}", "", markdown_prose(stage.intro), "")
    for page in stage.pages:
        yield f"- [{markdown_line(page.title)}]({quote(page.url, safe=_URL)})"
    if stage.pages:
        yield ""
    if stage.steps:
        yield from ("What is done:", "", *(_step(step) for step in stage.steps), "")
    if stage.checkpoint:
        yield from ("What is proved:", "", *(_check(check) for check in stage.checkpoint), "")


def _step(step: Step) -> str:
    why = f" {markdown_line(step.why)}" if step.why else ""
    return f"- {markdown_line(step.title)} (`{step.call}` as `{step.identity}`).{why}"


def _check(check: Check) -> str:
    how = f"`{check.call}` as `{check.identity}`" if check.call else "looked up in the files"
    refused = f", refused with {' or '.join(check.fails)}" if check.fails else ""
    because = f" {markdown_line(check.because)}" if check.because else ""
    return f"- {markdown_line(check.says)} ({how}{refused}).{because}"
