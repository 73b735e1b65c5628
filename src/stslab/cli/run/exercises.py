"""Exercises at the prompt: a step of the guided lesson, or the tasks of a stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stslab.cli.run.here import Here
from stslab.errors import RunError
from stslab.lab.model import Check, Stage, Step
from stslab.lab.references import resolve
from stslab.lesson.byhand import ByHand, StageTasks, Task
from stslab.render.lesson.scenes import Doing, Scene, Tasks, draw_news
from stslab.render.terminal.paper import Paper
from stslab.runner.events import CallShown
from stslab.runner.run.run import Runner

_STILL_WRONG = "Every task is done, but something is still wrong: `back` shows it below them."


def call_of(part: Step | Check, known: Mapping[str, Any]) -> CallShown:
    """The call of a step or a check, with known expressions resolved."""
    return CallShown(part.identity, part.service, part.operation, resolve(part.params, known))


class Exercise(Protocol):
    """Something to do at the prompt, until it is done.

    ``command`` is on the line in advance, or empty; ``who`` is the shell's profile.
    """

    who: str
    command: str

    @property
    def done(self) -> bool: ...

    def scene(self) -> Scene:
        """The scene above the line."""

    def run(self) -> bool:
        """Do the next thing as the lab would. Return whether it was the last."""

    def hint(self) -> str:
        """The next hint, which may also fill in the line."""

    def news(self, paper: Paper) -> None:
        """Look at the account, and draw what has changed."""


@dataclass
class StepExercise:
    """A step of the guided lesson: its command is on the line."""

    runner: Runner
    stage: Stage
    at: int
    shown: Doing
    command: str
    who: str
    done: bool = False

    def scene(self) -> Doing:
        return self.shown

    def run(self) -> bool:
        self.runner.do(self.stage, self.at)
        return True

    def hint(self) -> str:
        return "The command is on the line: Enter runs it, and you may change it first."

    def news(self, paper: Paper) -> None:
        self.done = self.runner.adopt(self.stage, self.at)
        profile = self.stage.steps[self.at].profile
        lacks = f" The profile {profile.name} must hold what it makes." if profile else ""
        paper.prose(
            "You made by hand what the step makes, so the step is done."
            if self.done
            else f"The step is not done yet; its own command is on the line again.{lacks}"
        )


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

    def scene(self) -> Tasks:
        return Tasks(self.standing, title=self.stage.title, place=self.place)

    def run(self) -> bool:
        if self.standing.next is None:
            raise RunError(_STILL_WRONG)
        if not self.command:  # which nobody has seen yet
            line, _ = self._command(self.standing.next)
            self.here.workspace.paper.command(line, indent=3)
        self._type("", "admin")
        self.hand.solve(self.stage, self.standing.next)
        return False

    def hint(self) -> str:
        task = self.standing.next
        if task is None:
            return _STILL_WRONG
        text, last = self.hand.hint(self.stage, task)
        if last:
            self._type(*self._command(task))
        return text

    def _command(self, task: Task) -> tuple[str, str]:
        """The command that does a task, and the profile that runs it."""
        step = self.stage.steps[task.number]
        call = call_of(step, self.here.runner.scope())
        return self.here.command(call, step.identity), step.identity

    def draw_why(self, paper: Paper) -> None:
        self.here.why(paper, self.stage)

    def news(self, paper: Paper) -> None:
        before, self.standing = self.standing, self.hand.look(self.stage)
        if before.next != self.standing.next:
            self._type("", "admin")
        draw_news(paper, before, self.standing)

    def _type(self, command: str, who: str) -> None:
        self.command, self.who = command, who
