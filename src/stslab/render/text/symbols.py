"""The signs beside the colours: in Unicode, in ASCII where the output can't show more, in words."""

import os
from collections.abc import Mapping

import msgspec

# One character for one, so that what was laid out for a width keeps it.
_PLAIN = str.maketrans(
    "\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u2022\u00b7\u2026\u2192\u2190\u00d7\u00a0",
    "''\"\"---*-.><x ",
)


class Symbols(msgspec.Struct, frozen=True):
    """What stands beside a line to say how it went, whatever the colours."""

    done: str
    failed: str
    current: str
    pending: str
    waiting: str
    warning: str
    hint: str
    dot: str


UNICODE = Symbols("✔", "✘", "▶", "○", "…", "!", "→", "·")
ASCII = Symbols("[ok]", "[FAILED]", ">", ".", "...", "!", "->", "-")
WORDS = Symbols("done:", "failed:", "now:", "open:", "waiting:", "warning:", "hint:", "-")


STYLES = {
    "done": "green",
    "failed": "red",
    "warning": "yellow",
    "current": "bold",
    "pending": "dim",
}
"""The colours of signs, by their names; others have none."""


def in_words() -> bool:
    """Whether everything is to be said in words, for a screen reader: ``--plain``."""
    return bool(os.environ.get("STSLAB_PLAIN"))


def is_unicode(encoding: str | None) -> bool:
    """Whether an output of this encoding shows more than ASCII for certain."""
    return (encoding or "").lower().replace("-", "").startswith("utf")


def symbols_for(encoding: str | None) -> Symbols:
    """The signs that an output of this encoding can show."""
    if in_words():
        return WORDS
    return UNICODE if is_unicode(encoding) else ASCII


def marks_for(encoding: str | None) -> Mapping[bool | None, str]:
    """What stands before a line of a decision: it allows, it refuses, or neither."""
    signs = symbols_for(encoding)
    return _MARKS.get(signs.done) or {True: signs.done, False: signs.failed, None: signs.dot}


_MARKS: Mapping[str, Mapping[bool | None, str]] = {
    ASCII.done: {True: "+", False: "x", None: "-"},
    WORDS.done: {True: "yes:", False: "no:", None: "-"},
}


def plain(text: str) -> str:
    """The text in ASCII, as long as it was: typographic signs get their plain likeness."""
    return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")
