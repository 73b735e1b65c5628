"""Exercises at the prompt: a step of the guided lesson, the tasks of a stage, or a fault."""

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from stslab.cli.run.here import Here
from stslab.durations import spoken
from stslab.errors import RunError, StslabError, UnresolvedReference
from stslab.kinds.operations import changes
from stslab.lab.model import Stage
from stslab.lab.references import resolve
from stslab.lesson import questions
from stslab.lesson.byhand import ByHand, StageTasks, called, is_own
from stslab.lesson.evidence import call_of, documents_of, renamed
from stslab.lesson.faults import Faults, Remaining
from stslab.policy.messages import in_short
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Scene
from stslab.render.terminal.paper import Paper
from stslab.runner.journal.records import HINT, WHY, Broken, Hint
from stslab.runner.ports import Call, Refusal
from stslab.runner.run.allowing import told
from stslab.runner.run.run import Runner
from stslab.sandbox.pipeline.log_file import newest_first
from stslab.vocabulary import Gate

_ABOUT = {HINT: "hint", WHY: "why"}
_LATER = 0.3  # seconds
# Calls by which a learner tests whether it works: for a session, or an object.
_IS_A_TEST = re.compile(r"sts\.|s3\.\w+Objects?$")
_COMMAND = "This is what fixes it; Enter runs it."
_STILL_WRONG = "Something is still wrong."
_REMOVES = "This removes it; you may narrow it instead."


@dataclass
class StepExercise:
    """A step of the guided lesson: its command is on the line."""

    runner: Runner
    stage: Stage
    at: int
    shown: Scene
    command: str
    who: str
    done: bool = False

    def scene(self) -> Scene:
        return self.shown

    def run(self) -> bool:
        self.runner.do(self.stage, self.at)
        return True

    def hint(self) -> str:
        return "The command is on the line: Enter runs it, and you may change it first."

    def news(self, paper: Paper) -> None:
        self.done = self.runner.adopt(self.stage, self.at)
        profile = self.stage.steps[self.at].profile
        lacks = self.runner.steps.lacks(self.stage, self.at)
        lacks = f": there is no {lacks}" if lacks else ""
        lacks = f": the profile {profile.name} must hold what it makes" if profile else lacks
        done = "You made by hand what the step makes, so the step is done."
        open_ = f"The step is not done yet{lacks}. Its own command is on the line again."
        paper.prose(done if self.done else open_)


@dataclass
class TasksExercise:
    """The tasks of a stage, by hand: the line is empty until the last hint types the command."""

    here: Here
    hand: ByHand
    stage: Stage
    place: str
    who: str = "admin"
    command: str = ""
    standing: StageTasks = field(init=False)

    def __post_init__(self) -> None:
        self.standing = self.hand.look(self.stage)

    @property
    def title(self) -> str:
        return self.standing.next.text if self.standing.next else ""

    @property
    def open_tasks(self) -> int:
        return sum(not task.done for task in self.standing.tasks)

    @property
    def done(self) -> bool:
        return self.standing.done

    @property
    def wrong(self) -> str:
        """What is still wrong where no task is open, or an open one would be done but for it."""
        task = self.standing.next
        if not (task is None or task.spoilt) or not self.standing.notes:
            return ""
        allowing = told(self.standing.strange)
        return " ".join([_STILL_WRONG, *([allowing] if allowing else self.standing.notes)])

    def scene(self) -> Scene:
        return Scene(self.stage.title, partial(scenes.tasks, now=self.standing), self.place)

    def run(self) -> bool:
        call = self._call()
        if call is None:
            raise RunError(self.wrong)
        if not self.command:  # which nobody has seen yet
            self._fill_in(call)
            self.here.workspace.paper.command(self.command, indent=3)
        self.command, self.who = "", "admin"
        if self.wrong:
            self.hand.remove(call)
        elif self.standing.next:
            self.hand.solve(self.stage, self.standing.next)
        return False

    def hint(self) -> str:
        call, task = self._call(), self.standing.next
        if self.wrong or task is None:
            if call:
                self._fill_in(call)
            return f"{self.wrong} {_REMOVES if call else ''}".strip()
        text, last = self.hand.hint(self.stage, task)
        if last and call:
            self._fill_in(call)
        return text

    def takes(self, line: str) -> bool:
        task = self.standing.next
        profile = self.stage.steps[task.number].profile if task and not self.wrong else None
        with suppress(UnresolvedReference):
            call = self._call() if profile else None
            if profile and call and line == self.here.command(call, self.who):
                self._fill_in(call)
                own = f"That is the lab's own command: it fills the profile {profile.name} too."
                self.here.workspace.paper.prose(own)
                return True
        return False

    def _call(self) -> Call | None:
        """The call that solves the next task, or removes what allows too much."""
        task = self.standing.next
        if self.wrong or task is None:
            return self.standing.removal
        return call_of(self.stage.steps[task.number], self.here.runner.scope())

    def _fill_in(self, call: Call) -> None:
        self.command, self.who = self.here.command(call, call.identity), call.identity

    def draw_why(self, paper: Paper) -> None:
        self.here.why(paper, self.stage)

    def news(self, paper: Paper) -> None:
        before, self.standing = self.standing, self.hand.look(self.stage)
        if before.next != self.standing.next:
            self.command, self.who = "", "admin"
        scenes.tasks(paper, self.standing, before)


@dataclass
class FaultExercise:
    """A planted fault, until all calls are allowed and refused as they should be."""

    here: Here
    faults: Faults
    stands: Broken
    who: str = "admin"
    command: str = ""
    remaining: Remaining = field(init=False)

    def __post_init__(self) -> None:
        self.remaining = self.faults.remaining(self.stands.fault)
        self.asked = self.faults.broken(self.stands.fault)
        self._seen = self._state()

    @property
    def title(self) -> str:
        return self.stands.fault.title

    @property
    def done(self) -> bool:
        return self.remaining.done

    def scene(self, **told: Any) -> Scene:
        ticket = partial(
            scenes.ticket, report=self.title, shown=self._reported, still=self.remaining, **told
        )
        return Scene("A colleague reports", ticket, self.stands.asked)

    def run(self) -> bool:
        was = self.stands
        self.faults.fix(was.fault)  # by `solve`, unless the last hint has filled in the command
        self._remember(replace(was, solved=was.solved or not self.command))
        self.command, self.who = "", "admin"
        return False

    def hint(self) -> str:
        return self._help(HINT, self.stands.fault.hints or self._reasons()[:2])

    def draw_why(self, paper: Paper) -> None:
        """Draw the ticket with the next reason: gate, place, kind of change, command."""
        reason = self._help(WHY, self._reasons())
        calls = self.stands.fault.fix if self.command else ()
        right = {name: document for call in calls for name, document in documents_of(call).items()}
        right = renamed(right, self.here.names())
        self.scene(reason=reason, documents=right).draw(paper)

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
        grade = runner.past.hinted(after, kind)
        if grade <= len(grades):
            runner.note(Hint(after, kind, grade))
        if grade < len(grades):
            return f"{grades[grade]} (`{_ABOUT[kind]}` again says more.)"
        self.command, self.who = self.fix()
        return _COMMAND

    def fix(self) -> tuple[str, str]:
        """The command of the fix, and its profile."""
        fault = self.stands.fault
        calls = [self.faults.renewal(fault.profile)] if fault.profile else fault.fix
        who = calls[0].identity
        return " && ".join(self.here.command(call, who) for call in calls), who

    def news(self, paper: Paper) -> None:
        before, was = self.remaining, self._seen
        self._seen = self._state()
        self.remaining = now = self.faults.remaining(self.stands.fault)
        if before == now and was == self._seen:
            return
        if was == self._seen:  # a change may be visible before its line in the log
            time.sleep(_LATER)
            self._seen = self._state()
        stands, tried = self.stands, was != self._seen
        self._remember(
            replace(stands, tries=stands.tries + tried, opened=stands.opened or bool(now.wide))
        )
        if now.still and now == before:
            paper.prose("Something was changed, but the same things are still broken.")
        elif now.wide and not now.still:
            paper.prose("It works, but more is allowed than before. That is not a fix yet.")
        scenes.remaining(paper, now)

    def _remember(self, stands: Broken) -> None:
        was, self.stands = self.stands, stands
        if stands != was:
            self.here.runner.note(stands)

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
        call = cell.who, row.service, row.operation, resolve(row.params, self.here.runner.scope())
        shown = self.here.command(Call(*call))
        if cell.verdict.allowed:  # the call may destroy something, so it is not made
            return shown, "It would succeed, and should not."
        try:
            outcome = self.here.opened.account.call(*call)
        except StslabError as error:
            return shown, error.message
        if isinstance(outcome, Refusal):
            failed = f"An error occurred ({outcome.code}) when calling the {row.operation}"
            return shown, f"{failed} operation: {in_short(outcome.message)}"
        return shown, "It succeeds."

    def status(self) -> str:
        passed = (datetime.now(UTC) - datetime.fromisoformat(self.stands.at)).total_seconds()
        line = f" {self.stands.asked}   {spoken(max(passed, 0.0))}   why  hint  solve  help"
        return line[: self.here.workspace.paper.console.width]


Exercise = StepExercise | TasksExercise | FaultExercise
"""``command`` is on the line in advance, or empty; ``who`` is the shell's profile. ``run`` does the
next thing as the lab would, and returns whether it was the last. ``hint`` may also fill in the
line. ``news`` looks at the account, and draws what has changed.
"""
