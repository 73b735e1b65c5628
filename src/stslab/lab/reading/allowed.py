"""`# stslab: allow RULE reason`: what an author has thought about, and lets be."""

import re
from collections.abc import Iterator

_ALLOW = re.compile(r"#\s*stslab:\s*allow\s+(\S+)[ \t]*(.*)")


class Allowed:
    """The rules that a lab's file allows, each for the line of its comment or the one below."""

    def __init__(self, text: str) -> None:
        self._rules = frozenset(_allowed(text.splitlines()))

    def has(self, rule: str, line: int) -> bool:
        """Whether the rule is allowed in this line, by its name or the part before a slash."""
        return bool({(rule, line), (rule.partition("/")[0], line)} & self._rules)


def _allowed(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Each rule with the line, counted from 1, that it is allowed in. It needs a reason."""
    waiting: list[str] = []
    for number, line in enumerate(lines, 1):
        found = _ALLOW.search(line)
        rules = [found[1]] if found and found[2].strip() else []
        if line.strip() and not line.lstrip().startswith("#"):
            yield from ((rule, number) for rule in (*waiting, *rules))
            waiting = []
        else:
            waiting += rules
