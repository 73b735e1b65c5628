"""What is worked at on one command line: a step of the guided lesson, or the tasks of a stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stslab.cli.run.here import Here
from stslab.lab.model import Check, Stage, Step
from stslab.lab.references import resolve
from stslab.lesson import scenes
from stslab.lesson.byhand import ByHand, Standing
from stslab.render.lesson import views
from stslab.render.terminal.paper import Paper
from stslab.runner.events import CallShown
from stslab.runner.run.run import Runner


def call_of(part: Step | Check, known: Mapping[str, Any]) -> CallShown:
    """The call of a step or a check, as far as it is known what with."""
    return CallShown(part.identity, part.service, part.operation, resolve(part.params, known))


class Exercise(Protocol):
    """What is worked at on one command line, until it is done.

    ``command`` stands on the line, or nothing; ``who`` is the profile that its shell has.
    """

    who: str
    command: str

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""

    def scene(self) -> Any:
        """What stands above the line."""

    def run(self) -> bool:
        """Do what is next as the lab would, or raise StslabError; whether that was all."""

    def hint(self) -> str:
        """A little more of what to do; the line may have more afterwards."""

    def news(self, paper: Paper) -> None:
        """Look at the account, and tell what is another by now."""


@dataclass
class StepExercise:
    """A step of the guided lesson: its command is on the line."""

    runner: Runner
    stage: Stage
    at: int
    shown: scenes.Doing
    command: str
    who: str
    done: bool = False

    def scene(self) -> scenes.Doing:
        return self.shown

    def run(self) -> bool:
        self.runner.do(self.stage, self.at)
        return True

    def hint(self) -> str:
        return "The command is on the line: Enter runs it, and you may change it first."

    def news(self, paper: Paper) -> None:
        """Whether the account is as the step makes it."""
        self.done = self.runner.adopt(self.stage, self.at)
        paper.prose(
            "That is what the step makes: it is done, by hand."
            if self.done
            else "The step is still to be done; its own command is on the line again."
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
    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        self.standing = self.hand.look(self.stage)

    @property
    def title(self) -> str:
        return self.standing.next.text if self.standing.next else ""

    @property
    def done(self) -> bool:
        """Whether every task is done, and nothing in the way."""
        return self.standing.done

    def scene(self) -> scenes.Tasks:
        return scenes.Tasks(self.stage.title, self.place, self.standing)

    def run(self) -> bool:
        self._type("", "admin")
        if self.standing.next:
            self.hand.solve(self.stage, self.standing.next)
        return False

    def hint(self) -> str:
        task = self.standing.next
        if task is None:
            return "Every task is done; what is in the way stands below them: see `back`."
        text, last = self.hand.hint(self.stage, task)
        if last:
            step = self.stage.steps[task.number]
            call = call_of(step, self.here.runner.scope())
            self._type(self.here.command(call, step.identity), step.identity)
        return text

    def draw_why(self, paper: Paper) -> None:
        self.here.why(paper, self.stage)

    def news(self, paper: Paper) -> None:
        before, self.standing = self.standing, self.hand.look(self.stage)
        if before.next != self.standing.next:
            self._type("", "admin")
        views.news(paper, before, self.standing)

    def _type(self, command: str, who: str) -> None:
        self.command, self.who = command, who
