"""Undoes what clients do to AWS's messages: lines broken by a terminal, escapes of XML and JSON."""

import html
import json
import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
# Of a box or quotation; or what Docker Compose puts before each line.
_BORDER: Final = re.compile(r"^(?:[\w.-]{1,64} +(?=\| ))?\s{0,20}[│┃║╷╵╎▏>|] ?|[ \t]{0,99}[│┃║]$")
_WIDEST: Final = 240  # columns of a terminal that wraps
_REST: Final = re.compile(r"[\w+,.@/:*<>{}-]{1,2048}")  # of a broken word
_RUN: Final = re.compile(r"[A-Za-z0-9/+]{32,}")  # perhaps of a secret
_MOST_VALUES: Final = 100_000
_PACKED: Final = ("CloudTrailEvent", "DecodedMessage", "message")


def unwrapped(text: str) -> tuple[str, str, bool]:
    """The text if a terminal broke its lines between words, or anywhere; and if that is likely."""
    lines = _ESCAPES.sub("", text).replace("\r", "").strip("\n").split("\n")
    width = max(map(len, lines))
    bare = [_BORDER.sub("", line) for line in lines]
    ends = ["" if len(line) == width else "\n" for line in lines]
    next_to_first = bare[ends.index("") + 1 :][:1]
    likely = ends.count("") > 1 or (width <= _WIDEST and any(map(_goes_on, next_to_first)))
    joined = "".join(line + end for line, end in zip(bare, ends, strict=True))
    return _plain("\n".join(bare)), _plain(joined), likely


def _goes_on(line: str) -> bool:
    """Whether the line may continue a broken word; a prompt, a setting or a secret does not."""
    word = line.partition(" ")[0].rstrip(".,;:)\"'")
    return bool(_REST.fullmatch(word)) and not may_be_secret(word)


def may_be_secret(text: str) -> bool:
    """Whether a long run of letters and digits is in the text, as in keys and tokens."""
    return any(not (run.isalpha() or run.islower() or run.isupper()) for run in _RUN.findall(text))


def _plain(text: str) -> str:
    """The text without XML's and JSON's escapes, with one space between words."""
    if "</" in text:
        text = html.unescape(text).replace("</", " </")
    lines = re.sub(r'\\""?|[\u201c-\u201e]', '"', text).replace("\\n", "\n").split("\n")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def values(text: str) -> list[Any]:
    """All values in JSON, and in JSON in its texts, outer ones first; empty for other text."""
    text, found = text.strip("\ufeff \t\r\n"), list[Any]()
    with suppress(ValueError, RecursionError):
        outer = json.loads(text) if text.startswith(("{", "[", '"{')) else None
        waiting = deque([_opened("message", outer)] if outer else [])
        while waiting and len(found) < _MOST_VALUES:
            value = waiting.popleft()
            found.append(value)
            if isinstance(value, Mapping):
                waiting.extend(_opened(name, each) for name, each in value.items())
            elif isinstance(value, list):
                waiting.extend(value)
        return found
    return []


def _opened(name: str, value: Any) -> Any:
    """A member's value; what is in it if it is a text with JSON, as some members have."""
    with suppress(ValueError):
        if name in _PACKED and isinstance(value, str) and value.startswith("{"):
            return json.loads(value)
    return value
