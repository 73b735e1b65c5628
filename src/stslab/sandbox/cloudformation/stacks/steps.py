"""Steps of the work on resources (CloudFormation CLI User Guide, "Handler error codes")."""

import logging
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from stslab.sandbox.api.faults import where
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.api.serialize import S3_HOST_ID
from stslab.sandbox.cloudformation.resources.iam import holders
from stslab.sandbox.cloudformation.resources.types import TYPES, ResourceType, fitted
from stslab.sandbox.cloudformation.resources.work import BadProperties, Refused, Work
from stslab.sandbox.cloudformation.stacks.changes import NAMED, is_there
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.template.template import Properties, Value
from stslab.sandbox.state.stacks import Before, Leftover, StackResource
from stslab.structures import beside

RESTORED = ("physical_id", "properties", "attributes", "tags")
"""The members of a resource that its handler sets, and that a rollback restores."""
GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})
SAYS = beside(__file__, "errors.yaml")
_CODES = {code: handler for handler, codes in SAYS["codes"].items() for code in codes}
_OWN: Mapping[str, str] = SAYS["own"]
_GENERAL = "GeneralServiceException"
# A denied iam:CreateRole is told as if it were about tags, which the request may have.
_TAGGING = re.compile(r"perform: (iam:CreateRole|(iam|s3):(Unt|T)ag\w+) ")
_LOG = logging.getLogger(__name__)


class Step(msgspec.Struct, frozen=True):
    logical_id: str
    verb: str  # CREATE, UPDATE or DELETE
    act: Callable[[], object]
    reason: str = ""  # of its first event


def run(job: Job, steps: Sequence[Step], *, cancels: bool) -> list[str]:
    """Run the steps of one wave. Returns the logical ids of those that failed.

    With ``cancels``, a failure cancels those that are left.
    The resources of a wave do not depend on each other, so CloudFormation works on them at the
    same time: first all are in progress, then all are complete.
    """
    if not steps:
        return []
    for step in steps:
        job.resource_becomes(step.logical_id, f"{step.verb}_IN_PROGRESS", step.reason)
    job.pause()
    failed: list[str] = []
    for step in steps:
        why = SAYS["cancelled"][step.verb] if failed and cancels else attempt(job, step)
        if why:
            failed.append(step.logical_id)
            job.resource_becomes(step.logical_id, f"{step.verb}_FAILED", why)
    job.pause()
    for step in [step for step in steps if step.logical_id not in failed]:
        job.resource_becomes(step.logical_id, f"{step.verb}_COMPLETE")
    return failed


def attempt(job: Job, step: Step) -> str:
    """Run a step. Returns the reason why it failed, or an empty text."""
    resource = job.resource(step.logical_id)
    if rehearsed := job.failure(resource.stack_id, step.logical_id, resource.type, step.verb):
        return _handler_error(rehearsed, "InternalFailure")
    try:
        step.act()
    except BadProperties as problem:
        return str(problem)
    except Refused as refused:
        return _service_error(refused, job.resource(step.logical_id))
    except ApiFault as fault:
        return fault.message  # of the template, not of a service
    except Exception as error:  # noqa: BLE001 - fails the resource, not the sandbox
        _LOG.error("%s of %r\n%s", step.verb, resource, where(error))
        return _handler_error("Internal error in the embedded account", "InternalFailure")
    return ""


def _service_error(refused: Refused, resource: StackResource) -> str:
    code = _CODES.get(refused.message, _CODES.get(refused.code, _GENERAL))
    kind, name = resource.type, resource.properties.get(TYPES[resource.type].name_property)
    if (kind, code) == ("AWS::S3::Bucket", "AccessDenied"):  # whose handler tells no denials
        code = _GENERAL
    if refused.code in _OWN and (refused.service == "s3" or kind in NAMED):
        own = _OWN[refused.code].format(type=kind, name=name, message=refused.message)
        return _handler_error(own, code)
    of_s3 = f"{secrets.token_hex(8).upper()}, Extended Request ID: {S3_HOST_ID}"
    request = of_s3 if refused.service == "s3" else uuid.uuid4()
    trailer = f"Service: {refused.service.title()}, Status Code: {refused.status}"
    told = f"{refused.message} ({trailer}, Request ID: {request}) (SDK Attempt Count: 1)"
    if _TAGGING.search(refused.message):
        told, code = SAYS["may not tag"].format(told), "UnauthorizedTaggingOperation"
    return _handler_error(told, code)


def _handler_error(message: str, code: str) -> str:
    trailer = f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})"
    return f'Resource handler returned message: "{message}" {trailer}'


def kind_of(type_name: str) -> ResourceType:
    if type_name not in TYPES:
        raise BadProperties(f"Resource type {type_name} is not supported by the embedded account")
    return TYPES[type_name]


def _work_on(job: Job, resource: StackResource | Leftover, **more: Value) -> Work:
    more = {"properties": resource.properties, "region": job.stack.region, **more}
    return Work(job.call, job.state, resource.physical_id, **more)


def wanted(job: Job, logical_id: str) -> tuple[Properties, Mapping[str, str]]:
    """The evaluated properties and tags of a resource. Raises BadProperties, or ApiFault."""
    kind = kind_of(job.blueprint.declared(logical_id).type)
    properties = fitted(kind, logical_id, job.blueprint.properties(logical_id, job.lookup))
    return properties, job.blueprint.tags(logical_id, properties) if kind.tagged else {}


def _record(job: Job, logical_id: str, work: Work) -> StackResource:
    made = {name: getattr(work, name) for name in RESTORED}
    return job.change_resource(logical_id, **made, **declared_members(job, logical_id))


def declared_members(job: Job, logical_id: str) -> Properties:
    declared = job.blueprint.declared(logical_id)
    return {
        "metadata": job.blueprint.metadata(logical_id, job.lookup),
        "needs": tuple(sorted(job.blueprint.needs[logical_id])),
        "deletion_policy": declared.deletion_policy,
        "update_replace_policy": declared.update_replace_policy,
        "description": declared.description,
    }


def _others(job: Job, resource: StackResource) -> list[StackResource]:
    """The other resources of the type that stacks in the region have."""
    in_region = resource.stack_id.partition(":stack/")[0]
    return [
        other
        for other in job.state.snapshot.all(StackResource, resource.account)
        if other.stack_id.startswith(in_region) and other.type == resource.type
        if other.key != resource.key and is_there(other)
    ]


def check_policies(job: Job, resource: StackResource, properties: Properties) -> None:
    """Refuse inline policies that another ``AWS::IAM::Policy`` puts into the same identities."""
    mine = _inlined(properties)
    others = [other for other in _others(job, resource) if mine & _inlined(other.properties)]
    if others:
        found = ", ".join(f"{one.stack_id.split('/')[1]}|{one.logical_id}" for one in others)
        raise BadProperties(f"{SAYS['shared']} Found stacks: [{found}]")


def _inlined(given: Properties) -> set[str]:
    """The inline policies of these properties, in lower case: IAM's names ignore capitals."""
    name = given.get("PolicyName")
    return {f"{name} {holder}".lower() for holder in holders(given) if name}


def create(job: Job, logical_id: str) -> None:
    """Create a resource, and add the event that tells its physical id."""
    (properties, tags) = wanted(job, logical_id)
    resource = job.resource(logical_id)
    if resource.initiated:
        delete(job, resource)  # left unfinished by an earlier process
    kind = kind_of(resource.type)
    name = kind.new_name(job.stack.name, logical_id, properties)
    fold = str.lower if kind.identifier else str  # its parts are names of IAM
    for other in _others(job, resource) if kind.name in NAMED or kind.identifier else ():
        taken = other.physical_id, other.before.physical_id if other.before else ""
        if fold(name) in map(fold, taken):
            raise BadProperties(f"{name} already exists in stack {other.stack_id}")
    check_policies(job, resource, properties)
    begun = {"properties": properties, "tags": tags, "initiated": True}
    resource, failed = job.change_resource(logical_id, physical_id=name, **begun), None
    work = _work_on(job, resource, tags=tags)
    try:
        kind.handler.create(work)
    except (ApiFault, BadProperties) as fault:
        if not work.succeeded:  # there is nothing to delete
            old = resource.before.physical_id if resource.before else ""
            job.change_resource(logical_id, physical_id=old, initiated=False)
            raise
        failed = fault
    resource = _record(job, logical_id, work)
    job.add_event(resource, resource.status, "Resource creation Initiated")
    if failed:
        raise failed


def update(job: Job, logical_id: str, properties: Properties, tags: Mapping[str, str]) -> None:
    resource = job.resource(logical_id)
    members = {"properties": properties, "tags": tags, "old_tags": resource.tags}
    work = _work_on(job, resource, attributes=dict(resource.attributes), **members)
    kind_of(resource.type).handler.update(work, resource.properties)
    _record(job, logical_id, work)


def restore(job: Job, logical_id: str, before: Before) -> None:
    """Undo an update in place that was tried."""
    if before.tried is not None:
        job.change_resource(logical_id, properties=before.tried, tags=before.tried_tags)
        update(job, logical_id, before.properties, before.tags)


def delete(job: Job, resource: StackResource | Leftover) -> None:
    """Delete a resource, with what it had before an update whose rollback failed, too."""
    handler, before = kind_of(resource.type).handler, getattr(resource, "before", None)
    if before and before.tried is not None:
        with suppress(ApiFault):  # what the update made is still there
            handler.delete(_work_on(job, resource, properties=before.properties))
    handler.delete(_work_on(job, resource))
