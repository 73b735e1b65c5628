"""The dry run: goes through the same plan and tells the same events, without any call.

What only an answer would tell stands as its name in angle brackets.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stslab.lab.model import Check, Lab, Stage
from stslab.lab.references import resolve
from stslab.redaction import redact
from stslab.runner.events import (
    CallShown,
    CheckStarted,
    Event,
    RunStarted,
    StageShown,
    StageStarted,
    StepStarted,
)
from stslab.runner.journal.records import SavedProfile
from stslab.runner.ports import TargetInfo
from stslab.runner.run.plan import Plan
from stslab.runner.run.prepare import prepare
from stslab.runner.run.scope import basis, scope

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

    def run(self, plan: Plan) -> None:
        """Tell the plan's stages, steps and claims, in order."""
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
        known = known_beforehand(self._lab, target, self._run_id)
        for stage in plan.stages:
            self._stage(stage, known)

    def _stage(self, stage: Stage, known: Mapping[str, Any]) -> None:
        self._emit(
            StageStarted(
                stage=stage.id,
                title=stage.title,
                intro=stage.intro,
                pages=tuple((page.title, page.url) for page in stage.pages),
                number=self._lab.stages.index(stage) + 1,
                of=len(self._lab.stages),
            )
        )
        for number, step in enumerate(stage.steps):
            params = prepare(stage, number, known, self._target).params
            call = CallShown(step.identity, step.service, step.operation, redact(params))
            of, why = len(stage.steps), step.why or ""
            self._emit(StepStarted(stage.id, step.title, call, number + 1, of, why))
        for check in stage.checkpoint:
            self._emit(CheckStarted(stage.id, str(resolve(check.says, known)), _call(check, known)))


def known_beforehand(lab: Lab, target: TargetInfo, run_id: str) -> Mapping[str, Any]:
    """The scope of a run of the whole lab before it begins: what only answers tell is a name."""
    steps = [step for stage in lab.stages for step in stage.steps]
    saved = {name: f"<{name}>" for step in steps for name in step.save}
    profiles = [
        SavedProfile(step.profile.name, f"<access key of {step.profile.name}>", "")
        for step in steps
        if step.profile
    ]
    base = basis(run_id, target.account, target.region, target.partition)
    return scope(lab, base, saved, profiles)


def _call(check: Check, known: Mapping[str, Any]) -> CallShown | None:
    if not check.call:
        return None
    params = redact(resolve(check.params, known))
    return CallShown(check.identity, check.service, check.operation, params)
