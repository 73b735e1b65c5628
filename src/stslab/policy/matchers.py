"""From the parts of a pattern to a test of texts: linear in the text, without backtracking."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from stslab.policy.tokens import One, Star, Token, merged

Matcher = Callable[[str], bool]


def matcher(parts: tuple[Token, ...]) -> Matcher:
    """A test that tells whether the parts, which have no variables, match a whole text."""
    joined = merged(parts)
    if any(isinstance(part, Star) and not part.crosses for part in joined):
        return _automaton(joined)
    if any(isinstance(part, One) for part in joined):
        return _run_matcher(joined)
    return _chunk_matcher(joined)


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


def _run_matcher(parts: Sequence[Token]) -> Matcher:
    """As ``_chunk_matcher``, with ``?``: what is sought has a length, and can't backtrack."""
    runs: list[list[Token]] = [[]]
    for part in parts:
        if isinstance(part, Star):
            runs.append([])
        else:
            runs[-1].append(part)
    head, *middle = [_expression(run) for run in runs]
    if not middle:
        return lambda value: head.fullmatch(value) is not None
    tail = middle.pop()
    shortest, length = _length(runs[0]), _length(runs[-1])

    def test(value: str) -> bool:
        at, end = shortest, len(value) - length
        if at > end or not head.match(value) or not tail.match(value, end):
            return False
        for sought in middle:
            found = sought.search(value, at, end)
            if found is None:
                return False
            at = found.end()
        return True

    return test


def _expression(run: Sequence[Token]) -> re.Pattern[str]:
    written = [
        re.escape(part) if isinstance(part, str) else _ANY[isinstance(part, One) and part.crosses]
        for part in run
    ]
    return re.compile("".join(written), re.DOTALL)


_ANY: Final = {True: ".", False: "[^:]"}


def _length(run: Sequence[Token]) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in run)


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
    characters = {item for item in items if isinstance(item, str)}
    accepts = {each: _bits(items, frozenset((each,)).__contains__) for each in characters}
    ones = _bits(items, lambda item: isinstance(item, One))
    ones_crossing = _bits(items, lambda item: isinstance(item, One) and item.crosses)
    stars = _bits(items, lambda item: isinstance(item, Star))
    stars_crossing = _bits(items, lambda item: isinstance(item, Star) and item.crosses)
    final = 1 << len(items)

    def test(value: str) -> bool:
        state = 1 | (stars & 1) << 1
        for character in value:
            colon = character == ":"
            moving = accepts.get(character, 0) | (ones_crossing if colon else ones)
            state = (state & moving) << 1 | state & (stars_crossing if colon else stars)
            state |= (state & stars) << 1
            if not state:
                return False
        return bool(state & final)

    return test


def _bits(items: Sequence[Token], accepted: Callable[[Token], bool]) -> int:
    return sum(1 << index for index, item in enumerate(items) if accepted(item))
