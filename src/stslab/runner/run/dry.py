"""The dry run: the events of a run, without any call.

A value that only an answer would give is shown as its name in angle brackets.
"""

from collections.abc import Callable

from stslab.lab.effects import Effect, effects, summary
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

DRY_ID = "abcd1234"  # the run id that a dry run shows


def dry_run(
    lab: Lab, target: TargetInfo, emit: Callable[[Event], None], stages: tuple[Stage, ...]
) -> None:
    """Emit the events of a run of these stages, up to their calls."""
    emit(
        RunStarted(
            run=DRY_ID,
            lab=lab.id,
            title=lab.title,
            target=target.name,
            account=target.account,
            region=target.region,
            stages=tuple(StageShown(stage.id, stage.title) for stage in lab.stages),
            dry=True,
        )
    )
    chosen, base = {stage.id for stage in stages}, basis(lab, DRY_ID, target)
    every = effects(lab, base, embedded=target.embedded)
    listed = [effect for effect in every if effect.stage in chosen]
    totals, placed = summary(listed), {effect.place: effect for effect in listed}
    emit(Foreseen(totals.changed, totals.reads, totals.cleanup, totals.notes))
    for stage in stages:
        number, of = lab.stages.index(stage), len(stage.steps)
        emit(stage_started(lab, stage))
        for at, step in enumerate(stage.steps):
            call = _shown(placed["stages", number, "steps", at])
            emit(StepStarted(stage.id, step.title, call, at + 1, of, step.why or ""))
        for at, check in enumerate(stage.checkpoint):
            effect = placed.get(("stages", number, "checkpoint", at))
            emit(CheckStarted(stage.id, check.says, _shown(effect) if effect else None))


def _shown(effect: Effect) -> CallShown:
    service, _, operation = effect.call.partition(".")
    return CallShown(effect.identity, service, operation, redact(effect.params))
