"""What a person at a terminal is asked: one line, one letter."""

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from stslab.render.text.safe import one_line


class Asker:
    """Asks on a console, reads answers from a stream."""

    def __init__(self, console: Console, answers: TextIO | None = None) -> None:
        self._console = console
        self._answers = answers or sys.stdin

    def agrees(self, question: str, letter: str, does: str) -> bool:
        """Ask until the person says that it be done, or quits; the end of the input quits.

        ``letter`` does it (Enter where it is empty); ``c`` and ``clean`` are the same.
        """
        menu = Text(f"{letter} {does}, q quits: ".lstrip(), style="cyan")
        self._console.print()
        self._console.print(Text(one_line(question), style="bold"))
        while True:
            self._console.print(menu, end="")
            answer = self._read()
            said = answer.strip().lower()[:1] if answer else "q"
            if not answer:
                self._console.print()
            if said in (letter, "q"):
                return said == letter

    def _read(self) -> str:
        """The next line. After Ctrl-C the next output begins on a new line."""
        try:
            return self._answers.readline()
        except KeyboardInterrupt:
            self._console.print()
            raise
