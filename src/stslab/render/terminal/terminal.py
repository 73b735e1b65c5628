"""Draws a run for a person: on a terminal of any width, without colour, or in a pipe."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from stslab.render.terminal import run_view, step_view
from stslab.render.terminal.console import draws_over
from stslab.render.terminal.paper import RunPaper
from stslab.runner.events import Describe, Event

_DRAWN: Mapping[str, Callable[[RunPaper, Any], None]] = {**vars(run_view), **vars(step_view)}
"""What draws an event, by its kind."""


class TerminalRenderer:
    """Draws events on a console; ``describe`` gives the ``aws`` command of a call."""

    def __init__(self, console: Console, describe: Describe, *, over: bool | None = None) -> None:
        over = draws_over(console) if over is None else over
        self.paper = RunPaper(console, describe, over=over)

    def __call__(self, event: Event) -> None:
        with self.paper.console:  # what an event draws is written at once
            _DRAWN[event.kind](self.paper, event)

    def close(self) -> None:
        """Take away a line that is still drawn over."""
        self.paper.wait.ended()
