"""Draws a run for a person: on a terminal of any width, without colour, or in a pipe."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from stslab.render.interface import Describe
from stslab.render.terminal import run_view, step_view
from stslab.render.terminal.console import draws_over
from stslab.render.terminal.paper import Paper
from stslab.runner.events import (
    CallShown,
    CheckFinished,
    CheckStarted,
    CleanupFinished,
    Event,
    Foreseen,
    Notice,
    RunFinished,
    RunStarted,
    StackProgress,
    StageFinished,
    StageStarted,
    StepAdopted,
    StepDiffers,
    StepDrifted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    ThingLookedUp,
    UndoFinished,
    UndoStarted,
    Waiting,
)

# How each event is drawn that needs nothing but itself.
_DRAWN: dict[type[Event], Callable[[Paper, Any], None]] = {
    Foreseen: run_view.foreseen,
    Notice: run_view.notice,
    StepSkipped: step_view.step_skipped,
    StepAdopted: step_view.step_adopted,
    StepDiffers: step_view.step_differs,
    StepFinished: step_view.step_finished,
    StepFailed: step_view.step_failed,
    Waiting: step_view.waiting,
    StackProgress: step_view.stack_progress,
    UndoStarted: run_view.undo_started,
    UndoFinished: run_view.undo_finished,
}


class TerminalRenderer:
    """Draws events on a console; ``describe`` gives the ``aws`` command of a call."""

    def __init__(self, console: Console, describe: Describe, *, over: bool | None = None) -> None:
        over = draws_over(console) if over is None else over
        self.paper = Paper(console, over=over)
        self._describe = describe
        self._dry = False
        self._titles: dict[str, str] = {}
        self._took: dict[str, float] = {}
        self._checked_stage = ""
        self._checked_call: CallShown | None = None
        self._looked: list[ThingLookedUp] = []
        self._remembering: dict[type[Event], Callable[[Any], None]] = {
            RunStarted: self._run_started,
            RunFinished: self._run_finished,
            StageStarted: self._stage_started,
            StageFinished: self._stage_finished,
            StepStarted: self._step_started,
            StepDrifted: self._step_drifted,
            CheckStarted: self._check_started,
            CheckFinished: self._check_finished,
            ThingLookedUp: self._looked_up,
            CleanupFinished: self._cleanup_finished,
        }

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        drawn = _DRAWN.get(type(event))
        if drawn:
            drawn(self.paper, event)
        else:
            self._remembering[type(event)](event)

    def close(self) -> None:
        """Take away a line that is still drawn over."""
        self.paper.wait.ended()

    def _run_started(self, event: RunStarted) -> None:
        self._dry = event.dry
        self.paper.explained = event.target.startswith("sandbox")
        run_view.run_started(self.paper, event)

    def _run_finished(self, event: RunFinished) -> None:
        run_view.run_finished(self.paper, event, self._took)

    def _stage_started(self, event: StageStarted) -> None:
        self._titles[event.stage] = event.title
        run_view.stage_started(self.paper, event)

    def _stage_finished(self, event: StageFinished) -> None:
        self._took[self._titles.get(event.stage, event.stage)] = event.seconds
        run_view.stage_finished(self.paper, event)

    def _step_started(self, event: StepStarted) -> None:
        self._checked_stage = ""
        step_view.step_started(self.paper, event, self._describe)

    def _step_drifted(self, event: StepDrifted) -> None:
        step_view.step_drifted(self.paper, event, self._describe)

    def _check_started(self, event: CheckStarted) -> None:
        if event.stage != self._checked_stage:
            self._checked_stage = event.stage
            run_view.checkpoint(self.paper, event.stage)
        self._checked_call = event.call
        if self._dry:
            run_view.check_planned(self.paper, event, self._describe)
        else:
            run_view.check_started(self.paper, event)

    def _check_finished(self, event: CheckFinished) -> None:
        run_view.check_finished(self.paper, event, self._checked_call, self._describe)

    def _looked_up(self, event: ThingLookedUp) -> None:
        self._looked.append(event)
        run_view.looked_up(self.paper, event)

    def _cleanup_finished(self, event: CleanupFinished) -> None:
        run_view.cleanup_finished(self.paper, event, self._looked)
        self._looked = []
