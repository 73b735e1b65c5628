"""The signs that show a state without its colour: in Unicode, in ASCII, or in words."""

import os
from contextlib import suppress
from typing import IO, Any, TextIO, cast

import msgspec

# One character for one: the text keeps its width.
_PLAIN = str.maketrans(
    "\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u2022\u00b7\u2026\u2192\u2190\u00d7\u00a0",
    "''\"\"---*-.><x ",
)


class Symbols(msgspec.Struct, frozen=True):
    done: str
    failed: str
    current: str
    pending: str
    waiting: str
    warning: str
    hint: str
    dot: str  # before what is neither
    allows: str  # in a decision's tree
    refuses: str


UNICODE = Symbols("✔", "✘", "▶", "○", "…", "!", "→", "·", "✔", "✘")
ASCII = Symbols("[ok]", "[FAILED]", ">", ".", "...", "!", "->", "-", "+", "x")
WORDS = Symbols(
    "done:", "failed:", "now:", "open:", "waiting:", "warning:", "hint:", "-", "yes:", "no:"
)

STYLES = {
    "done": "green",
    "failed": "red",
    "warning": "magenta",
    "current": "bold",
    "pending": "dim",
}
"""The colours of signs; others have none."""


WIDEST = 96  # columns, of text that is read


def columns() -> int:
    """As many as COLUMNS says, the terminal has, or 80: like shutil's, without a 3 ms import."""
    with suppress(ValueError, OSError):
        if (wide := int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size().columns) > 0:
            return wide
    return 80


def in_words() -> bool:
    """Whether ``--plain`` is set, for screen readers."""
    return bool(os.environ.get("STSLAB_PLAIN"))


def _is_unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").startswith("utf")


def symbols_for(encoding: str | None) -> Symbols:
    """The signs that an output of this encoding can show."""
    if in_words():
        return WORDS
    return UNICODE if _is_unicode(encoding) else ASCII


def fitting(stream: TextIO) -> IO[str]:
    """The stream, or if it can't show more than ASCII, one that converts its text."""
    return stream if _is_unicode(stream.encoding) else cast("IO[str]", _PlainStream(stream))


class _PlainStream:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = "ascii"

    def write(self, text: str) -> int:
        """Write an equally long text in ASCII, with plain quotes, dashes and arrows."""
        return self._stream.write(text.translate(_PLAIN).encode("ascii", "replace").decode("ascii"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
