"""The dry run: goes through the same plan and tells the same events, without any call.

What only an answer would tell stands as its name in angle brackets.
"""

from collections.abc import Callable, Mapping

from stslab.lab.effects import Effect, Place, effects, summary
from stslab.lab.model import Lab, Stage
from stslab.redaction import redact
from stslab.runner.events import (
    CallShown,
    CheckStarted,
    Event,
    Foreseen,
    RunStarted,
    StageShown,
    StepStarted,
)
from stslab.runner.ports import TargetInfo
from stslab.runner.run.plan import stage_started
from stslab.runner.run.scope import basis

RUN_ID = "abcd1234"
"""The run id that a dry run shows."""


class DryRun:
    """Tells what a run of ``plan`` would do."""

    def __init__(
        self, lab: Lab, target: TargetInfo, emit: Callable[[Event], None], run_id: str = RUN_ID
    ) -> None:
        self._lab = lab
        self._target = target
        self._emit = emit
        self._run_id = run_id

    def run(self, stages: tuple[Stage, ...]) -> None:
        """Tell these stages, their steps and claims, in order."""
        target = self._target
        shown = tuple(StageShown(stage.id, stage.title) for stage in self._lab.stages)
        self._emit(
            RunStarted(
                run=self._run_id,
                lab=self._lab.id,
                title=self._lab.title,
                target=target.name,
                account=target.account,
                region=target.region,
                stages=shown,
                dry=True,
            )
        )
        base = basis(self._lab, self._run_id, target)
        chosen = {stage.id for stage in stages}
        listed = [
            one for one in effects(self._lab, base, embedded=target.embedded) if one.stage in chosen
        ]
        told = summary(listed)
        self._emit(Foreseen(told.changed, told.reads, told.cleanup, told.notes))
        for stage in stages:
            self._stage(stage, {one.place: one for one in listed})

    def _stage(self, stage: Stage, effects: Mapping[Place, Effect]) -> None:
        number = self._lab.stages.index(stage)
        self._emit(stage_started(self._lab, stage))
        for at, step in enumerate(stage.steps):
            call = _shown(effects["stages", number, "steps", at])
            of, why = len(stage.steps), step.why or ""
            self._emit(StepStarted(stage.id, step.title, call, at + 1, of, why))
        for at, check in enumerate(stage.checkpoint):
            effect = effects.get(("stages", number, "checkpoint", at))
            self._emit(CheckStarted(stage.id, check.says, _shown(effect) if effect else None))


def _shown(one: Effect) -> CallShown:
    service, _, operation = one.call.partition(".")
    return CallShown(one.identity, service, operation, redact(one.params))
