"""What a run would do, told without any call: the dry run's events, and the lab's footprint.

What only an answer would tell stands as its name in angle brackets.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from stslab.kinds.judge import resources_of
from stslab.kinds.own import Summary
from stslab.kinds.table import BY_RESOURCE_TYPE, KINDS
from stslab.lab.effects import CHECK, STEP, UNDO, Effect, effects, summary
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
    """Tell what a run of these stages would do: their steps and claims, in order."""
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
    listed = [one for one in every if one.stage in chosen]
    told, placed = summary(listed), {one.place: one for one in listed}
    emit(Foreseen(told.changed, told.reads, told.cleanup, told.notes))
    for stage in stages:
        number, of = lab.stages.index(stage), len(stage.steps)
        emit(stage_started(lab, stage))
        for at, step in enumerate(stage.steps):
            call = _shown(placed["stages", number, "steps", at])
            emit(StepStarted(stage.id, step.title, call, at + 1, of, step.why or ""))
        for at, check in enumerate(stage.checkpoint):
            effect = placed.get(("stages", number, "checkpoint", at))
            emit(CheckStarted(stage.id, check.says, _shown(effect) if effect else None))


def _shown(one: Effect) -> CallShown:
    service, _, operation = one.call.partition(".")
    return CallShown(one.identity, service, operation, redact(one.params))


RUN_ID = "<run>"
_UNKNOWN = re.compile(r"<[^<>]*>")
_FREE = frozenset({"iam", "sts", "cloudformation"})
_NEXT_TO_FREE = frozenset({"s3"})

# The actions that are not called as the operation is (Service Authorization Reference, S3).
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
    """An action that the lab's admin needs, and on which resource (``*`` where not known)."""

    action: str
    resource: str


class Footprint(msgspec.Struct, frozen=True):
    """What a lab changes; what that costs; what ``admin`` must be allowed.

    ``counts`` is how many of each kind (``iam.user``) it makes, for the account's quotas.
    """

    summary: Summary
    costs: str
    needed: tuple[Needed, ...]
    counts: Mapping[str, int]


def footprint(lab: Lab, target: TargetInfo, admin: str = ADMIN) -> Footprint:
    """What a run of the whole lab would do; what is needed, in the account of ``admin``."""
    base = basis(lab, RUN_ID, target)
    listed = list(effects(lab, base, embedded=target.embedded))
    kinds = [kind for one in listed if one.when == STEP for kind in one.kinds]
    there = target.of(target.accounts.get(admin, ""))
    needed = (need for one in listed for need in _needed(one, there))
    return Footprint(
        summary=summary(listed),
        costs=_costs({one.call.partition(".")[0] for one in listed}),
        needed=tuple(dict.fromkeys(needed)),
        counts={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    )


def _needed(one: Effect, target: TargetInfo) -> Iterator[Needed]:
    """What ``admin`` needs for a step, its undo, a claim, and cleanup for what a step makes."""
    if one.when not in (STEP, UNDO, CHECK) or one.fails:
        return
    if one.identity == target.admin:
        action = one.call.replace(".", ":", 1)
        yield Needed(_ACTIONS.get(action, action), _resource(one.params, target))
    inside = resources_of(one.params, one.own) if "TemplateBody" in one.params else ()
    for kind in (BY_RESOURCE_TYPE[one.type] for one in inside if one.type in BY_RESOURCE_TYPE):
        yield from (Needed(f"{kind.service}:{action}", "*") for action in kind.deployed)
    for kind in map(KINDS.__getitem__, one.kinds):
        names = one.params if one.made and one.made[0] == kind.id else {}
        named = {name: names[name] for name in kind.names if name in names}
        for action in kind.cleaned:
            yield Needed(f"{kind.service}:{action}", _resource(named, target))


def _resource(params: Data, target: TargetInfo) -> str:
    """The ARN of what a call is about: ``*`` where that is not known, or takes no wildcard."""
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


def _costs(services: set[str]) -> str:
    others = services - _FREE - _NEXT_TO_FREE
    if others:
        return f"not known: besides free services it uses {', '.join(sorted(others))}"
    if services & _NEXT_TO_FREE:
        return "nothing (IAM, STS and CloudFormation are free; the few S3 requests, under a cent)"
    return "nothing (IAM, STS and CloudFormation are free)"
