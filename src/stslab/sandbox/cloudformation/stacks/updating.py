"""Updates stacks, and takes back an update that failed.

AWS CloudFormation User Guide, "AWS CloudFormation stack updates" and "Update behaviors of
stack resources".
"""

from __future__ import annotations

from collections.abc import Callable

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.schema import Unfit
from stslab.sandbox.cloudformation.stacks import deletion, steps
from stslab.sandbox.cloudformation.stacks.creation import creating, finish, resource_of
from stslab.sandbox.cloudformation.stacks.deletion import demolish, failure
from stslab.sandbox.cloudformation.stacks.plan import changed, is_there
from stslab.sandbox.cloudformation.stacks.site import Site
from stslab.sandbox.cloudformation.stacks.state import Remains, Resource, Snapshot
from stslab.sandbox.cloudformation.stacks.steps import Step, Wanted
from stslab.sandbox.cloudformation.template.blueprint import Blueprint

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})


def update_stack(site: Site) -> None:
    """Go on from UPDATE_IN_PROGRESS."""
    site.pause()
    try:
        plan = site.blueprint()
        for wave in plan.graph.waves():
            due = [step for name in wave if (step := _step(site, plan, name))]
            failed = steps.take(site, due)
            if failed:
                verb = "create" if all(_is_fresh(site, name) for name in failed) else "update"
                _fail(site, failure(verb, failed))
                return
        finish(site, plan)
    except ApiFault as fault:
        _fail(site, fault.message)
        return
    site.stack_becomes("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


def _is_fresh(site: Site, name: str) -> bool:
    return site.stack.resources[name].fresh


def _fail(site: Site, reason: str) -> None:
    kept = site.stack.on_failure == "DO_NOTHING"
    site.stack_becomes("UPDATE_FAILED" if kept else "UPDATE_ROLLBACK_IN_PROGRESS", reason)


def _step(site: Site, plan: Blueprint, logical_id: str) -> Step | None:
    """What the update has to do to one resource, if anything."""
    resource = resource_of(site, plan, logical_id)
    if not is_there(resource) or resource.fresh:
        return _addition(site, plan, resource)
    try:
        want = steps.wanted(site, plan, logical_id)
    except (Unfit, ApiFault) as problem:
        return Step(resource, "UPDATE", _raising(problem))
    half_replaced = resource.before is not None and resource.before.replaced
    if half_replaced and resource.status != "UPDATE_COMPLETE":
        return _replacement(site, plan, resource, want)
    names = changed(resource.properties, want.properties)
    if set(names) & want.kind.replacing:
        return _replacement(site, plan, resource, want)
    if names or want.tags != resource.tags or not resource.status.endswith("_COMPLETE"):
        return _change(site, plan, resource, want)
    _keep_attributes(site, plan, resource)
    return None


def _raising(problem: Exception) -> Callable[[], None]:
    def act() -> None:
        raise problem

    return act


def _addition(site: Site, plan: Blueprint, resource: Resource) -> Step | None:
    if resource.fresh and resource.status == "CREATE_COMPLETE":
        return None  # by this update, before the sandbox stopped
    with site.changing(site.stack):
        resource.fresh = True
        resource.type = plan.declared(resource.logical_id).type
    return creating(site, plan, resource)


def _keep_attributes(site: Site, plan: Blueprint, resource: Resource) -> None:
    """Take over what the template says beside the properties."""
    declared = plan.declared(resource.logical_id)
    needs = sorted(plan.graph.needs[resource.logical_id])
    with site.changing(site.stack):
        resource.needs = needs
        resource.deletion_policy = declared.deletion_policy
        resource.description = declared.description


def _change(site: Site, plan: Blueprint, resource: Resource, want: Wanted) -> Step:
    # One that failed, or that a sandbox going down left, may be anything in between.
    halfway = not resource.status.endswith("_COMPLETE")

    def act() -> None:
        before = _remember(site, resource, replaced=False)
        if halfway:
            steps.restore(site, plan, resource, before)
        with site.changing(site.stack):
            before.tried, before.tried_tags = want.properties, want.tags
        steps.update(site, plan, resource, want)

    return Step(resource, "UPDATE", act, "", want.shown)


def _replacement(site: Site, plan: Blueprint, resource: Resource, want: Wanted) -> Step:
    def act() -> None:
        _check_new_name(resource, want)
        with site.changing(site.stack):
            if resource.before is None or not resource.before.replaced:
                _remember(site, resource, replaced=True)
                resource.initiated = False
        steps.create(site, plan, resource)

    return Step(resource, "UPDATE", act, REPLACING, want.shown)


def _check_new_name(resource: Resource, want: Wanted) -> None:
    """Refuse to replace what has a name of its own by another of the same name."""
    property_name = want.kind.name_property
    old = resource.before.properties if resource.before else resource.properties
    name = want.properties.get(property_name) if property_name else None
    if name and name == old.get(property_name):
        raise Unfit(
            "CloudFormation cannot update a stack when a custom-named resource requires "
            f"replacing. Rename {name} and update the stack again."
        )


def _remember(site: Site, resource: Resource, *, replaced: bool) -> Snapshot:
    with site.changing(site.stack):
        if resource.before is None:
            resource.before = Snapshot(
                resource.physical_id,
                dict(resource.properties),
                dict(resource.attributes),
                dict(resource.tags),
            )
        resource.before.replaced = resource.before.replaced or replaced
        return resource.before


def clean_up(site: Site) -> None:
    """Go on from UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: delete what is no longer wanted."""
    stack = site.stack
    site.pause()
    with site.changing(stack):
        for resource in stack.resources.values():
            _leave_old(site, resource)
            resource.before, resource.fresh = None, False
    deletion.clean(site)
    wanted = site.blueprint().active
    demolish(
        site, [r for n, r in stack.resources.items() if n not in wanted and r.status not in GONE]
    )
    with site.changing(stack):
        stack.previous = None
        stack.remains.clear()
        for name in [n for n, r in stack.resources.items() if n not in wanted]:
            del stack.resources[name]
    site.stack_becomes("UPDATE_COMPLETE")


def _leave_old(site: Site, resource: Resource) -> None:
    """Leave what was replaced to the cleanup."""
    before = resource.before
    if before is None or not before.replaced or before.physical_id == resource.physical_id:
        return
    site.stack.remains.append(
        Remains(resource.logical_id, resource.type, before.physical_id, before.properties)
    )


def roll_back(site: Site) -> None:
    """Go on from UPDATE_ROLLBACK_IN_PROGRESS: give each resource back what it was."""
    stack = site.stack
    site.pause()
    plan = site.blueprint(stack.previous)
    failed: list[str] = []
    for wave in plan.graph.waves():
        due = [stack.resources[name] for name in wave if name in stack.resources]
        due = [r for r in due if r.before is not None and r.logical_id not in stack.skipped]
        failed += steps.take(site, [_restoration(site, plan, resource) for resource in due])
        if failed:
            site.stack_becomes("UPDATE_ROLLBACK_FAILED", failure("update", failed))
            return
    with site.changing(stack):
        if stack.previous is not None:
            stack.config = stack.previous
        for resource in stack.resources.values():
            resource.before = None
    site.stack_becomes("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")


def _restoration(site: Site, plan: Blueprint, resource: Resource) -> Step:
    def act() -> None:
        before = resource.before
        if before is None:
            return
        if before.replaced:
            _return_to_old(site, resource, before)
        steps.restore(site, plan, resource, before)

    return Step(resource, "UPDATE", act)


def _return_to_old(site: Site, resource: Resource, before: Snapshot) -> None:
    """The old one is still there; what was to replace it is left to the cleanup."""
    with site.changing(site.stack):
        if resource.initiated and resource.physical_id != before.physical_id:
            site.stack.remains.append(
                Remains(
                    resource.logical_id, resource.type, resource.physical_id, resource.properties
                )
            )
        resource.physical_id = before.physical_id
        resource.properties, resource.attributes = before.properties, before.attributes
        resource.tags, resource.initiated = before.tags, True
        before.replaced = False


def clean_up_rollback(site: Site) -> None:
    """Go on from UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: delete what was added."""
    stack = site.stack
    site.pause()
    deletion.clean(site)
    fresh = [resource for resource in stack.resources.values() if resource.fresh]
    demolish(site, fresh, creating=True)
    with site.changing(stack):
        for resource in fresh:
            del stack.resources[resource.logical_id]
        stack.previous = None
        stack.remains.clear()
        stack.skipped.clear()
    site.stack_becomes("UPDATE_ROLLBACK_COMPLETE")
