"""What draws a run: the same events go to a person's terminal or to a program's JSON lines."""

from collections.abc import Callable
from typing import Protocol

from stslab.runner.events import CallShown, Event

Describe = Callable[[CallShown], str]
"""Gives the equivalent, copyable ``aws`` command line of a call."""


class Renderer(Protocol):
    """Draws events, in the order in which they come."""

    def __call__(self, event: Event) -> None:
        """Draw one event, at once."""
        ...

    def close(self) -> None:
        """Leave the output whole: no half-drawn line stays behind."""
        ...
