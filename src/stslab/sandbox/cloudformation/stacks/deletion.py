"""Deletes stacks, and what a failed creation or an update leaves to be deleted.

AWS CloudFormation User Guide, "Deleting a stack" and "DeletionPolicy attribute".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.stacks import exports, steps
from stslab.sandbox.cloudformation.stacks.site import Site
from stslab.sandbox.cloudformation.stacks.state import Remains, Resource
from stslab.sandbox.cloudformation.stacks.steps import Step
from stslab.sandbox.cloudformation.template.references import Graph

GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})


def delete_stack(site: Site) -> None:
    """Go on from DELETE_IN_PROGRESS."""
    stack = site.stack
    try:
        exports.check_in_use(site.stacks, stack, {})
    except ApiFault as fault:
        site.stack_becomes(stack.settled_status, f"Delete canceled. {fault.message}")
        return
    site.pause()
    failed = demolish(site, [r for r in stack.resources.values() if r.status not in GONE])
    failed += clean(site)
    if failed:
        site.stack_becomes("DELETE_FAILED", failure("delete", failed))
        return
    with site.changing(stack):
        stack.deleted = site.now()
        stack.change_sets.clear()
    site.stack_becomes("DELETE_COMPLETE")


def failure(verb: str, names: Iterable[str]) -> str:
    """The reason of a stack whose resources failed, as CloudFormation words it."""
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "


def demolish(site: Site, members: list[Resource], *, creating: bool = False) -> list[str]:
    """Delete resources, those first on which no other depends; returns which failed.

    What a resource that failed still needs is left alone. ``creating`` says that what is
    undone is a creation, which ``RetainExceptOnCreate`` does not survive.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in members}
    by_name = {r.logical_id: r for r in members}
    failed: list[str] = []
    needed: set[str] = set()
    for wave in reversed(Graph(needs).waves()):
        going = [by_name[name] for name in wave if name not in needed]
        for name in take_down(site, going, creating=creating):
            if site.stack.forced:
                site.resource_becomes(by_name[name], "DELETE_SKIPPED", by_name[name].reason)
            else:
                failed.append(name)
        for name in [n for n in wave if n in needed or n in failed]:
            needed |= needs[name]
    return failed


def take_down(site: Site, going: list[Resource], *, creating: bool) -> list[str]:
    """Delete the resources of one wave, or skip those that are to be retained."""
    waiting: list[Step] = []
    for resource in going:
        if _retained(site, resource, creating=creating):
            site.resource_becomes(resource, "DELETE_SKIPPED")
        elif not resource.initiated:
            site.resource_becomes(resource, "DELETE_COMPLETE")
        else:
            waiting.append(Step(resource, "DELETE", _deleting(site, resource)))
    return steps.take(site, waiting)


def _retained(site: Site, resource: Resource, *, creating: bool) -> bool:
    policy = resource.deletion_policy
    kept = policy == "Retain" or (policy == "RetainExceptOnCreate" and not creating)
    return (kept and resource.initiated) or resource.logical_id in site.stack.retained


def _deleting(site: Site, resource: Resource) -> Callable[[], None]:
    return lambda: steps.delete(site, resource)


def clean(site: Site) -> list[str]:
    """Delete what is physically left of replaced and removed resources; returns what failed."""
    remains = list(site.stack.remains)
    return [left.logical_id for left in remains if not _clean_one(site, left)]


def _clean_one(site: Site, left: Remains) -> bool:
    shadow = Resource(left.logical_id, left.type, "", site.now(), left.physical_id)
    if left.retained:
        site.note(shadow, "DELETE_SKIPPED")
    else:
        site.note(shadow, "DELETE_IN_PROGRESS")
        why = steps.attempt(site, Step(shadow, "DELETE", lambda: steps.delete(site, left)))
        site.note(shadow, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)
        if why:
            return False
    with site.changing(site.stack):
        site.stack.remains.remove(left)
    return True
