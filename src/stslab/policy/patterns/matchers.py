"""From the parts of a pattern to a test of texts: linear in the text, without backtracking."""

from collections.abc import Callable, Sequence

from stslab.policy.patterns.tokens import One, Star, Token, merged

Matcher = Callable[[str], bool]


def matcher(parts: tuple[Token, ...]) -> Matcher:
    """A test that tells whether the parts, which have no variables, match a whole text."""
    joined = merged(parts)
    simple = all(isinstance(part, str) or part == Star() for part in joined)
    return _literal_matcher(joined) if simple else _automaton(joined)


def _literal_matcher(parts: Sequence[Token]) -> Matcher:
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
