"""What the runner told since the last scene: it stands above the next one."""

from dataclasses import dataclass, field
from typing import Any

from stslab.lesson import scenes
from stslab.runner.events import (
    Event,
    Notice,
    StepAdopted,
    StepFailed,
    StepFinished,
    StepSkipped,
)


@dataclass
class Heard:
    """What the runner told since the last scene."""

    lines: list[tuple[bool, str]] = field(default_factory=list)
    shown: list[tuple[str, Any]] = field(default_factory=list)
    by_hand: bool = False

    def hear(self, event: Event) -> None:
        if isinstance(event, StepFinished):
            self.lines.append((True, f"{event.title}{' (by hand)' if self.by_hand else ''}"))
            self.shown += event.shown
            self.by_hand = False
        elif isinstance(event, StepAdopted):
            self.by_hand = True
        elif isinstance(event, StepSkipped):
            self.lines.append((True, f"{event.title} (done before)"))
        elif isinstance(event, Notice):
            self.lines.append((event.level == "info", f"{event.message} {event.hint}".strip()))
        elif isinstance(event, StepFailed):
            self.lines.append((False, f"{event.title}: {event.code}. {event.message}"))

    def take(self) -> scenes.Done | None:
        """What there is to show, which is forgotten."""
        told = scenes.Done(tuple(self.lines), tuple(self.shown)) if self.lines else None
        self.lines, self.shown = [], []
        return told
