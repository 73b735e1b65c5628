"""The dry run's events, and the footprint of a lab, without any call.

A value that only an answer would give is shown as its name in angle brackets.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from stslab.kinds.judge import resources_of
from stslab.kinds.table import BY_RESOURCE_TYPE, KINDS
from stslab.lab.effects import CHECK, STEP, UNDO, Effect, Summary, costs, effects, summary
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
from stslab.runner.ports import ADMIN, Data, TargetInfo
from stslab.runner.run.plan import stage_started
from stslab.runner.run.scope import basis

DRY_ID = "abcd1234"
"""The run id that a dry run shows."""


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


RUN_ID = "<run>"
_UNKNOWN = re.compile(r"<[^<>]*>")

# Actions with another name than their operation (Service Authorization Reference, S3).
_ACTIONS: Mapping[str, str] = {
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:CreateMultipartUpload": "s3:PutObject",
}
_RESOURCES: Mapping[str, str] = {
    "UserName": "arn:{partition}:iam::{account}:user/{name}",
    "RoleName": "arn:{partition}:iam::{account}:role/{name}",
    "GroupName": "arn:{partition}:iam::{account}:group/{name}",
    "StackName": "arn:{partition}:cloudformation:{region}:{account}:stack/{name}/*",
    "Bucket": "arn:{partition}:s3:::{name}",
}


class Needed(msgspec.Struct, frozen=True):
    """An action that the lab's admin needs, and its resource (``*`` if unknown)."""

    action: str
    resource: str


class Footprint(msgspec.Struct, frozen=True):
    """What a lab changes and costs, and the permissions that ``admin`` needs.

    ``counts`` is how many things of each kind (``iam.user``) it makes, for the quotas.
    """

    summary: Summary
    costs: str
    needed: tuple[Needed, ...]
    counts: Mapping[str, int]


def footprint(lab: Lab, target: TargetInfo, admin: str = ADMIN) -> Footprint:
    """The footprint of the whole lab, with the permissions needed in the account of ``admin``."""
    base = basis(lab, RUN_ID, target)
    listed = list(effects(lab, base, embedded=target.embedded))
    kinds = [kind for effect in listed if effect.when == STEP for kind in effect.kinds]
    there = target.of(target.accounts.get(admin, ""))
    needed = (need for effect in listed for need in _needed(effect, there))
    return Footprint(
        summary=summary(listed),
        costs=costs(listed),
        needed=tuple(dict.fromkeys(needed)),
        counts={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    )


def _needed(effect: Effect, target: TargetInfo) -> Iterator[Needed]:
    """What ``admin`` needs for a step, its undo, a check, and cleanup of the step's things."""
    params = effect.params
    if effect.when not in (STEP, UNDO, CHECK) or effect.fails:
        return
    if effect.identity == target.admin:
        action = effect.call.replace(".", ":", 1)
        yield Needed(_ACTIONS.get(action, action), _resource(params, target))
    inside = resources_of(params, effect.own) if "TemplateBody" in params else ()
    for kind in (BY_RESOURCE_TYPE[each.type] for each in inside if each.type in BY_RESOURCE_TYPE):
        yield from (Needed(f"{kind.service}:{action}", "*") for action in kind.deployed)
    for kind in map(KINDS.__getitem__, effect.kinds):
        names = params if effect.made and effect.made[0] == kind.id else {}
        named = {name: names[name] for name in kind.names if name in names}
        for action in kind.cleaned:
            yield Needed(f"{kind.service}:{action}", _resource(named, target))


def _resource(params: Data, target: TargetInfo) -> str:
    """The ARN of the call's resource; ``*`` if it is unknown."""
    for name, pattern in _RESOURCES.items():
        value = params.get(name)
        if not isinstance(value, str):
            continue
        named = _UNKNOWN.sub("preflight", value)
        arn = pattern.format(
            partition=target.partition, account=target.account, region=target.region, name=named
        )
        key = params.get("Key")
        return f"{arn}/{_UNKNOWN.sub('preflight', key)}" if isinstance(key, str) else arn
    return "*"
