"""Makes the console that everything for people is printed through."""

import os
from collections.abc import Mapping
from typing import IO, TextIO, cast

from rich.console import Console

from stslab.render.text.symbols import in_words, is_unicode, plain

_NARROWEST = 40


class PlainStream:
    """A text stream that can't show more than ASCII, and is given nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = "ascii"

    def write(self, text: str) -> int:
        return self._stream.write(plain(text))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class _Console(Console):
    """rich's own, which would end the process without a word where a pipe was closed."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - the error that it is called for


def make_console(
    stream: TextIO, *, no_color: bool = False, environ: Mapping[str, str] | None = None
) -> Console:
    """A console on this stream: as wide as its terminal, 80 columns in a pipe.

    With ``no_color``, ``NO_COLOR``, ``TERM=dumb`` or ``--plain`` no escape sequence is written.
    Text is printed as it is: no markup, no emoji codes, no guessed highlights.
    """
    environ = os.environ if environ is None else environ
    no_color = no_color or bool(environ.get("NO_COLOR")) or in_words()
    bare = no_color or environ.get("TERM") == "dumb"
    fitting = stream if is_unicode(stream.encoding) else PlainStream(stream)
    console = _Console(
        file=cast("IO[str]", fitting),
        color_system=None if bare else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        _environ=environ,
    )
    console.width = max(console.width, _NARROWEST)
    return console


def draws_over(console: Console, environ: Mapping[str, str] | None = None) -> bool:
    """Whether a line may be drawn over: on a real terminal that knows how, if wanted."""
    environ = os.environ if environ is None else environ
    if in_words():
        return False
    return console.file.isatty() and environ.get("TERM") not in ("dumb", "unknown", "", None)
