"""Exercises at the prompt: a step of the guided lesson, the tasks of a stage, or a fault."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import takewhile

from msgspec.structs import replace

from stslab.cli.run.here import TEXTS, Here
from stslab.durations import spoken
from stslab.errors import RunError, StslabError, UnresolvedReference
from stslab.kinds.operations import changes
from stslab.lab.model import Stage
from stslab.lab.references import resolve
from stslab.lesson import questions
from stslab.lesson.byhand import ByHand, called, is_own, make, unplaced
from stslab.lesson.evidence import call_of, documents_of, renamed
from stslab.lesson.faults import Faults
from stslab.policy.messages import in_short
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Scene
from stslab.render.terminal.paper import Paper
from stslab.render.text.shellwords import same_command
from stslab.runner.journal.records import HINT, WHY, Broken, FaultState, Hint
from stslab.runner.ports import Call, Refusal
from stslab.runner.run.allowing import foreign, removal
from stslab.sandbox.pipeline.log_file import newest_first
from stslab.vocabulary import ADMIN, Gate

_ABOUT = {HINT: "hint", WHY: "why"}
_TICKET = "A colleague reports"
# Calls by which a learner tests whether it works: for a session, or an object.
_IS_A_TEST = re.compile(r"sts\.|s3\.\w+Objects?$")


@dataclass
class _Exercise:
    here: Here
    calls: tuple[Call, ...] = field(default=(), init=False)
    command: str = field(default="", init=False)  # these, as a line
    elsewhere: str = field(default="", init=False)  # the same command for the admin's shell
    who: str = field(default=ADMIN, init=False)
    several = False  # there are other things to do too
    enter = ""  # what Enter does if it ends the exercise
    by_hand = True  # the account may change while the learner types

    def why(self, paper: Paper) -> None:
        self.here.why(paper, None)

    def status(self) -> str:
        """The status line, or "" for that of the stage."""
        return ""

    def takes(self, _line: str) -> bool:
        """Whether ``run`` does what this typed line says."""
        return False

    def fill_in(self, *calls: Call) -> None:
        self.calls = calls
        self.who = calls[0].identity if calls else ADMIN
        self.command = " && ".join(self.here.command(call, self.who) for call in calls)
        self.elsewhere = " && ".join(self.here.command(call, ADMIN) for call in calls)


@dataclass
class StepExercise(_Exercise):
    """A step of the guided lesson: its command is on the line."""

    stage: Stage
    at: int
    shown: Scene
    title = ""
    done = by_hand = False

    def scene(self) -> Scene:
        return self.shown

    def run(self) -> bool:
        self.here.runner.do(self.stage, self.at)
        return True

    def hint(self, paper: Paper) -> None:
        paper.prose("The command is on the line: Enter runs it, and you may change it first.")

    def news(self, paper: Paper) -> None:
        runner, profile = self.here.runner, self.stage.steps[self.at].profile
        self.done = runner.adopt(self.stage, self.at)
        if self.done:
            paper.prose("You made by hand what the step makes, so the step is done.")
        elif self.here.tried:
            lacks = runner.steps.lacks(self.stage, self.at)
            why = f": there is no {lacks}" if lacks else ""
            why = f": {TEXTS['profile'].format(profile.name)}" if profile else why
            paper.prose(f"The step is not done yet{why}.")


@dataclass
class TasksExercise(_Exercise):
    """The tasks of a stage by hand, or after its checkpoint ``failed``, what that lacks."""

    hand: ByHand
    stage: Stage
    place: str = ""
    failed: Scene | None = None

    def __post_init__(self) -> None:
        self.enter = "tries again" if self.failed else ""
        self._look()

    def _look(self) -> None:
        self.standing = self.hand.look(self.stage)
        self.several = sum(not task.done for task in self.standing.tasks) > 1
        self.task = None if self.wrong else self.standing.next

    @property
    def title(self) -> str:
        return self.standing.next.text if self.standing.next else ""

    @property
    def done(self) -> bool:
        return self.standing.done

    @property
    def wrong(self) -> str:
        """What is still wrong where no task is open, or an open one would be done but for it."""
        task = self.standing.next
        if not (task is None or task.spoilt) or not self.standing.notes:
            return ""
        return " ".join(["Something is still wrong.", *self.standing.notes])

    def scene(self) -> Scene:
        tasks = Scene(self.stage.title, partial(scenes.tasks, now=self.standing), self.place)
        return self.failed or tasks

    def _call(self) -> Call | None:
        """The call that solves the next task, or removes what allows too much."""
        if self.task is None:
            return self.standing.removal
        with suppress(UnresolvedReference):
            return call_of(self.stage.steps[self.task.number], self.here.runner.scope())
        return None  # an earlier step must be done first

    def run(self) -> bool:
        call = self._call()
        if not (self.task or call):
            raise RunError(self.wrong or TEXTS["right"])
        if call and not self.command:  # which nobody has seen yet
            self.fill_in(call)
            self.here.workspace.paper.command(self.elsewhere, indent=3)
        self.fill_in()
        if self.task:
            self.hand.solve(self.stage, self.task)
        elif call:
            make(self.here.runner, call)
        return False

    def hint(self, paper: Paper) -> None:
        call = self._call()
        removes = TEXTS["removes"] if call else ""
        text, last = f"{self.wrong or TEXTS['right']} {removes}".strip(), True
        if self.task:
            text, last = self.hand.hint(self.stage, self.task)
        if last and call:
            self.fill_in(call)
        paper.prose(text)
        if self.failed and self.command:  # it is on no line
            paper.command(self.elsewhere, indent=3)

    def takes(self, line: str) -> bool:
        profile = self.stage.steps[self.task.number].profile if self.task else None
        call = self._call() if profile else None
        if not (profile and call and same_command(line, self.here.command(call, self.who))):
            return False
        self.fill_in(call)
        own = f"That is the lab's own command: it fills the profile {profile.name} too."
        self.here.workspace.paper.prose(own)
        return True

    def why(self, paper: Paper) -> None:
        if self.failed:
            self.failed.draw(paper)
        else:
            self.here.why(paper, self.stage)

    def news(self, paper: Paper) -> None:
        before, wrong = self.standing, self.wrong
        self._look()
        if before.next != self.standing.next:
            self.fill_in()
        if self.wrong and not wrong:  # now only the notes stand in the way: say them again
            before = replace(before, notes=())
        scenes.tasks(paper, self.standing, before)


@dataclass
class FaultExercise(_Exercise):
    """A planted fault, until all calls are allowed and refused as they should be."""

    faults: Faults
    stands: Broken

    def __post_init__(self) -> None:
        self.remaining = self.faults.remaining(self.stands.fault)
        self.asked = self.faults.broken(self.stands.fault)
        self._seen, self._noted = self._state(), ""
        self._remember(self.stands)

    @property
    def title(self) -> str:
        return self.stands.fault.title

    @property
    def done(self) -> bool:
        return not self.remaining

    def scene(self) -> Scene:
        ticket = partial(scenes.ticket, report=self.title, shown=self._reported)
        return Scene(_TICKET, partial(ticket, still=self.remaining), self.stands.asked)

    def run(self) -> bool:
        was, hides = self.stands, self._hides()
        try:  # by `solve`, unless a hint has filled in the command
            make(self.here.runner, hides) if hides else self.faults.fix(was.fault)
        except RunError:
            if self.faults.broken(was.fault):
                raise
            raise RunError(TEXTS["since"]) from None
        self._remember(replace(was, solved=was.solved or not self.command))
        self.fill_in()
        return False

    def hint(self, paper: Paper) -> None:
        paper.prose(self._help(HINT, self.stands.fault.hints or self._reasons()[:2]))

    def why(self, paper: Paper) -> None:
        """Draw the ticket with the next reason: gate, place, kind of change, command."""
        why = self._help(WHY, self._reasons())
        right = {name: one for call in self.calls for name, one in documents_of(call).items()}
        right = renamed(right, self.here.names())
        reason = partial(scenes.reason, report=self.title, why=why, documents=right)
        Scene(_TICKET, reason, self.stands.asked).draw(paper)

    def _reasons(self) -> tuple[str, ...]:
        """The gate that refuses, the place, and the kind of change."""
        stands, cell = self.stands, self.faults.broken(self.stands.fault)
        place = (f"Look at {stands.where}.", stands.advice) if stands.where else stands.fault.hints
        if cell is None or not stands.gate:
            return "Nothing refuses it; something allows more than it should.", *place
        what = questions.target(self.here.lab.access[cell.cell])
        gate = Gate(stands.gate)
        denies = any(read.gate is gate and read.says == "denies" for read in cell.verdict.gates)
        return f"{questions.refused(gate, cell.who, what, denies=denies)}.", *place

    def _help(self, kind: int, grades: Sequence[str]) -> str:
        """The next grade of a kind of help; the last one fills in the command."""
        runner, after = self.here.runner, self.stands.fault.after
        if not self.faults.broken(self.stands.fault):
            hides, wide = self._hides(), any(lack.allowing for lack in self.remaining)
            self.fill_in(*([hides] if hides else self.fix() if wide else []))
            return TEXTS["hides" if hides else "since"]
        grade = runner.past.hinted(after, kind)
        if grade <= len(grades):
            runner.note(Hint(after, kind, grade))
        if grade < len(grades):
            return f"{grades[grade]} (`{_ABOUT[kind]}` again says more.)"
        self.fill_in(*self.fix())
        return "This is what fixes it."

    def _hides(self) -> Call | None:
        """Removes a policy of the learner's that allows too much, and so may hide the fault."""
        found = tuple(one for lack in self.remaining for one in lack.allowing)
        calls = (removal(one, ADMIN) for one, _ in foreign(found, self.here.runner.past.entries()))
        return None if self.faults.broken(self.stands.fault) else next(filter(None, calls), None)

    def fix(self) -> tuple[Call, ...]:
        fault = self.stands.fault
        return (self.faults.renewal(fault.profile),) if fault.profile else fault.fix

    def news(self, paper: Paper) -> None:
        before, was, noted = self.remaining, self._seen, self._noted
        self._seen, runner, stands = self._state(), self.here.runner, self.stands
        self.remaining = now = self.faults.remaining(stands.fault)
        self._noted = "".join(unplaced(runner, stands.at, stands.fault.profile))
        if self._noted not in ("", noted):
            paper.prose(self._noted, indent=3, lead=paper.symbols.warning)
        if before == now and was == self._seen:
            return
        if was == self._seen:  # a change may be visible before its line in the log
            time.sleep(0.3)
            self._seen = self._state()
        tried = was != self._seen
        wide = any(lack.limits for lack in now)
        self._remember(replace(stands, tries=stands.tries + tried, opened=stands.opened or wide))
        if wide and all(lack.limits for lack in now):
            paper.prose("It works, but more is allowed than before. That is not a fix yet.")
        elif now and now == before:
            paper.prose("Something was changed, but the same things are still broken.")
        scenes.remaining(paper, now)

    def _remember(self, stands: Broken) -> None:
        state = FaultState.FIXED if self.done else stands.state  # now: Enter may come much later
        was, self.stands = self.stands, replace(stands, state=state)
        if self.stands != was:
            self.here.runner.note(self.stands)

    def _state(self) -> tuple[object, ...]:
        """How many calls changed something, and the profiles: if they change, look again."""
        log = newest_first(self.here.workspace.home.sandbox)
        events = takewhile(lambda event: str(event["eventTime"]) > self.stands.at, log)
        theirs = (event for event in events if "errorCode" not in event and not is_own(event))
        made = sum(changes(call) and not _IS_A_TEST.match(call) for call in map(called, theirs))
        return made, *map(self.here.opened.profiles.get, self.here.lab.makers)

    @cached_property
    def _reported(self) -> tuple[str, str]:
        cell = self.asked
        if cell is None:
            return "", ""
        row = self.here.lab.access[cell.cell]
        params = resolve(row.params, self.here.runner.scope())
        call = Call(cell.who, row.service, row.operation, params)
        shown = self.here.command(call)
        if cell.verdict.allowed:  # the call may destroy something, so it is not made
            return shown, "It would succeed, and should not."
        try:
            outcome = self.here.opened.account.call(call)
        except StslabError as error:
            return shown, error.message
        if isinstance(outcome, Refusal):
            failed = f"An error occurred ({outcome.code}) when calling the {row.operation}"
            return shown, f"{failed} operation: {in_short(outcome.message)}"
        return shown, "It succeeds."

    def status(self) -> str:
        passed = (datetime.now(UTC) - datetime.fromisoformat(self.stands.at)).total_seconds()
        stands = f" {self.stands.asked}   {spoken(max(passed, 0.0))}"
        words = ("   why  hint  solve  help", "   help", "")
        return "" if self.done else self.here.fitting([f"{stands}{some}" for some in words])


Exercise = StepExercise | TasksExercise | FaultExercise
"""``command`` is on the line in advance, or empty; ``who`` is the shell's profile. ``run`` does the
next thing as the lab would, and returns whether it was the last. ``hint``, ``why`` and ``news``
draw; the last hint also fills in the line, and ``news`` is what has changed in the account.
"""
