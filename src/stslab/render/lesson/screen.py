"""Show scenes, each on its own screen, in parts that fit the terminal."""

import base64
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from stslab.policy.messages import in_short
from stslab.render.lesson.scenes import Done, Scene
from stslab.render.terminal.paper import Paper
from stslab.render.terminal.run_view import TerminalRenderer
from stslab.runner import events
from stslab.runner.events import Describe, Event, StackProgress, StepDiffers, Waiting

Draw = Callable[[Paper], None]
_BELOW = 3  # lines, for the prompt without its command, and the status line below it
_LEAST = 4  # lines above a command; with less room it has a screen of its own
_PROMPT = 58  # characters of the prompt's longest text, which a narrow terminal wraps
_SHORTER: Mapping[str, Callable[[Any], Any]] = {
    "before": lambda before: before.brief() if isinstance(before, Done) else before,
    "refusal": lambda _: "",
    "answer": lambda answer: answer[-1:],  # the Arn, if it says who
    "brief": lambda _: True,
}
"""How the parts of a scene are shortened, in this order."""


class Screen:
    """One terminal. ``clears``: each scene begins on an empty screen, not below the last."""

    def __init__(self, console: Console, describe: Describe, *, clears: bool) -> None:
        self._console = console
        self._clears = clears
        self.command: Callable[[], str] = lambda: ""  # in the prompt below what is shown
        self._live = TerminalRenderer(console, describe, over=clears)

    def _room(self, command: str) -> int:
        rows = sum((length - 1) // self._console.width for length in (_PROMPT, len(command))) + 1
        return self._console.height - _BELOW - rows

    def __call__(self, event: Event) -> None:
        """Show progress while a step is done."""
        if isinstance(event, Waiting | StackProgress | StepDiffers):
            self._live(event)

    def fits(self, scene: Scene, command: str) -> bool:
        """Whether a scene fits on one screen, with what Enter does and the command below it."""
        rows = sum(_rows(line, self._console.width) for line in self._drawn(scene.draw))
        return rows <= self._room(command)

    def show(self, scene: Scene, more: Callable[[], bool]) -> bool:
        """Draw a scene, shortened if it is longer than the screen; see :meth:`page`."""
        for name, shorter in _SHORTER.items():
            value = getattr(scene, name, None)
            if value is not None and not self.fits(scene, self.command()):
                scene = replace(scene, **{name: shorter(value)})
        return self.page(scene.draw, more)

    def page(self, draw: Draw, more: Callable[[], bool] = lambda: True) -> bool:
        """Show parts that fit the screen, while ``more`` between them is True; whether all were."""
        self._live.wait_ended()
        lines, room = self._drawn(draw), self._room(self.command())
        alone = self._clears and room < _LEAST <= self._room("")
        while lines:
            self._begin()
            part = _page(lines, self._room("") if alone else room, self._console.width)
            self._console.file.write("\n".join(lines[:part]) + "\n")
            self._console.file.flush()
            lines = lines[part:]
            if (lines or alone) and not more():
                return False
        if alone:
            self._begin()
        return True

    def _begin(self) -> None:
        if self._clears:
            self._console.clear()
        else:
            self._console.print()

    def copy(self, text: str) -> None:
        """Put a text into the terminal's clipboard (OSC 52), and print it alone."""
        self._console.file.write(f"\n{text}\n")
        if text and self._clears and self._console.is_terminal:
            encoded = base64.b64encode(text.encode()).decode()
            self._console.file.write(f"\x1b]52;c;{encoded}\x07")
            self.say("(It is in the clipboard too, if this terminal lets programs write there.)")

    def below(self, draw: Draw) -> None:
        self._live.wait_ended()
        draw(self._live)

    def say(self, text: str) -> None:
        self.below(lambda paper: paper.prose(text))

    def _drawn(self, draw: Draw) -> list[str]:
        with self._console.capture() as drawn:
            draw(self._live)
        return drawn.get().rstrip("\n").split("\n")


def _rows(line: str, width: int) -> int:
    return max(-(-Text.from_ansi(line).cell_len // width), 1)


def _page(lines: list[str], room: int, width: int) -> int:
    """How many of the lines to show: up to a blank one if that is most of the screen.

    Else up to the last at which no command is broken, and nothing that hangs below a line.
    """
    fit = max(bisect_right(list(accumulate(_rows(line, width) for line in lines)), room), 1)
    if fit == len(lines):
        return fit
    texts = [Text.from_ansi(line).plain.rstrip() for line in lines[: fit + 1]]
    depths = [len(text) - len(text.lstrip()) for text in texts]
    blank = (at for at in range(fit, fit // 2, -1) if not texts[at - 1])
    whole = (
        at
        for at in range(fit, fit // 3, -1)
        if depths[at] <= depths[at - 1] and not texts[at - 1].endswith("\\")
    )
    return next(blank, next(whole, fit))


class Heard(msgspec.Struct):
    """Collects the runner's events since the last scene."""

    lines: list[tuple[bool, str]] = []
    shown: list[tuple[str, Any]] = []
    made_by: int = 0  # the line of the last step
    failing: dict[str, str] = {}  # claims that did not hold, and why
    by_hand: bool = False
    names: Callable[[], Mapping[str, str]] = dict

    def hear(self, event: events.Event) -> None:
        if isinstance(event, events.StepFinished):
            self.made_by = len(self.lines)
            self.lines.append((True, f"{event.title}{' (by hand)' if self.by_hand else ''}"))
            self.shown += event.shown
            self.by_hand = False
        elif isinstance(event, events.CheckFinished):
            self.failing.pop(event.says, "")
            self.failing |= {} if event.held else {event.says: event.why}
        elif isinstance(event, events.StepAdopted):
            self.by_hand = True
        elif isinstance(event, events.StepSkipped):
            self.lines.append((True, f"{event.title} (done before)"))
        elif isinstance(event, events.Notice):
            self.lines.append((event.level == "info", f"{event.message} {event.hint}".strip()))
        elif isinstance(event, events.StepFailed):
            self.lines.append((False, f"{event.title}: {event.code}. {in_short(event.message)}"))

    def take(self) -> Done | None:
        """Return what was collected, and clear it."""
        done = Done(tuple(self.lines), tuple(self.shown), self.names(), self.made_by)
        self.lines, self.shown, self.made_by = [], [], 0
        return done if done.lines else None
