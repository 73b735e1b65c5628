"""What a person at a terminal is asked: one line, one letter."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.text import Text

from stslab.render.text.safe import one_line


@dataclass(frozen=True, slots=True)
class Option:
    """An answer that may be given: its letter (Enter where empty) and what it does."""

    letter: str
    does: str


QUIT = Option("q", "quits")
CLEAN_UP = Option("c", "cleans up")


class Asker:
    """Asks on a console, reads answers from a stream. The stream's end chooses the last option."""

    def __init__(self, console: Console, answers: TextIO | None = None) -> None:
        self._console = console
        self._answers = answers or sys.stdin

    def choose(self, question: str, options: Sequence[Option]) -> Option:
        """Ask until one of the options is chosen. The end of the input chooses the last."""
        by_letter = {option.letter: option for option in options}
        words = (f"{one.letter} {one.does}" if one.letter else one.does for one in options)
        menu = Text(f"{', '.join(words)}: ", style="cyan")
        self._console.print()
        self._console.print(Text(one_line(question), style="bold"))
        while True:
            self._console.print(menu, end="")
            answer = self._read()
            if not answer:
                self._console.print()
                return options[-1]
            chosen = by_letter.get(answer.strip().lower()[:1])  # `q` and `quit` are the same
            if chosen:
                return chosen

    def _read(self) -> str:
        """The next line. After Ctrl-C the next output begins on a new line."""
        try:
            return self._answers.readline()
        except KeyboardInterrupt:
            self._console.print()
            raise
