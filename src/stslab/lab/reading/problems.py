"""What is wrong with a lab: where, what, and what to write instead."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from stslab.errors import InvalidLab

_WIDEST = 100
_MOST_NAMED = 12
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its place (line and column count from 1), what is wrong, and the fix.

    ``source`` is the line of the file that it points at.
    """

    file: str
    line: int
    column: int
    message: str
    fix: str
    source: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, which editors and terminals make a link of."""
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        """The place and message, the line of the file with a caret under it, and the fix."""
        shown, caret = _excerpt(self.source, self.column - 1)
        lines = [f"{self.place}: {self.message}"]
        if shown.strip():
            lines += [f"    {shown}", f"    {' ' * caret}^"]
        return "\n".join([*lines, f"    {self.fix}"])


def invalid(path: str, problems: Sequence[Problem]) -> InvalidLab:
    """The error that lists these problems, in file order, each once."""
    order = {problem.file: number for number, problem in enumerate(reversed(problems))}
    order[path] = len(problems)
    listed = sorted(
        set(problems), key=lambda one: (-order[one.file], one.line, one.column, one.message)
    )
    count = "a problem" if len(listed) == 1 else f"{len(listed)} problems"
    text = "\n".join(str(problem) for problem in listed)
    return InvalidLab(f"{path} has {count}:\n{text}", listed)


def did_you_mean(word: str, options: Collection[str], otherwise: str = "") -> str:
    """A fix for a name that does not exist: the nearest one that does, or a few of them."""
    near = get_close_matches(word, options, n=1, cutoff=0.6) or _same_but_for_case(word, options)
    if near:
        return f"Did you mean {near[0]}?"
    if options and len(options) <= _MOST_NAMED:
        return f"There is: {', '.join(sorted(options))}."
    return otherwise or "Look it up in the service's API reference."


def shortened(value: object) -> str:
    """A value as a message shows it: never long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _same_but_for_case(word: str, options: Collection[str]) -> list[str]:
    return [option for option in options if option.lower() == word.lower()][:1]


def _excerpt(line: str, caret: int) -> tuple[str, int]:
    """The part of a line around the caret that fits, in printable characters, and the caret."""
    line = "".join(char if char.isprintable() else " " for char in line.rstrip("\r\n"))
    start = max(0, min(caret - _WIDEST // 2, len(line) - _WIDEST))
    return line[start : start + _WIDEST], max(0, caret - start)
