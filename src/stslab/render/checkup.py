"""What a doctor's check is, and how the checks look on a terminal."""

from collections.abc import Sequence

import msgspec
from rich.console import Console

from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted

GOOD, NOTE, WARNING, WRONG = "good", "note", "warning", "wrong"


class Checked(msgspec.Struct, frozen=True):
    """One thing that was looked at. ``state``: good, note, warning or wrong; ``fix``: what to do.

    ``exit_code`` is that of the command, where it is wrong.
    """

    name: str
    state: str
    says: str
    fix: str = ""
    exit_code: int = 1

    @property
    def ok(self) -> bool:
        return self.state != WRONG


def checked(name: str, says: str, fix: str = "", state: str = WRONG) -> Checked:
    """A check that is good, unless there is something to fix: then it is in ``state``."""
    return Checked(name, state if fix else GOOD, says, fix)


def show_checks(console: Console, checks: Sequence[Checked]) -> None:
    """A line for each, its fix below, and the sum at the end."""
    paper = Paper(console)
    signs = {
        GOOD: (paper.symbols.done, "green"),
        NOTE: (paper.symbols.dot, "dim"),
        WARNING: (paper.symbols.warning, "yellow"),
        WRONG: (paper.symbols.failed, "red"),
    }
    for one in checks:
        paper.line(*signs[one.state], one.name, aside=one.says)
        if one.fix:
            paper.prose(one.fix, lead=paper.symbols.hint, indent=4)
    paper.blank()
    wrong, warned = (sum(one.state == state for one in checks) for state in (WRONG, WARNING))
    if wrong:
        paper.prose(f"{counted(wrong, 'thing')} to fix.", style="bold")
    elif warned:
        paper.prose(f"All works; {counted(warned, 'warning')}.", style="bold")
    else:
        paper.prose("All is well.", style="bold")
