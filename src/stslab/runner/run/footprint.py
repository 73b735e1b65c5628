"""What a lab will make in an account, which actions that takes, and what it costs. Pure.

Names are resolved as far as they are known beforehand; what only an answer would tell
stands in angle brackets. The actions are those of the Service Authorization Reference,
"Actions, resources, and condition keys for ..." IAM, Amazon S3 and CloudFormation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stslab.errors import UnresolvedReference
from stslab.kinds.creations import creation_of
from stslab.kinds.table import BY_RESOURCE_TYPE, KINDS
from stslab.lab.model import Lab, Step
from stslab.runner.calls.calls import ADMIN
from stslab.runner.journal.records import Intent, UndoCall
from stslab.runner.ports import TargetInfo
from stslab.runner.run.dry import known_beforehand
from stslab.runner.run.prepare import prepare

RUN_ID = "<run>"
_STACK = "cloudformation.CreateStack"
_TYPE = re.compile(r"\bAWS::[A-Za-z0-9]+::[A-Za-z0-9]+\b")
_UNKNOWN = re.compile(r"<[^<>]*>")
_FREE = frozenset({"iam", "sts", "cloudformation"})
_NEXT_TO_FREE = frozenset({"s3"})

# The actions that are not called as the operation is.
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
# What CloudFormation calls with the caller's permissions for each type of resource.
_OF_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::Role": ("iam:CreateRole", "iam:TagRole", "iam:GetRole", "iam:PutRolePolicy",
                       "iam:DeleteRolePolicy", "iam:DeleteRole"),
    "AWS::IAM::User": ("iam:CreateUser", "iam:GetUser", "iam:DeleteUser"),
    "AWS::IAM::Group": ("iam:CreateGroup", "iam:GetGroup", "iam:DeleteGroup"),
    "AWS::IAM::ManagedPolicy": ("iam:CreatePolicy", "iam:GetPolicy", "iam:DeletePolicy"),
    "AWS::S3::Bucket": ("s3:CreateBucket", "s3:DeleteBucket"),
}  # fmt: skip
# What cleanup calls, whatever the lab says, to find and to empty.
_OF_CLEANUP: Mapping[str, tuple[str, ...]] = {
    "iam.user": ("iam:GetUser", "iam:ListAccessKeys", "iam:ListUserPolicies"),
    "iam.role": ("iam:GetRole", "iam:ListRolePolicies"),
    "s3.bucket": ("s3:ListBucketVersions", "s3:DeleteObject"),
    "cloudformation.stack": ("cloudformation:DescribeStacks",
                             "cloudformation:DescribeStackResources",
                             "cloudformation:DescribeStackEvents"),
}  # fmt: skip
_RESOURCES: Mapping[str, str] = {
    "UserName": "arn:{partition}:iam::{account}:user/{name}",
    "RoleName": "arn:{partition}:iam::{account}:role/{name}",
    "GroupName": "arn:{partition}:iam::{account}:group/{name}",
    "StackName": "arn:{partition}:cloudformation:{region}:{account}:stack/{name}/*",
    "Bucket": "arn:{partition}:s3:::{name}",
}


@dataclass(frozen=True, slots=True)
class Needed:
    """An action that the lab's admin needs, and on which resource (``*`` where not known)."""

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a lab makes, in its order; what that costs; what ``admin`` must be allowed."""

    things: tuple[str, ...]
    costs: str
    needed: tuple[Needed, ...]
    counts: Mapping[str, int]
    """How many of each kind (``iam.user``), for the account's quotas."""


def footprint(lab: Lab, target: TargetInfo) -> Footprint:
    """What a run of the whole lab would leave in the account until it is taken back."""
    made = list(_prepared(lab, target))
    needed = (one for step, intent in made for one in _needed(step, intent, target))
    kinds = [kind for _, intent in made for kind in _kinds(intent)]
    return Footprint(
        things=tuple(_things(intent for _, intent in made)),
        costs=_costs({step.service for step, _ in made if step.service}),
        needed=tuple(dict.fromkeys(needed)),
        counts={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    )


def _prepared(lab: Lab, target: TargetInfo) -> Iterator[tuple[Step, Intent]]:
    """Each step with what it would journal; one that can't be told beforehand is left out."""
    known = known_beforehand(lab, target, RUN_ID)
    for stage in lab.stages:
        for number, step in enumerate(stage.steps):
            with suppress(UnresolvedReference):
                yield step, prepare(stage, number, known, target).intent


def _things(intents: Iterable[Intent]) -> Iterator[str]:
    for intent in intents:
        if not intent.undo:
            continue
        inside = ", ".join(_said_of_types(intent))
        yield f"{_label(intent)} with {inside}" if inside else _label(intent)


def _label(intent: Intent) -> str:
    """What people call it; without the id that only the answer tells (a key's)."""
    if intent.thing is None:
        return intent.title
    names = {**dict.fromkeys(KINDS[intent.thing.kind].names, ""), **intent.thing.names}
    return " ".join(KINDS[intent.thing.kind].label(names).split())


def _types(intent: Intent) -> tuple[str, ...]:
    """The types of a stack's resources, found in its template's text."""
    if f"{intent.service}.{intent.operation}" != _STACK:
        return ()
    return tuple(dict.fromkeys(_TYPE.findall(str(intent.params.get("TemplateBody", "")))))


def _said_of_types(intent: Intent) -> Iterator[str]:
    for each in _types(intent):
        if not each.startswith("AWS::CloudFormation"):
            kind = BY_RESOURCE_TYPE.get(each)
            yield kind.what.partition(" {")[0] if kind else each


def _kinds(intent: Intent) -> Iterator[str]:
    creation = creation_of(f"{intent.service}.{intent.operation}", intent.params)
    if creation:
        yield creation.kind
    yield from (BY_RESOURCE_TYPE[each].id for each in _types(intent) if each in BY_RESOURCE_TYPE)


def _needed(step: Step, intent: Intent, target: TargetInfo) -> Iterator[Needed]:
    calls = [(one.service, one.operation, one.params) for one in intent.undo if _is_admin(one)]
    if step.identity == ADMIN:
        calls.insert(0, (intent.service, intent.operation, intent.params))
    for service, operation, params in calls:
        yield Needed(_action(service, operation), _resource(params, target))
    for each in _types(intent):
        yield from (Needed(action, "*") for action in _OF_RESOURCES.get(each, ()))
    for kind in _kinds(intent):
        names = intent.thing.names if intent.thing and intent.thing.kind == kind else {}
        named = {name: names[name] for name in KINDS[kind].names if name in names}
        for action in _OF_CLEANUP.get(kind, ()):
            yield Needed(action, _resource(named, target))


def _is_admin(call: UndoCall) -> bool:
    return call.identity == ADMIN


def _action(service: str, operation: str) -> str:
    action = f"{service}:{operation}"
    return _ACTIONS.get(action, action)


def _resource(params: Mapping[str, Any], target: TargetInfo) -> str:
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
