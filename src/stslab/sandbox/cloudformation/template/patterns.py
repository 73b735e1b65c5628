"""Reads a pattern as Java's ``java.util.regex`` does, and writes it for the module ``regex``."""

import re
from collections.abc import Callable
from functools import lru_cache

import regex

from stslab.structures import beside

LARGEST = 50_000  # parts: the module takes a kilobyte for each, and fails on the stack at 180,000
_GROUP = 10  # parts: 20,000 groups in a row take the module 20 s, in which no request goes on
_SYNTAX = beside(__file__, "patterns.yaml")
_SETS = {form: f"[{body}]" for form, body in _SYNTAX["sets"].items()}
_SETS |= {form[:2] + form[2].upper() + form[3:]: f"[^{of[1:]}" for form, of in _SETS.items()}
_OUTSIDE, _INSIDE = (
    [(re.compile(form, re.DOTALL), becomes) for form, becomes in (_SYNTAX[place] | _SETS).items()]
    for place in ("outside", "inside")
)
_ESCAPE = re.compile("|".join(_SYNTAX["escapes"]), re.DOTALL)
_CHARACTERS: dict[str, Callable[[str], str]] = {
    "octal": lambda digits: chr(int(digits, 8)),
    "hex": lambda digits: chr(int(digits.strip("xu{}"), 16)),
    "control": lambda character: chr(ord(character) ^ 64),
    "named": dict(zip("aefnrt", "\a\x1b\f\n\r\t", strict=True)).__getitem__,
}


@lru_cache(maxsize=8)
def compiled(pattern: str) -> tuple[regex.Pattern[str], int]:
    """The pattern and its parts.

    Raises ValueError for what Java can't compile, and for what would fill the memory.
    """
    try:
        text, parts = _translated(pattern)
        return regex.compile(text, regex.V1, cache_pattern=False), parts
    except (regex.error, IndexError, StopIteration) as error:  # the last: it has another form
        raise ValueError(pattern) from error


def _translated(pattern: str) -> tuple[str, int]:
    units = _ESCAPE.sub(_character, pattern).encode("utf-16", "surrogatepass")
    text = units.decode("utf-16", "surrogatepass")  # a pair of surrogates is one character
    parts, position, depth = [], 0, 0  # the depth of classes in classes
    sizes = [(0, 0)]
    while position < len(text):
        forms = _INSIDE if depth else _OUTSIDE
        tokens = ((form.match(text, position), becomes) for form, becomes in forms)
        token, becomes = next((found, becomes) for found, becomes in tokens if found)
        ends = (f"\\U{ord(end):08x}" for end in token.groups() if end)
        parts.append(token.expand(becomes) if becomes else "-".join(ends))
        position = token.end()
        _measure(token[0], sizes, in_class=depth > 0)
        depth += token[0].startswith("[") - (depth > 0 and token[0] == "]")
    named = [part for part in parts if part.startswith("(?<") and part.endswith(">")]
    if len(named) > len(set(named)):
        raise ValueError(pattern)
    return "".join(parts), sum(map(sum, sizes))


def _measure(form: str, sizes: list[tuple[int, int]], *, in_class: bool) -> None:
    """Add to the sizes of the open groups: of what is before their last part, and of that.

    IndexError: a group ends that did not begin.
    """
    before, last = sizes[-1]
    size = len(form) if form[0] == "\\" else 1  # a long name is of a large set
    if in_class:
        sizes[-1] = (before, last + size)
    elif form[0] == "(" and form[-1] != ")":
        sizes.append((0, 0))
    elif form == ")":
        sizes.pop()
        sizes[-1] = (sum(sizes[-1]), before + last + _GROUP)
    elif form[0] in "*+?{":
        times = re.findall("[0-9]+", form)
        sizes[-1] = (before, last * (int(times[0]) + 1 if times else 2))
    else:
        sizes[-1] = (before + last, size)
    if sum(sizes[-1]) > LARGEST:
        raise ValueError(form)


def _character(escape: re.Match[str]) -> str:
    kind = escape.lastgroup
    return re.escape(_CHARACTERS.get(kind, str)(escape[kind])) if kind else escape[0]
