"""Make the console for all output to people."""

import os
from collections.abc import Mapping
from typing import IO, Any, TextIO, cast

from rich.console import Console
from rich.theme import Theme

from stslab.render.text.symbols import in_words, is_unicode, plain

_NARROWEST = 40
_CODE = "cyan"  # rich's own has a black background, which blots a light terminal


class PlainStream:
    """Converts text to ASCII for a stream that can't show more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = "ascii"

    def write(self, text: str) -> int:
        return self._stream.write(plain(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Console(Console):
    """rich's console, but a closed pipe raises its error instead of ending the process."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def make_console(stream: TextIO, *, environ: Mapping[str, str] | None = None) -> Console:
    """A console as wide as its terminal, or 80 columns in a pipe.

    ``NO_COLOR``, ``TERM=dumb`` and ``--plain`` turn escape sequences off. rich's markup, emoji
    codes and highlights are off.
    """
    environ = os.environ if environ is None else environ
    bare = environ.get("NO_COLOR") or environ.get("TERM") == "dumb" or in_words()
    fitting = stream if is_unicode(stream.encoding) else PlainStream(stream)
    console = _Console(
        file=cast("IO[str]", fitting),
        color_system=None if bare else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        theme=Theme({"markdown.code": _CODE, "markdown.code_block": _CODE}),
        _environ=environ,
    )
    if console.width < _NARROWEST:  # noqa: PLR1730 - once set, it would not follow the terminal
        console.width = _NARROWEST
    return console


def draws_over(console: Console) -> bool:
    """Whether lines may be redrawn: on a capable terminal, without --plain."""
    capable = os.environ.get("TERM") not in ("dumb", "unknown", "", None)
    return capable and console.file.isatty() and not in_words()
