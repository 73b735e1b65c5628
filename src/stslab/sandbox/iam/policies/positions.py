"""Where each statement stands in the text of a policy: lines and columns, from 1."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

Span = tuple[dict[str, int], dict[str, int]]


def of_statements(text: str) -> list[Span]:
    """Begin and end of each statement of a valid policy document."""
    return [(_position(text, start), _position(text, end)) for start, end in _statements(text)]


def _statements(text: str) -> Iterator[tuple[int, int]]:
    at = _skip(text, 0) + 1  # behind the opening brace
    while text[_skip(text, at)] != "}":
        key, at = _DECODER.raw_decode(text, _skip(text, at))
        start = _skip(text, _skip(text, at) + 1)  # behind the colon
        _, at = _DECODER.raw_decode(text, start)
        if key == "Statement":
            yield from _elements(text, start, at)
        at = _skip(text, at)
        at += text[at] == ","


def _elements(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if text[start] != "[":
        yield start, end
        return
    at = _skip(text, start + 1)
    while text[at] != "]":
        _, after = _DECODER.raw_decode(text, at)
        yield at, after
        at = _skip(text, after)
        at = _skip(text, at + (text[at] == ","))


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _position(text: str, at: int) -> dict[str, int]:
    return {"Line": text.count("\n", 0, at) + 1, "Column": at - text.rfind("\n", 0, at)}
