"""From the parts of a pattern to a test of texts: linear in the text, without backtracking."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from stslab.policy.patterns.tokens import One, Star, Token, merged

Matcher = Callable[[str], bool]


def matcher(parts: tuple[Token, ...]) -> Matcher:
    """A test that tells whether the parts, which have no variables, match a whole text."""
    joined = merged(parts)
    if any(isinstance(part, Star) and not part.crosses for part in joined):
        return _automaton(joined)
    if any(isinstance(part, One) for part in joined):
        return _run_matcher(joined) if _longest_run(joined) < _LONG_RUN else _automaton(joined)
    return _chunk_matcher(joined)


_LONG_RUN: Final = 16
"""Texts and ``?`` between two stars, from which on looking for them anew at each place of a text
costs more than following all ways at once."""


def _longest_run(parts: Sequence[Token]) -> int:
    """Of those between two stars: the first and the last stand at one place each."""
    stars = [index for index, part in enumerate(parts) if isinstance(part, Star)]
    return max((after - star - 1 for star, after in pairwise(stars)), default=0)


def _chunk_matcher(parts: Sequence[Token]) -> Matcher:
    """Literals between stars: each is sought once, from where the one before it ended."""
    if not parts:
        return "".__eq__
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0].__eq__
    literals = [part for part in parts if isinstance(part, str)]
    head = literals.pop(0) if isinstance(parts[0], str) else ""
    tail = literals.pop() if isinstance(parts[-1], str) else ""
    if not literals:
        return _ends_matcher(head, tail)

    def test(value: str) -> bool:
        if not (value.startswith(head) and value.endswith(tail)):
            return False
        at, end = len(head), len(value) - len(tail)
        for literal in literals:
            at = value.find(literal, at, end)
            if at < 0:
                return False
            at += len(literal)
        return at <= end

    return test


class _Run:
    """Literal texts and ``?`` between two stars: it has a length, and is sought by a literal."""

    __slots__ = ("_anchor", "_offset", "_parts", "length")

    def __init__(self, parts: Sequence[Token]) -> None:
        self._parts = parts
        self._anchor = ""
        self._offset = 0
        self.length = 0
        for part in parts:
            text = part if isinstance(part, str) else ""
            if len(text) > len(self._anchor):
                self._anchor, self._offset = text, self.length
            self.length += len(text) or 1

    def fits(self, value: str, at: int) -> bool:
        """Whether it stands in ``value`` at ``at``, behind which there is room for it."""
        for part in self._parts:
            if isinstance(part, str):
                if not value.startswith(part, at):
                    return False
                at += len(part)
            else:
                if isinstance(part, One) and not part.crosses and value[at] == ":":
                    return False
                at += 1
        return True

    def find(self, value: str, at: int, end: int) -> int:
        """Where its first occurrence between ``at`` and ``end`` ends, or -1."""
        while at + self.length <= end:
            found = value.find(self._anchor, at + self._offset, end)
            at = found - self._offset
            if found < 0 or at + self.length > end:
                return -1
            if self.fits(value, at):
                return at + self.length
            at += 1
        return -1


def _run_matcher(parts: Sequence[Token]) -> Matcher:
    """As ``_chunk_matcher``, with ``?``."""
    tokens: list[list[Token]] = [[]]
    for part in parts:
        if isinstance(part, Star):
            tokens.append([])
        else:
            tokens[-1].append(part)
    head, *middle = map(_Run, tokens)
    if not middle:
        return lambda value: len(value) == head.length and head.fits(value, 0)
    tail = middle.pop()

    def test(value: str) -> bool:
        at, end = head.length, len(value) - tail.length
        if at > end or not head.fits(value, 0) or not tail.fits(value, end):
            return False
        for run in middle:
            at = run.find(value, at, end)
            if at < 0:
                return False
        return True

    return test


def _ends_matcher(head: str, tail: str) -> Matcher:
    if not head and not tail:
        return lambda _value: True
    shortest = len(head) + len(tail)
    return lambda value: len(value) >= shortest and value.startswith(head) and value.endswith(tail)


def _automaton(parts: Sequence[Token]) -> Matcher:
    """All ways to match at once, one bit each: the cost is the same whatever the text."""
    items: list[Token] = []
    for part in parts:
        items += part if isinstance(part, str) else (part,)
    accepts: dict[str, int] = {}
    for index, item in enumerate(items):
        if isinstance(item, str):
            accepts[item] = accepts.get(item, 0) | 1 << index
    ones = _bits(items, lambda item: isinstance(item, One))
    ones_crossing = _bits(items, lambda item: isinstance(item, One) and item.crosses)
    for character in accepts:
        accepts[character] |= ones_crossing if character == ":" else ones
    stars = _bits(items, lambda item: isinstance(item, Star))
    stars_crossing = _bits(items, lambda item: isinstance(item, Star) and item.crosses)
    final = 1 << len(items)

    def test(value: str) -> bool:
        state = 1 | (stars & 1) << 1
        for character in value:
            colon = character == ":"
            moving = accepts.get(character, ones_crossing if colon else ones)
            state = (state & moving) << 1 | state & (stars_crossing if colon else stars)
            state |= (state & stars) << 1
            if not state:
                return False
        return bool(state & final)

    return test


def _bits(items: Sequence[Token], accepted: Callable[[Token], bool]) -> int:
    return sum(1 << index for index, item in enumerate(items) if accepted(item))
