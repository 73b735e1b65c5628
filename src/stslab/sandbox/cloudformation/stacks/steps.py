"""One step of the work on one resource, and the waves in which steps are taken.

The resources of a wave depend on none of each other, so CloudFormation works on them at the
same time: all begin, then each does its work, then each is complete.

CloudFormation CLI User Guide, "Handler error codes", has the codes of what fails.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stslab.sandbox.api.faults import where
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.types import TYPES, ResourceType, fitted
from stslab.sandbox.cloudformation.resources.work import Properties, Refused, Unfit, Work
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state.stacks import Before, Leftover, StackResource

CANCELLED = {"CREATE": "Resource creation cancelled", "UPDATE": "Resource update cancelled"}
GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})
_GENERAL = "GeneralServiceException"
_HANDLER_CODES = {
    "AccessDenied": "AccessDenied",
    "AlreadyExists": """BucketAlreadyExists BucketAlreadyOwnedByYou BucketPolicyAlreadyExists
        EntityAlreadyExists""",
    "InvalidCredentials": "ExpiredToken InvalidClientTokenId",
    "InvalidRequest": "InvalidInput MalformedPolicy MalformedPolicyDocument ValidationError",
    "NotFound": "NoSuchBucket NoSuchEntity",
    "ResourceConflict": "ConcurrentModification DeleteConflict",
    "ServiceLimitExceeded": "LimitExceeded",
    "Throttling": "Throttling",
}
_CODES = {code: handler for handler, codes in _HANDLER_CODES.items() for code in codes.split()}
_SERVICE_NAMES = {"iam": "Iam", "s3": "S3"}
_TAKEN = {
    "BucketAlreadyExists": "{} already exists (Service: S3, Status Code: 0, Request ID: null)",
    "BucketPolicyAlreadyExists": "Bucket Policy Already Exists",
}
"""What CloudFormation itself finds to be there, and says so."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What is to be done to one resource; ``verb`` is CREATE, UPDATE or DELETE.

    ``act`` does it. ``reason`` and ``shown`` properties go into its events.
    """

    logical_id: str
    type: str
    verb: str
    act: Callable[[], None]
    reason: str = ""
    shown: Properties | None = field(default=None, repr=False)


def take(job: Job, steps: Sequence[Step]) -> list[str]:
    """Take the steps of one wave; returns the logical ids of those that failed."""
    if not steps:
        return []
    for step in steps:
        job.resource_becomes(step.logical_id, f"{step.verb}_IN_PROGRESS", step.reason, step.shown)
    job.pause()
    failed: list[str] = []
    done: list[Step] = []
    for step in steps:
        stop = failed and step.verb != "DELETE"  # deletions go on with whatever they can
        why = CANCELLED[step.verb] if stop else attempt(job, step)
        if why:
            failed.append(step.logical_id)
            job.resource_becomes(step.logical_id, f"{step.verb}_FAILED", why, step.shown)
        else:
            done.append(step)
    job.pause()
    for step in done:
        job.resource_becomes(step.logical_id, f"{step.verb}_COMPLETE", "", step.shown)
    return failed


def attempt(job: Job, step: Step) -> str:
    """Do what a step does; returns why it failed, "" if it did not."""
    rehearsed = job.failure(job.stack_id, step.logical_id, step.type, step.verb)
    if rehearsed:
        return _of_handler(rehearsed, "InternalFailure")
    try:
        step.act()
    except Unfit as problem:
        return str(problem)
    except Refused as refused:
        return _of_refused(refused, job.resource(step.logical_id).physical_id)
    except ApiFault as fault:
        return fault.message  # a template's, not a service's
    except Exception as error:  # noqa: BLE001 - fails the resource, not the sandbox
        _LOG.error("%s of %s in %s\n%s", step.verb, step.logical_id, job.stack_id, where(error))
        return _of_handler("Internal error in the sandbox", "InternalFailure")
    return ""


def _of_refused(refused: Refused, name: str) -> str:
    """What a service's refusal becomes in the event of a resource called ``name``."""
    if refused.code in _TAKEN:
        message = _TAKEN[refused.code].format(name)
    else:
        trailer = f"Service: {_SERVICE_NAMES[refused.service]}, Status Code: {refused.status}"
        extended = f", Extended Request ID: {uuid.uuid4().hex}" if refused.service == "s3" else ""
        message = f"{refused.message} ({trailer}, Request ID: {uuid.uuid4()}{extended})"
    return _of_handler(message, _CODES.get(refused.code, _GENERAL))


def _of_handler(message: str, code: str) -> str:
    """What a resource handler's own failure becomes in an event."""
    return (
        f'Resource handler returned message: "{message}" '
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})"
    )


def kind_of(type_name: str) -> ResourceType:
    if type_name not in TYPES:
        raise Unfit(f"Resource type {type_name} is not supported by the sandbox")
    return TYPES[type_name]


def _work_on(job: Job, resource: StackResource | Leftover, **more: Value) -> Work:
    def note(reason: str) -> None:
        now = job.resource(resource.logical_id)
        job.note(now, now.status, reason)

    base = Work(
        job.call,
        job.state,
        type_name=resource.type,
        logical_id=resource.logical_id,
        physical_id=resource.physical_id,
        properties=resource.properties,
        region=job.stack.region,
        account=job.account,
        note=note,
    )
    return replace(base, **more)


@dataclass(frozen=True)
class Wanted:
    """A resource as a blueprint wants it, everything resolved."""

    kind: ResourceType
    properties: Properties = field(repr=False)
    tags: Mapping[str, str]
    shown: Properties = field(default_factory=dict, repr=False)


def wanted(job: Job, blueprint: Blueprint, logical_id: str) -> Wanted:
    """Resolve what a blueprint wants of a resource, from the stack as it is now.

    Raises:
        Unfit: the type or a property is not one that there is.
        ApiFault: an intrinsic function can't be resolved.
    """
    kind = kind_of(blueprint.declared(logical_id).type)
    lookup = job.lookup
    properties = fitted(kind, logical_id, blueprint.properties(logical_id, lookup))
    tags = blueprint.tags(logical_id, properties) if kind.tagged else {}
    return Wanted(kind, properties, tags, blueprint.properties(logical_id, lookup, masked=True))


def _settle(job: Job, blueprint: Blueprint, logical_id: str, work: Work) -> StackResource:
    """Keep what a handler made of a resource, and what the template says beside it."""
    return job.keep(
        logical_id,
        physical_id=work.physical_id,
        properties=work.properties,
        attributes=work.attributes,
        tags=work.tags,
        metadata=blueprint.metadata(logical_id, job.lookup),
        **declared_members(blueprint, logical_id),
    )


def declared_members(blueprint: Blueprint, logical_id: str) -> Properties:
    declared = blueprint.declared(logical_id)
    return {
        "needs": tuple(sorted(blueprint.graph.needs[logical_id])),
        "deletion_policy": declared.deletion_policy,
        "update_replace_policy": declared.update_replace_policy,
        "description": declared.description,
    }


def create(job: Job, blueprint: Blueprint, logical_id: str) -> None:
    """Make a resource; the event that it has begun says which physical id it has."""
    want = wanted(job, blueprint, logical_id)
    resource = job.resource(logical_id)
    if resource.initiated:
        delete(job, resource)  # left by a sandbox that stopped in the middle
    resource = job.keep(
        logical_id,
        physical_id=want.kind.new_name(job.stack.name, logical_id, want.properties),
        properties=want.properties,
        tags=want.tags,
        initiated=True,
    )
    work = _work_on(job, resource, tags=want.tags)
    try:
        want.kind.handler.create(work)
    except (ApiFault, Unfit):
        # If not even its first call succeeded, there is nothing to delete.
        job.keep(
            logical_id,
            initiated=bool(work.succeeded),
            physical_id=work.physical_id,
            attributes=work.attributes,
        )
        raise
    resource = _settle(job, blueprint, logical_id, work)
    job.note(resource, resource.status, "Resource creation Initiated", want.shown)


def update(job: Job, blueprint: Blueprint, logical_id: str, want: Wanted) -> None:
    """Change a resource in place, from what it says that it is."""
    resource = job.resource(logical_id)
    work = _work_on(
        job,
        resource,
        properties=want.properties,
        tags=want.tags,
        old_tags=resource.tags,
        attributes=dict(resource.attributes),
    )
    want.kind.handler.update(work, resource.properties)
    _settle(job, blueprint, logical_id, work)


def restore(job: Job, blueprint: Blueprint, logical_id: str, before: Before) -> None:
    if before.tried is None:
        return
    resource = job.keep(logical_id, properties=before.tried, tags=before.tried_tags)
    want = Wanted(kind_of(resource.type), before.properties, before.tags)
    update(job, blueprint, logical_id, want)


def delete(job: Job, resource: StackResource | Leftover) -> None:
    kind_of(resource.type).handler.delete(_work_on(job, resource))
