"""A fault at the prompt: the ticket, hints and `why` by degrees, and how far the fix is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from stslab.errors import StslabError
from stslab.kinds.operations import changes
from stslab.lesson import questions, scenes
from stslab.lesson.faults import Remaining
from stslab.lesson.ports import called, is_own
from stslab.policy.vocabulary import Gate
from stslab.render.lesson import views
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line
from stslab.runner.events import CallShown
from stslab.runner.ports import Call, Refusal

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.cli.run.loop import Loop
    from stslab.lab.model import Lab
    from stslab.lesson.access import CellState
    from stslab.lesson.faults import Faults
    from stslab.render.terminal.paper import Paper
    from stslab.runner.journal.records import Broken

_HINT, _WHY = -1, -2
_ABOUT = {_HINT: "hint", _WHY: "why"}
_COMMAND = "This is what fixes it; Enter runs it."


@dataclass
class FaultExercise:
    """A planted fault, until everybody may do again what they should, and nobody more."""

    laid: "Bench"
    opened: "Open"
    loop: "Loop"
    faults: "Faults"
    stands: "Broken"
    who: str = "admin"
    command: str = ""
    remaining: Remaining = field(init=False)

    def __post_init__(self) -> None:
        self.remaining = self.faults.remaining(self.stands.fault)
        self._seen = self._state()
        self._shown, self._answer = self._reported()

    @property
    def done(self) -> bool:
        return self.remaining.done

    def scene(self) -> scenes.Ticket:
        return scenes.Ticket(
            self.stands.fault.title, self.stands.asked, self._shown, self._answer, self.remaining
        )

    def line(self) -> str:
        return self.command

    def run(self) -> bool:
        self.command, self.who = "", "admin"
        self.faults.fix(self.stands.fault)
        return False

    def hint(self) -> str:
        """A nudge, then a pointer, then the command."""
        return self._told(_HINT, self.stands.fault.hints or self._reasons()[:2])

    def draw_why(self, paper: "Paper") -> None:
        """Why it is refused: the gate, then the place, then the kind of change, the command."""
        told = self._told(_WHY, self._reasons())
        views.ticket(paper, replace(self.scene(), told=told))

    def _reasons(self) -> tuple[str, ...]:
        told = self.stands
        place = (f"Look at {told.where}.", told.advice) if told.where else told.fault.hints
        return (self._gate(), *place)

    def _gate(self) -> str:
        cell = self.faults.broken(self.stands.fault)
        if cell is None or not self.stands.gate:
            return "Nothing refuses it; something allows more than it should."
        what = "the role" if cell.cell in self._assuming() else "the bucket"
        return f"{questions.refused(Gate(self.stands.gate), cell.who, what)}."

    def _assuming(self) -> Sequence[str]:
        access = self.loop.lab.access
        return [name for name, cell in access.items() if cell.operation.startswith("AssumeRole")]

    def _told(self, kind: int, grades: Sequence[str]) -> str:
        """The next grade of a kind of help, which is remembered; the last one types the command."""
        runner, stage = self.loop.runner, self.loop.lab.stage(self.stands.fault.after)
        if stage is None:
            return ""
        grade = runner.hints(stage, kind)
        if grade <= len(grades):
            runner.hinted(stage, kind, grade)
        if grade < len(grades):
            return f"{grades[grade]} (`{_ABOUT[kind]}` again tells more.)"
        self.command, self.who = self.fix()
        return _COMMAND

    def fix(self) -> tuple[str, str]:
        """The command of the fix, and who makes it."""
        fault = self.stands.fault
        calls = [self.faults.renewal(fault.profile)] if fault.profile else fault.fix
        who = calls[0].identity
        return " && ".join(self.loop.command(_shown(one), who) for one in calls), who

    def news(self, paper: "Paper") -> None:
        before, was = self.remaining, self._seen
        self._seen = self._state()
        self.remaining = now = self.faults.remaining(self.stands.fault)
        if now.wide and not self.stands.opened:
            self.stands = replace(self.stands, opened=True)
            self.laid.journal.write(self.loop.runner.run.id, self.stands)
        if before == now and was == self._seen:
            return
        if now.still and now == before:
            paper.prose("Something was changed, and what is broken is as it was.")
        elif now.wide and not now.still:
            paper.prose("It works, but more is open than before. That is no fix yet.")
        views.remaining(paper, now)

    def _state(self) -> tuple[object, ...]:
        """What another look is worth: the calls that changed something, and the profiles."""
        from stslab.sandbox.pipeline.log_file import newest_first

        events = takewhile(
            lambda one: str(one["eventTime"]) > self.stands.at, newest_first(self.laid.home.sandbox)
        )
        made = sum(
            changes(called(one)) for one in events if "errorCode" not in one and not is_own(one)
        )
        return made, *map(self.opened.profiles.get, self.faults.makers())

    def _reported(self) -> tuple[str, str]:
        """The command that shows the fault, and what comes of it."""
        cell = self.faults.broken(self.stands.fault)
        if cell is None:
            return "", ""
        call, self.loop.verdict = self._call(cell), cell.verdict
        shown = self.loop.command(_shown(call), "")
        if cell.verdict.allowed:  # it may destroy something: it is not made
            return shown, "It would go through, and should not."
        try:
            outcome = self.opened.account.call(
                call.identity, call.service, call.operation, call.params
            )
        except StslabError as error:
            return shown, error.message
        if isinstance(outcome, Refusal):
            failed = f"An error occurred ({outcome.code}) when calling the {call.operation}"
            return shown, f"{failed} operation: {outcome.message}"
        return shown, "It goes through."

    def _call(self, cell: "CellState") -> Call:
        from stslab.lab.references import resolve

        row = self.loop.lab.access[cell.cell]
        params = resolve(row.params, self.loop.runner.scope())
        return Call(cell.who, row.service, row.operation, params)

    def status(self) -> str:
        line, words = f" {self.stands.asked}   {spoken(self.seconds)}", "why  hint  solve  help"
        return f"{line}   {words}"[: self.laid.console.width]

    @property
    def seconds(self) -> float:
        since = datetime.fromisoformat(self.stands.at)
        return max((datetime.now(UTC) - since).total_seconds(), 0.0)

    def helps(self) -> str:
        stage = self.loop.lab.stage(self.stands.fault.after)
        if stage is None:
            return ""
        taken = {kind: self.loop.runner.hints(stage, kind) for kind in _ABOUT}
        return ", ".join(counted(taken[kind], word) for kind, word in _ABOUT.items() if taken[kind])


def _shown(call: Call) -> CallShown:
    return CallShown(call.identity, call.service, call.operation, call.params)


def result(paper: "Paper", lab: "Lab", exercise: FaultExercise) -> None:
    """That it is fixed, what it was, and a line to share that does not give it away."""
    told = exercise.stands
    views.heading(paper, f"Fixed in {spoken(exercise.seconds)}", told.asked)
    if told.where:
        paper.prose(one_line(f"It was {told.where}."), indent=1)
    else:
        paper.prose("This fixes it:", indent=1)
        paper.command(exercise.fix()[0], indent=3)
    paper.blank()
    how = exercise.helps() or "no help"
    clean = "opened too much" if told.opened else "clean"
    paper.prose("To share:", indent=1)
    paper.whole(f"   stslab break {lab.id} {told.asked}", "bold")
    paper.whole(f"   fixed in {spoken(exercise.seconds)}, {how}, {clean}", "bold")
    paper.blank()
