"""Draws a run's frame: its title and map, its stages, its end, and what is said in between."""

from collections.abc import Mapping

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stslab.render.changes import show_changes
from stslab.render.terminal.paper import Paper, markdown
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line, visible
from stslab.runner.events import (
    Foreseen,
    Notice,
    RunFinished,
    RunStarted,
    StageFinished,
    StageShown,
    StageStarted,
)

_WIDEST_READ = 96
_TARGETS = {"sandbox": "the embedded account", "aws": "your AWS account"}
_HOW = {(False, False): "Run", (True, False): "Going on with run", (False, True): "Dry run"}


def run_started(paper: Paper, event: RunStarted) -> None:
    """The lab's title, where its calls go, and the map of its stages."""
    where = _TARGETS.get(event.target, event.target)
    how = _HOW.get((event.resumed, event.dry), "Dry run")
    paper.put(Text(visible(event.title), style="bold"))
    paper.prose(f"{how} {event.run} on {where} ({event.account}, {event.region})", style="dim")
    paper.blank()
    for number, stage in enumerate(event.stages, 1):
        _mapped(paper, number, stage)


def foreseen(paper: Paper, event: Foreseen) -> None:
    """The list of what a run would change."""
    paper.blank()
    show_changes(paper, event)
    paper.blank()


def stage_started(paper: Paper, event: StageStarted) -> None:
    """A panel with the stage's introduction, and below it the pages of AWS to read."""
    paper.blank()
    paper.put(
        Panel(
            markdown(event.intro.strip() or event.title),
            title=Text(f" {event.number}/{event.of} {one_line(event.title)} ", style="bold"),
            title_align="left",
            border_style="blue",
            box=box.ROUNDED,
            width=min(paper.width, _WIDEST_READ),
        )
    )
    for title, url in event.pages:
        paper.prose(f"Read: {title}", indent=2, style="dim")
        paper.whole(f"  {visible(url)}", style="dim")


def stage_finished(paper: Paper, event: StageFinished) -> None:
    """Nothing for a stage that holds: its checks have said so. A stage that failed is named."""
    if not event.held:
        paper.blank()
        paper.line(paper.symbols.failed, "red", f"The checkpoint of {event.stage} does not hold")


def run_finished(paper: Paper, event: RunFinished, took: Mapping[str, float]) -> None:
    """The table of what was proved, how long it took, and how many calls it made.

    ``took`` are the seconds of each stage that was done just now, by its title.
    """
    paper.blank()
    if event.claims:
        paper.put(_proofs(paper, event, took), "")
    paper.prose(
        f"{event.proved} of {counted(len(event.claims), 'claim')} proved, "
        f"{counted(event.calls, 'API call')}, {spoken(event.seconds)}",
        style="bold",
    )
    for words, stages in event.notes:
        paper.prose(f"{words}: {', '.join(stages)}", indent=2)
    if event.left:
        paper.prose(f"Still in the account: {counted(len(event.left), 'thing')}", style="bold")
    for thing, _ in event.left:
        paper.line(paper.symbols.dot, "", thing, indent=2)


def notice(paper: Paper, event: Notice) -> None:
    """Something that a person should know, and what to do about it."""
    if event.level == "warning":
        paper.line(paper.symbols.warning, "yellow", event.message)
    else:
        paper.prose(event.message)
    if event.hint:
        paper.prose(event.hint, indent=2, lead=paper.symbols.hint)


def _mapped(paper: Paper, number: int, stage: StageShown) -> None:
    signs = {"done": (paper.symbols.done, "green"), "current": (paper.symbols.current, "bold")}
    sign, style = signs.get(stage.state, (paper.symbols.pending, "dim"))
    paper.prose(f"{number}. {stage.title}", indent=2, lead=sign, style=style)


def _proofs(paper: Paper, event: RunFinished, took: Mapping[str, float]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("What was proved", ratio=1, overflow="fold")
    table.add_column("Took", no_wrap=True, justify="right")
    table.width = min(paper.width, _WIDEST_READ)
    stage_before = None
    signs = {
        "allowed": (paper.symbols.done, "green"),
        "denied": (paper.symbols.done, "green"),
        "not proved": (paper.symbols.failed, "red"),
        "changed": (paper.symbols.failed, "red"),
    }
    for stage, claim, verdict in event.claims:
        if stage != stage_before:
            seconds = spoken(took[stage]) if stage in took else ""
            table.add_row("", Text(one_line(stage), style="bold"), seconds)
            stage_before = stage
        sign, style = signs.get(verdict, (paper.symbols.pending, "dim"))
        aside = Text() if verdict in signs else Text(f"  {verdict}", style="dim")
        table.add_row(Text(sign, style=style), Text(one_line(claim)).append_text(aside))
    return table
