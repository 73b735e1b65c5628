"""Trying again: every wait is shown, and every wait ends."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from stslab.runner.events import Event, Waiting
from stslab.runner.ports import Clock

T = TypeVar("T")

LONGEST_PAUSE = 5.0
_GROWTH = 1.5
_SHOWN_EVERY = 1.0


class Verdict(msgspec.Struct, frozen=True):
    """What to do about a try: nothing more where ``limit`` is 0, else go on so long.

    ``limit`` is in seconds since the first try; ``what`` says to people what is waited for.
    """

    limit: float = 0.0
    what: str = ""


class Patience:
    """Tries again with growing pauses. ``pace`` is the first pause in seconds."""

    def __init__(self, clock: Clock, emit: Callable[[Event], None], pace: float) -> None:
        self._clock = clock
        self._emit = emit
        self._pace = pace

    def until(
        self, attempt: Callable[[], T], judge: Callable[[T], Verdict], *, pause: float = 0.0
    ) -> T:
        """The first result that ``judge`` is content with, or the last one that there was time for.

        ``pause`` is a steady pause; without it pauses grow, up to five seconds.
        """
        started, tries = self._clock.monotonic(), 0
        wait, shown = pause or self._pace, -_SHOWN_EVERY
        while True:
            result = attempt()
            tries += 1
            verdict = judge(result)
            elapsed = self._clock.monotonic() - started
            if elapsed + wait > verdict.limit:
                return result
            if elapsed - shown >= _SHOWN_EVERY:
                self._emit(Waiting(verdict.what, tries, elapsed, verdict.limit))
                shown = elapsed
            self._clock.sleep(wait)
            wait = pause or min(wait * _GROWTH, LONGEST_PAUSE)
