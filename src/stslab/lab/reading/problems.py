"""Problems of a lab: the place, the message, and the fix."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from stslab.errors import InvalidLab

ERROR, WARNING = "error", "warning"
_WIDEST = 100
_MOST_NAMED = 12
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its place (line and column count from 1), the message, and the fix."""

    file: str
    line: int
    column: int
    message: str
    fix: str
    source: str = ""  # the line of the file
    rule: str = ""  # its name, by which an author can allow a warning
    severity: str = ERROR  # a lab with an error does not run

    @property
    def place(self) -> str:
        """``file:line:column``, which editors and terminals turn into a link."""
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.message}"]
        if self.severity == WARNING:
            lines = [f"{self.place}: warning: {self.message} [{self.rule}]"]
        line = "".join(char if char.isprintable() else " " for char in self.source.rstrip("\r\n"))
        at = self.column - 1
        start = max(0, min(at - _WIDEST // 2, len(line) - _WIDEST))
        shown = line[start : start + _WIDEST]
        if shown.strip():
            lines += [f"    {shown}", f"    {' ' * max(0, at - start)}^"]
        return "\n".join([*lines, f"    {self.fix}"])


def in_order(path: str, problems: Sequence[Problem]) -> list[Problem]:
    """The problems in order of the lab's file, then of its includes, without repetitions."""
    order = {problem.file: number for number, problem in enumerate(reversed(problems))}
    order[path] = len(problems)
    return sorted(
        set(problems), key=lambda one: (-order[one.file], one.line, one.column, one.message)
    )


def invalid(path: str, problems: Sequence[Problem]) -> InvalidLab:
    listed = in_order(path, problems)
    count = "a problem" if len(listed) == 1 else f"{len(listed)} problems"
    text = "\n".join(str(problem) for problem in listed)
    return InvalidLab(f"{path} has {count}:\n{text}", listed)


def ruled(report: Callable[[Problem], None], rule: str) -> Callable[[Problem], None]:
    """A report that gives problems without a rule this one."""
    return lambda problem: report(problem if problem.rule else replace(problem, rule=rule))


def did_you_mean(word: str, options: Collection[str], otherwise: str = "") -> str:
    """A fix for a name that does not exist: the nearest one, or all if they are few."""
    from stslab.policy.catalogue import suggestions

    for near in suggestions(word, options):
        return f"Did you mean {near}?"
    if options and len(options) <= _MOST_NAMED:
        return f"Choose from: {', '.join(sorted({*options}))}."
    return otherwise or "Look it up in the service's API reference."


def shortened(value: object) -> str:
    """The value's ``repr``, cut short for a message."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
