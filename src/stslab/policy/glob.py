"""Matching with ``*`` and ``?``: linear, without backtracking, with policy variables.

A pattern is compiled once. One without variables becomes a matcher at once; one with
variables is completed by each request's context, whose values are always literal text.
"IAM policy elements: Variables and tags" says which texts are variables and which escapes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_SPECIAL: Final = re.compile(r"[*?]|\$\{[^{}]*\}")
_WILDCARD: Final = re.compile(r"[*?]")
_DEFAULT: Final = re.compile(r"(?P<key>[^,]*?)\s*,\s*'(?P<default>[^']*)'\s*")
_ESCAPED: Final = frozenset("*?$")
_ARN_SEPARATORS: Final = 5  # the resource part follows the fifth colon

Lookup = Callable[[str], str | None]
"""Gives the one value of a condition key, or None where it has none."""


def no_value(_key: str) -> None:
    """A lookup where there is nothing to look up."""


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}``, or ``${key, 'default'}``. ``source`` is how the policy writes it."""

    key: str
    default: str | None
    source: str

    def value(self, lookup: Lookup) -> str | None:
        """What stands in its place; a key without value, or an empty one, is no value."""
        return lookup(self.key) or self.default


@dataclass(frozen=True, slots=True)
class Star:
    """``*``: any text; within one segment of an ARN where not ``crosses``."""

    crosses: bool = True


@dataclass(frozen=True, slots=True)
class One:
    """``?``: any one character; no colon where not ``crosses``."""

    crosses: bool = True


Token = str | Variable | Star | One


def tokens(text: str, *, variables: bool, wildcards: bool) -> tuple[Token, ...]:
    """Split ``text`` into literal texts, wildcards and variables."""
    parts: list[Token] = []
    literal = ""
    at = 0
    for found in (_SPECIAL if variables else _WILDCARD).finditer(text):
        special = _special(found.group(), wildcards=wildcards)
        literal += text[at : found.start()]
        at = found.end()
        if isinstance(special, str):
            literal += special
            continue
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(special)
    literal += text[at:]
    if literal:
        parts.append(literal)
    return tuple(parts)


def _special(text: str, *, wildcards: bool) -> Token:
    if text == "*":
        return Star() if wildcards else text
    if text == "?":
        return One() if wildcards else text
    inner = text[2:-1]
    if inner in _ESCAPED:
        return inner
    with_default = _DEFAULT.fullmatch(inner)
    if with_default:
        return Variable(with_default["key"].strip().lower(), with_default["default"], text)
    return Variable(inner.strip().lower(), None, text)


def within_arn(parts: Sequence[Token]) -> tuple[Token, ...]:
    """Apply the rules of ARN segments: what a wildcard and a variable may stand for.

    "IAM JSON policy elements: Resource": wildcards stand within a segment, and a ``*`` that
    ends one may go on beyond its colon. "Variables and tags": a variable is one only after
    the fifth colon, and literal text before it.
    """
    parts = _merged(parts)
    result: list[Token] = []
    colons = 0
    for index, part in enumerate(parts):
        if colons >= _ARN_SEPARATORS or isinstance(part, str):
            result.append(part)
            colons += part.count(":") if isinstance(part, str) else 0
        elif isinstance(part, Variable):
            result.append(part.source)
        elif isinstance(part, One):
            result.append(One(crosses=False))
        else:
            result.append(Star(crosses=_ends_segment(parts, index)))
    return tuple(result)


def _ends_segment(parts: Sequence[Token], index: int) -> bool:
    following = parts[index + 1] if index + 1 < len(parts) else ":"
    return isinstance(following, str) and following.startswith(":")


class Glob:
    """A compiled pattern. ``text`` is how the policy writes it."""

    __slots__ = ("_parts", "_test", "text")

    def __init__(self, text: str, parts: tuple[Token, ...]) -> None:
        self.text = text
        self._parts = parts
        dynamic = any(isinstance(part, Variable) for part in parts)
        self._test = None if dynamic else _matcher(parts)

    def matches(self, value: str, lookup: Lookup) -> bool:
        """Whether the pattern, completed by ``lookup``, matches the whole of ``value``.

        A variable without a value matches nothing.
        """
        if self._test is not None:
            return self._test(value)
        parts = self._resolved(lookup)
        return parts is not None and _matcher(parts)(value)

    def _resolved(self, lookup: Lookup) -> tuple[Token, ...] | None:
        parts: list[Token] = []
        for part in self._parts:
            resolved = part.value(lookup) if isinstance(part, Variable) else part
            if resolved is None:
                return None
            parts.append(resolved)
        return tuple(parts)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in the pattern."""
        return tuple(part for part in self._parts if isinstance(part, Variable))

    @property
    def everything(self) -> bool:
        """Whether the pattern is ``*``."""
        return self._parts == (Star(),)

    def shown(self, lookup: Lookup) -> str:
        """The pattern as a person should read it, with the values of its variables."""
        return "".join(_shown(part, lookup) for part in self._parts)


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
    parts = tokens(text, variables=variables, wildcards=wildcards)
    return Glob(text, within_arn(parts) if arn else parts)


def arn_globs(text: str, *, variables: bool) -> tuple[Glob, ...] | None:
    """The six components of an ARN pattern; None where it has fewer."""
    components: list[list[Token]] = [[]]
    for part in tokens(text, variables=variables, wildcards=True):
        if not isinstance(part, str):
            components[-1].append(part)
            continue
        first, *others = part.split(":", _ARN_SEPARATORS + 1 - len(components))
        components[-1].append(first)
        components.extend([other] for other in others)
    if len(components) != _ARN_SEPARATORS + 1:
        return None
    return tuple(Glob(text, tuple(part for part in parts if part)) for parts in components)


Matcher = Callable[[str], bool]


def _matcher(parts: tuple[Token, ...]) -> Matcher:
    merged = _merged(parts)
    if any(isinstance(part, Star) and not part.crosses for part in merged):
        return _automaton(merged)
    if any(isinstance(part, One) for part in merged):
        return _run_matcher(merged)
    return _chunk_matcher(merged)


def _merged(parts: Sequence[Token]) -> list[Token]:
    """Join neighbouring literals, and neighbouring stars."""
    merged: list[Token] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        elif isinstance(part, Star) and isinstance(last, Star):
            merged[-1] = Star(part.crosses or last.crosses)
        else:
            merged.append(part)
    return merged


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
