"""Draws what would be done, before it is done."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from stslab.render.interface import Describe
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted

if TYPE_CHECKING:
    from stslab.runner.undo.cleanup import Planned


def show_cleanup(
    console: Console, run: str, planned: "Sequence[Planned]", describe: Describe
) -> None:
    """What cleanup of a run would undo, in its order, with the calls."""
    paper = Paper(console)
    count = counted(len(planned), "thing")
    paper.prose(f"Cleanup of run {run} would undo {count}, last made first:", style="bold")
    for one in planned:
        aside = "if it is there" if one.perhaps else ""
        paper.line(paper.symbols.pending, "dim", one.thing, indent=2, aside=aside)
        for extra in one.extras:
            paper.prose(f"and with it {extra}", indent=4, style="dim")
        for call in one.calls:
            paper.command(describe(call))
