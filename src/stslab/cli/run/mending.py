"""A checkpoint that does not hold: the learner mends it, with help, before Enter tries again."""

from collections.abc import Callable
from dataclasses import dataclass

from stslab.cli.run.exercises import TasksExercise
from stslab.cli.run.prompt import Entered
from stslab.render.lesson.screen import Screen

HOW = "Mend it: a command that you type here runs. `hint` and `solve` help, `why` shows this."
_MENDED = "Nothing more is known to be wrong. Enter tries again."


@dataclass(frozen=True)
class Mending:
    """Takes a command line, ``hint`` or ``solve``; ``act`` runs the line, or solves."""

    exercise: TasksExercise
    screen: Screen
    act: Callable[[TasksExercise, Entered], object]

    def __call__(self, entered: Entered) -> str:
        """Do it. Return the command that is shown now, or ""."""
        if entered.word == "hint":
            self.screen.say(self.exercise.hint() or _MENDED)
            if self.exercise.command:
                self.screen.below(lambda paper: paper.command(self.exercise.command, indent=3))
        elif entered.line or not self.exercise.done:
            self.act(self.exercise, entered)
            self.screen.below(self.exercise.news)
        else:
            self.screen.say(_MENDED)
        return self.exercise.command
