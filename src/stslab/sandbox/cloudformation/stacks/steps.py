"""One step of the work on one resource, and the waves in which steps are taken.

The resources of a wave depend on none of each other, so CloudFormation works on them at the
same time: all begin, then each does its work, then each is complete.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stslab.sandbox.api.failures import where
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources import TYPES, reasons
from stslab.sandbox.cloudformation.resources.kinds import ResourceType
from stslab.sandbox.cloudformation.resources.schema import Unfit, fitted
from stslab.sandbox.cloudformation.resources.work import Work
from stslab.sandbox.cloudformation.stacks.site import Site
from stslab.sandbox.cloudformation.stacks.state import Remains, Resource, Snapshot
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, lookup_in

CANCELLED = {
    "CREATE": "Resource creation cancelled",
    "UPDATE": "Resource update cancelled",
    "DELETE": "Resource deletion cancelled",
}
log = logging.getLogger(__name__)


@dataclass
class Step:
    """What is to be done to one resource; ``verb`` is CREATE, UPDATE or DELETE.

    ``act`` does it. ``reason`` goes into the event that begins it, ``physical`` is a
    physical id that this event shows other than the resource's own.
    """

    resource: Resource
    verb: str
    act: Callable[[], None]
    reason: str = ""
    shown: Mapping[str, Any] | None = field(default=None, repr=False)


def take(site: Site, steps: Iterable[Step]) -> list[str]:
    """Take the steps of one wave; returns the logical ids of those that failed."""
    steps = list(steps)
    if not steps:
        return []
    for step in steps:
        site.resource_becomes(step.resource, f"{step.verb}_IN_PROGRESS", step.reason, step.shown)
    site.pause()
    failed: list[str] = []
    done: list[Step] = []
    for step in steps:
        stop = failed and step.verb != "DELETE"  # deletions go on with whatever they can
        why = CANCELLED[step.verb] if stop else attempt(site, step)
        if why:
            failed.append(step.resource.logical_id)
            site.resource_becomes(step.resource, f"{step.verb}_FAILED", why, step.shown)
        else:
            done.append(step)
    site.pause()
    for step in done:
        site.resource_becomes(step.resource, f"{step.verb}_COMPLETE", "", step.shown)
    return failed


def attempt(site: Site, step: Step) -> str:
    """Do what a step does; returns why it failed, "" if it did not."""
    resource = step.resource
    hindered = site.hindrance(site.stack.stack_id, resource.logical_id, resource.type, step.verb)
    if hindered:
        return reasons.of_handler(hindered, "InternalFailure")
    try:
        step.act()
    except Unfit as problem:
        return str(problem)
    except ApiFault as fault:
        return _reason(step.resource, fault)
    except Exception as error:  # noqa: BLE001 - fails the resource, not the sandbox
        what = f"{step.verb} of {step.resource.logical_id} in {site.stack.stack_id}"
        log.error("%s\n%s", what, where(error))  # noqa: TRY400 - without values
        return reasons.of_handler("Internal error in the sandbox", "InternalFailure")
    return ""


def _reason(resource: Resource, fault: ApiFault) -> str:
    if fault.code == "ValidationError" and not hasattr(fault, "service"):
        return fault.message  # a template's, not a service's
    return reasons.of_fault(fault, getattr(fault, "service", ""), resource.physical_id)


def kind_of(type_name: str) -> ResourceType:
    """The resource type of this name.

    Raises:
        Unfit: AWS may have it, but the sandbox does not.
    """
    if type_name not in TYPES:
        raise Unfit(f"Resource type {type_name} is not supported by the sandbox")
    return TYPES[type_name]


def work_on(site: Site, resource: Resource | Remains, **more: Any) -> Work:
    """The work that a handler is given for a resource as it is."""

    def call(service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            output = site.call(service, operation, params)
        except ApiFault as fault:
            fault.service = service  # type: ignore[attr-defined] # for the event's reason
            raise
        succeeded.append(operation)
        return output

    succeeded: list[str] = []
    base = Work(
        call=call,
        succeeded=succeeded,
        ground=site.ground,
        type=resource.type,
        logical_id=resource.logical_id,
        physical_id=resource.physical_id,
        properties=resource.properties,
        region=site.stack.region,
        account=site.stack.account,
    )
    return replace(base, **more)


@dataclass
class Wanted:
    """A resource as a blueprint wants it, everything resolved."""

    kind: ResourceType
    properties: dict[str, Any] = field(repr=False)
    tags: dict[str, str]
    shown: dict[str, Any] = field(repr=False)


def wanted(site: Site, plan: Blueprint, logical_id: str) -> Wanted:
    """Resolve what a blueprint wants of a resource, from the stack as it is now.

    Raises:
        Unfit: the type or a property is not one that there is.
        ApiFault: an intrinsic function can't be resolved.
    """
    kind = kind_of(plan.declared(logical_id).type)
    lookup = lookup_in(site.stack)
    properties = fitted(kind, logical_id, plan.properties(logical_id, lookup))
    tags = plan.tags(logical_id, properties) if kind.tagged else {}
    return Wanted(kind, properties, tags, plan.properties(logical_id, lookup, masked=True))


def settle(site: Site, plan: Blueprint, resource: Resource, work: Work) -> None:
    """Keep what a handler made of a resource, and what the template says beside it."""
    declared = plan.declared(resource.logical_id)
    metadata = plan.metadata(resource.logical_id, lookup_in(site.stack))
    with site.changing(site.stack):
        resource.physical_id = work.physical_id
        resource.properties = dict(work.properties)
        resource.attributes = work.attributes
        resource.tags = dict(work.tags)
        resource.needs = sorted(plan.graph.needs[resource.logical_id])
        resource.deletion_policy = declared.deletion_policy
        resource.description = declared.description
        resource.metadata = metadata


def create(site: Site, plan: Blueprint, resource: Resource) -> None:
    """Make a resource; the event that it has begun says which physical id it has."""
    want = wanted(site, plan, resource.logical_id)
    if resource.initiated:
        delete(site, resource)  # left by a sandbox that stopped in the middle
    with site.changing(site.stack):
        resource.physical_id = _new_name(site, want, resource)
        resource.properties, resource.tags = want.properties, want.tags
        resource.initiated = True
    work = work_on(site, resource, tags=want.tags, note=_noting(site, resource))
    try:
        want.kind.handler.create(work)
    except ApiFault:
        _not_made(site, resource, work)
        raise
    settle(site, plan, resource, work)
    site.note(resource, resource.status, "Resource creation Initiated", want.shown)


def _new_name(site: Site, want: Wanted, resource: Resource) -> str:
    kind = want.kind
    given = want.properties.get(kind.name_property) if kind.name_property else None
    if given or kind.make_name is None:
        return str(given or "")
    return kind.make_name(site.stack.name, resource.logical_id, kind.name_limit)


def _not_made(site: Site, resource: Resource, work: Work) -> None:
    """What is left after a failed creation: nothing, if not even its first call succeeded."""
    with site.changing(site.stack):
        resource.initiated = bool(work.succeeded)
        resource.physical_id, resource.attributes = work.physical_id, work.attributes


def _noting(site: Site, resource: Resource) -> Callable[[str], None]:
    return lambda reason: site.note(resource, resource.status, reason)


def update(site: Site, plan: Blueprint, resource: Resource, want: Wanted) -> None:
    """Change a resource in place, from what it says that it is."""
    work = work_on(
        site,
        resource,
        properties=want.properties,
        tags=want.tags,
        old_tags=resource.tags,
        attributes=dict(resource.attributes),
        note=_noting(site, resource),
    )
    want.kind.handler.update(work, dict(resource.properties))
    settle(site, plan, resource, work)


def restore(site: Site, plan: Blueprint, resource: Resource, before: Snapshot) -> None:
    """Undo a change in place, however much of it was made."""
    if before.tried is None:
        return
    with site.changing(site.stack):
        resource.properties, resource.tags = before.tried, before.tried_tags
    update(site, plan, resource, Wanted(kind_of(resource.type), before.properties, before.tags, {}))


def delete(site: Site, resource: Resource | Remains) -> None:
    """Delete what a resource is physically."""
    kind_of(resource.type).handler.delete(work_on(site, resource))
