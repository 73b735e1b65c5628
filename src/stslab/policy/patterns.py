"""Patterns with ``*``, ``?`` and variables ("IAM policy elements: Variables and tags")."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache, lru_cache, partial
from struct import iter_unpack
from typing import Final, ParamSpec, TypeVar

import msgspec

P = ParamSpec("P")
V = TypeVar("V")

SHORT: Final = 512
"""The characters of a text up to which results are cached: usual ARNs and values are shorter."""
_Matcher = Callable[[str], bool]


def remembered(most: int, longest: int = SHORT) -> Callable[[Callable[P, V]], Callable[P, V]]:
    """Like ``lru_cache``, but results for a long first argument are not cached.

    Requests and policies are untrusted: a thousand actions of a megabyte each are a gigabyte.
    """

    def decorate(read: Callable[P, V]) -> Callable[P, V]:
        fresh: Callable[..., V] = read
        kept: Callable[..., V] = lru_cache(maxsize=most)(read)

        def reads(text: str | bytes, *args: Hashable) -> V:
            return (kept if len(text) < longest else fresh)(text, *args)

        return reads  # type: ignore[return-value]  # of the same parameters, which go by position

    return decorate


_SPECIAL: Final = re.compile(r"[*?]|\$\{[^{}]*\}")
_WILDCARD: Final = re.compile(r"[*?]")
_BEYOND: Final = re.compile(r"[\U00010000-\U0010ffff]")
_DEFAULT: Final = re.compile(r"(?P<key>[^,]*),\s*'(?P<default>[^']*)'\s*")
ARN_SEPARATORS: Final = 5  # the resource part follows the fifth colon
_READABLE: Final = 4096  # characters

Lookup = Callable[[str], str | tuple[str, ...] | None]  # returns the value of a condition key


def no_value(_key: str) -> None:
    """A lookup without any values."""


class Variable(msgspec.Struct, frozen=True):
    """``${key}`` or ``${key, 'default'}``; ``source`` is its text in the policy."""

    key: str
    default: str | None  # also of an empty value
    source: str


class Wildcard(msgspec.Struct, frozen=True):
    """``*``: any text, or ``?``: any character; unless ``crosses``, without colons."""

    sign: str
    crosses: bool = True


_ANY: Final = Wildcard("*")
Token = str | Variable | Wildcard


class Glob:
    """A compiled pattern, with its ``text`` in the policy and its ``variables``."""

    __slots__ = ("_head", "_parts", "_test", "text", "variables")

    def __init__(self, text: str, parts: Sequence[Token]) -> None:
        self.text = text
        self._parts = parts
        self._head = parts[0] if parts and isinstance(parts[0], str) else ""
        self.variables = tuple([part for part in parts if isinstance(part, Variable)])
        self._test = None if self.variables else _matcher(parts)

    def matches(self, value: str, lookup: Lookup) -> bool:
        if self._test is not None:
            return self._test(value)
        if not value.startswith(self._head):
            return False
        parts = self._resolved(lookup, len(value))
        return parts is not None and _matcher(_merged(parts))(value)

    def matches_ignoring_case(self, value: str, lookup: Lookup) -> bool:
        """The same for a pattern without wildcards. ``str.lower`` never makes a text shorter."""
        folded = _lower(value)
        parts = self._resolved(lookup, len(folded))
        return parts is not None and _lower("".join(map(str, parts))) == folded

    def _resolved(self, lookup: Lookup, longest: int) -> list[Token] | None:
        """The parts with variables' values; None if one has no single one, or all are too long."""
        parts: list[Token] = []
        for part in self._parts:
            resolved: Token | tuple[str, ...] | None = part
            if isinstance(part, Variable):
                resolved = lookup(part.key) or part.default
            if resolved is None or isinstance(resolved, tuple):
                return None
            if isinstance(resolved, str):
                longest -= len(resolved)
                if longest < 0:
                    return None
            parts.append(resolved)
        return parts

    def shown(self, lookup: Lookup) -> str:
        """The pattern with the values of its variables; as written if that is too long."""
        shown = ""
        for part in self._parts:
            if isinstance(part, Variable):
                value = lookup(part.key) or part.default
                shown += value if isinstance(value, str) else part.source
            else:
                shown += part if isinstance(part, str) else part.sign
            if len(shown) > len(self.text) + _READABLE:
                return self.text
        return shown


def _lower(text: str) -> str:
    """Letters beyond Unicode's basic plane have no case for AWS, as public records show."""
    kept = iter(_BEYOND.findall(text))
    return _BEYOND.sub(lambda _: next(kept), text.lower())


def glob(text: str, *, variables: bool = True, wildcards: bool = True, arn: bool = False) -> Glob:
    """Compile ``text``; ``arn``: with the rules for ARN segments."""
    if "*" not in text and "?" not in text and "${" not in text:
        return Glob(text, (text,) if text else ())
    return _compiled(text, variables, wildcards, arn)


@remembered(1024)
def _compiled(text: str, variables: bool, wildcards: bool, arn: bool) -> Glob:
    parts = _tokens(text, variables=variables, wildcards=wildcards)
    return Glob(text, _within_arn(parts) if arn else parts)


def arn_globs(text: str, *, variables: bool) -> tuple[Glob, ...] | None:
    components: list[list[Token]] = [[]]
    for part in _tokens(text, variables=variables, wildcards=True):
        if not isinstance(part, str):
            components[-1].append(part)
            continue
        first, *others = part.split(":", ARN_SEPARATORS + 1 - len(components))
        components[-1].append(first)
        components.extend([other] for other in others)
    if len(components) != ARN_SEPARATORS + 1:
        return None
    return tuple(Glob(text, _merged(parts)) for parts in components)


def _tokens(text: str, *, variables: bool, wildcards: bool) -> list[Token]:
    parts: list[Token] = []
    at = 0
    for found in (_SPECIAL if variables else _WILDCARD).finditer(text):
        parts += [text[at : found.start()], _special(found.group(), wildcards=wildcards)]
        at = found.end()
    return _merged([*parts, text[at:]])


def _special(text: str, *, wildcards: bool) -> Token:
    if text in ("*", "?"):
        return Wildcard(text) if wildcards else text
    inner = text[2:-1]
    if inner in ("*", "?", "$"):
        return inner
    with_default = _DEFAULT.fullmatch(inner)
    key, default = with_default.groups() if with_default else (inner, None)
    return Variable(key.strip().lower(), default, text)


def _merged(parts: Iterable[Token]) -> list[Token]:
    """The parts with adjacent texts and adjacent stars joined, without empty texts."""
    merged: list[Token] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        elif part and not (part == last and isinstance(part, Wildcard) and part.sign == "*"):
            merged.append(part)
    return merged


def _within_arn(parts: Sequence[Token]) -> list[Token]:
    """Apply the rules of ARN segments to wildcards and variables.

    "IAM JSON policy elements: Resource": a wildcard matches in a segment, a ``*`` at its end colons
    too. "Variables and tags": before the fifth colon a variable is literal text.
    """
    result: list[Token] = []
    colons = 0
    for part, following in zip(parts, [*parts[1:], ":"], strict=True):
        if colons >= ARN_SEPARATORS or isinstance(part, str):
            result.append(part)
            colons += part.count(":") if isinstance(part, str) else 0
        elif isinstance(part, Variable):
            result.append(part.source)
        else:
            ends = isinstance(following, str) and following.startswith(":")
            result.append(Wildcard(part.sign, crosses=part.sign == "*" and ends))
    return _merged(result)


def _matcher(parts: Sequence[Token]) -> _Matcher:
    """A test for a whole text, without variables. Texts between stars are each searched once."""
    literals = [part for part in parts if isinstance(part, str)]
    if len(literals) == len(parts):
        return "".join(literals).__eq__
    if not all(isinstance(part, str) or part == _ANY for part in parts):
        automaton = cache(partial(_automaton, parts))  # made if a text has all literals: few have
        return lambda value: _in_order(literals, value, 0, len(value)) and automaton()(value)
    head = literals.pop(0) if isinstance(parts[0], str) else ""
    tail = literals.pop() if isinstance(parts[-1], str) else ""

    def test(value: str) -> bool:
        fits = value.startswith(head) and value.endswith(tail)
        return fits and _in_order(literals, value, len(head), len(value) - len(tail))

    return test


def _in_order(literals: Sequence[str], value: str, at: int, end: int) -> bool:
    """Whether the literals are in the text between two places, one after the other."""
    for literal in literals:
        at = value.find(literal, at, end)
        if at < 0:
            return False
        at += len(literal)
    return at <= end


def _automaton(parts: Sequence[Token]) -> _Matcher:
    """A bit-parallel automaton: all ways to match at once, in time linear in the text."""
    items: list[Token] = []
    for part in parts:
        items += _units(part) if isinstance(part, str) else (part,)
    places = defaultdict[Token, int](int, {":": 0})  # a bit for each place of an item
    for index, item in enumerate(items):
        places[item] |= 1 << index
    ones_crossing, stars_crossing = places[Wildcard("?")], places[_ANY]
    ones = ones_crossing | places[Wildcard("?", crosses=False)]
    stars = stars_crossing | places[Wildcard("*", crosses=False)]
    accepts = {
        character: bits | (ones_crossing if character == ":" else ones)
        for character, bits in places.items()
        if isinstance(character, str)
    }
    final = 1 << len(items)

    def test(value: str) -> bool:
        state = 1 | (stars & 1) << 1
        for character in _units(value):
            stays = stars_crossing if character == ":" else stars
            state = (state & accepts.get(character, ones)) << 1 | state & stays
            state |= (state & stars) << 1
            if not state:
                return False
        return bool(state & final)

    return test


def _units(text: str) -> Iterable[str]:
    """The UTF-16 code units: AWS takes ``?`` for one, a character beyond U+FFFF has two."""
    if text.isascii():
        return text
    return (chr(unit) for (unit,) in iter_unpack("<H", text.encode("utf-16-le", "surrogatepass")))
