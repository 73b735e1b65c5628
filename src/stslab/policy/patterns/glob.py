"""Patterns with ``*`` and ``?`` and policy variables, compiled once.

One without variables becomes a test at once; one with variables is completed by each request's
context, whose values are always literal text.
"""

from collections.abc import Callable, Sequence
from typing import Final

from stslab.policy.patterns.tokens import (
    ARN_SEPARATORS,
    Lookup,
    One,
    Star,
    Token,
    Variable,
    merged,
    tokens,
    within_arn,
)
from stslab.policy.remembered import remembered


class Glob:
    """A compiled pattern. ``text`` is how the policy writes it; ``variables`` are those in it."""

    __slots__ = ("_head", "_parts", "_test", "text", "variables")

    def __init__(self, text: str, parts: tuple[Token, ...]) -> None:
        self.text = text
        self._parts = parts
        self._head = parts[0] if parts and isinstance(parts[0], str) else ""
        self.variables = tuple([part for part in parts if isinstance(part, Variable)])
        self._test = None if self.variables else _matcher(parts)

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Whether the pattern, completed by ``lookup``, matches the whole of ``value``.

        A variable without a value matches nothing.
        """
        if self._test is not None:
            return self._test(value)
        if not value.startswith(self._head):
            return False  # and need not be completed
        parts = self._resolved(lookup, len(value))
        return parts is not None and _matcher(parts)(value)

    def matches_ignoring_case(self, value: str, lookup: Lookup) -> bool:
        """The same of a pattern without wildcards, whatever the case of its letters.

        ``str.lower`` makes no text shorter, so what is too long before is too long after.
        """
        folded = value.lower()
        parts = self._resolved(lookup, len(folded))
        return parts is not None and _joined(parts).lower() == folded

    def _resolved(self, lookup: Lookup, longest: int) -> tuple[Token, ...] | None:
        """The parts with the values of variables.

        None where one has no value, or where their texts are longer together than the
        ``longest`` text that they might match: else many variables with a long value would
        take the product of both to write out.
        """
        parts: list[Token] = []
        for part in self._parts:
            resolved = part.value(lookup) if isinstance(part, Variable) else part
            if resolved is None:
                return None
            if isinstance(resolved, str):
                longest -= len(resolved)
                if longest < 0:
                    return None
            parts.append(resolved)
        return tuple(parts)

    @property
    def everything(self) -> bool:
        """Whether the pattern is ``*``."""
        return self._parts == (Star(),)

    def shown(self, lookup: Lookup) -> str:
        """The pattern as a person should read it, with the values of its variables.

        Nobody reads one that they would make too long: it is as the policy writes it.
        """
        texts: list[str] = []
        length = 0
        for part in self._parts:
            texts.append(_shown(part, lookup))
            length += len(texts[-1])
            if length > len(self.text) + _READABLE:
                return self.text
        return "".join(texts)


_READABLE: Final = 4096  # characters


def _joined(parts: Sequence[Token]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _shown(part: Token, lookup: Lookup) -> str:
    if isinstance(part, Variable):
        value = part.value(lookup)
        return part.source if value is None else value
    if isinstance(part, str):
        return part
    return "*" if isinstance(part, Star) else "?"


def glob(text: str, *, variables: bool = True, wildcards: bool = True, arn: bool = False) -> Glob:
    """Compile ``text``; ``arn``: by the rules of ARN segments."""
    if "*" not in text and "?" not in text and "${" not in text:
        return Glob(text, (text,) if text else ())
    return _compiled(text, variables, wildcards, arn)


@remembered(1024)
def _compiled(text: str, variables: bool, wildcards: bool, arn: bool) -> Glob:
    parts = tokens(text, variables=variables, wildcards=wildcards)
    return Glob(text, within_arn(parts) if arn else parts)


def arn_globs(text: str, *, variables: bool) -> tuple[Glob, ...] | None:
    """The six components of an ARN pattern; None where it has fewer."""
    components: list[list[Token]] = [[]]
    for part in tokens(text, variables=variables, wildcards=True):
        if not isinstance(part, str):
            components[-1].append(part)
            continue
        first, *others = part.split(":", ARN_SEPARATORS + 1 - len(components))
        components[-1].append(first)
        components.extend([other] for other in others)
    if len(components) != ARN_SEPARATORS + 1:
        return None
    return tuple(Glob(text, tuple(part for part in parts if part)) for parts in components)


_Matcher = Callable[[str], bool]


def _matcher(parts: tuple[Token, ...]) -> _Matcher:
    """A test that tells whether the parts, which have no variables, match a whole text."""
    joined = merged(parts)
    simple = all(isinstance(part, str) or part == Star() for part in joined)
    return _literal_matcher(joined) if simple else _automaton(joined)


def _literal_matcher(parts: Sequence[Token]) -> _Matcher:
    """Literals between stars: each is sought once, from where the one before it ended."""
    literals = [part for part in parts if isinstance(part, str)]
    if len(literals) == len(parts):
        return "".join(literals).__eq__
    head = literals.pop(0) if isinstance(parts[0], str) else ""
    tail = literals.pop() if isinstance(parts[-1], str) else ""

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


def _automaton(parts: Sequence[Token]) -> _Matcher:
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
