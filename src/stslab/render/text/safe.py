"""Make text from AWS, a lab or a file harmless to a terminal or a page of Markdown."""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

# Cc: control characters (escape sequences). Cf: invisible characters that reverse or hide text.
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs")


def visible(text: str) -> str:
    r"""The text with control (except newlines) and invisible characters escaped (``\x1b``)."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def one_line(text: str) -> str:
    """Like ``visible``, with each run of white space and newlines made one space."""
    return visible(" ".join(text.split()))


def markdown_line(text: str) -> str:
    """Like ``one_line``, escaped for a line of Markdown."""
    return re.sub(r"[\\`*_\[\]<>&|~!]", r"\\\g<0>", one_line(text))


def markdown_prose(text: str) -> str:
    """Markdown that can only show text: no HTML, no images, and only https links."""
    return "".join(map(_harmless, re.split(r"(\n[ \t]*\n)", visible(text).strip())))


def _harmless(paragraph: str) -> str:
    """The paragraph with all active characters escaped, except in code spans."""
    # Readers of Markdown differ on a backtick without a partner in its line and table cell.
    doubtful = any(cell.count("`") % 2 for cell in _CELL_END.split(paragraph))
    parts = [paragraph] if doubtful or _NO_SPAN.search(paragraph) else _CODE.split(paragraph)
    return "".join(
        part if at % 2 else _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", part)
        for at, part in enumerate(parts)
    )


_CELL_END, _CODE, _NO_SPAN = re.compile(r"[\n|]"), re.compile(r"(`[^`]+`)"), re.compile(r"``|\\`")
_ACTIVE = re.compile(r"<|!(?=\[)|\](?=[(:])(?!\(https://)")


def value_text(value: Any) -> str:
    """A response's value for people: plain text, or a document as indented JSON."""
    import json

    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        with suppress(ValueError):
            value = json.loads(value)  # a policy that comes as text
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return visible(str(value))


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSEEN:
        return character
    point = ord(character)
    return f"\\x{point:02x}" if point <= 0xFF else f"\\u{point:04x}"  # noqa: PLR2004 - one byte
