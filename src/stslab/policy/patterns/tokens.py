"""What patterns are made of: literal texts, wildcards, and policy variables.

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
ARN_SEPARATORS: Final = 5  # the resource part follows the fifth colon

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
    joined = merged(parts)
    result: list[Token] = []
    colons = 0
    for index, part in enumerate(joined):
        if colons >= ARN_SEPARATORS or isinstance(part, str):
            result.append(part)
            colons += part.count(":") if isinstance(part, str) else 0
        elif isinstance(part, Variable):
            result.append(part.source)
        elif isinstance(part, One):
            result.append(One(crosses=False))
        else:
            result.append(Star(crosses=_ends_segment(joined, index)))
    return tuple(result)


def _ends_segment(parts: Sequence[Token], index: int) -> bool:
    following = parts[index + 1] if index + 1 < len(parts) else ":"
    return isinstance(following, str) and following.startswith(":")


def merged(parts: Sequence[Token]) -> list[Token]:
    """Join neighbouring literals, and neighbouring stars."""
    found: list[Token] = []
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if texts:
            found.append("".join(texts))
            texts = []
        last = found[-1] if found else None
        if isinstance(part, Star) and isinstance(last, Star):
            found[-1] = Star(part.crosses or last.crosses)
        else:
            found.append(part)
    return [*found, "".join(texts)] if texts else found
