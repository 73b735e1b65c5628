"""Draw events into text, as a terminal would show it."""

import io
import subprocess
from collections.abc import Iterable

from stslab.aws.command import aws_command
from stslab.render.terminal.paper import make_console
from stslab.render.terminal.run_view import TerminalRenderer
from stslab.render.text.symbols import in_words
from stslab.runner.events import Event


class Screen(io.StringIO):
    """A text stream of a given encoding that may say it is a terminal."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = False) -> None:
        super().__init__()
        self._encoding = encoding
        self._terminal = terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


def drawn(
    events: Iterable[Event],
    columns: int = 80,
    *,
    encoding: str = "utf-8",
    terminal: bool = False,
    **environ: str,
) -> str:
    screen = Screen(encoding, terminal=terminal)
    surroundings = {"COLUMNS": str(columns), "TERM": "xterm-256color", **environ}
    console = make_console(screen, environ=surroundings)
    over = terminal and environ.get("TERM") != "dumb" and not in_words()
    renderer = TerminalRenderer(console, aws_command, over=over)
    for event in events:
        renderer(event)
    renderer.close()
    return screen.getvalue()


def as_a_shell_reads(command: str) -> list[str]:
    """The words of a command line, as a real shell parses it."""
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True, timeout=10
    )
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]
