"""Shows that something is waited for: one line drawn over, or plain lines at a sensible rate."""

from rich.console import Console
from rich.text import Text

_RATE = 10.0
_ERASE = "\r\x1b[2K"


class WaitLine:
    """The line about the wait that goes on.

    On a terminal (``over``) it is drawn over and taken away afterwards. Elsewhere a line is
    printed when the wait begins and each ten seconds of it.
    """

    def __init__(self, console: Console, *, over: bool) -> None:
        self._console = console
        self._over = over
        self._drawn = False
        self._what = ""
        self._said_at = 0.0

    def show(self, what: str, text: Text, elapsed: float) -> None:
        """Say how the wait for ``what``, ``elapsed`` seconds old, goes."""
        if self._over:
            self._draw_over(text)
        elif what != self._what or elapsed < self._said_at or elapsed - self._said_at >= _RATE:
            self._what, self._said_at = what, elapsed
            self._console.print(text)

    def clear(self) -> None:
        """Take the drawn line away before anything else is printed."""
        if self._drawn:
            self._drawn = False
            self._console.file.write(_ERASE)
            self._console.file.flush()

    def ended(self) -> None:
        """The wait is over: the next one is a new one."""
        self.clear()
        self._what = ""

    def _draw_over(self, text: Text) -> None:
        text.truncate(self._console.width - 1, overflow="ellipsis")
        self.clear()
        self._console.print(text, end="")
        self._drawn = True
