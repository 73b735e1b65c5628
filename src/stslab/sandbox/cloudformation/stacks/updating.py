"""Updates stacks, and rolls back failed updates.

AWS CloudFormation User Guide, "AWS CloudFormation stack updates", "Update behaviors of stack
resources" and "UpdateReplacePolicy attribute".
"""

from collections.abc import Iterable

from msgspec.structs import replace

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.work import BadProperties
from stslab.sandbox.cloudformation.stacks import lifecycle, steps
from stslab.sandbox.cloudformation.stacks.changes import changed, is_there
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.stacks.steps import GONE, Step, Wanted
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.state.stacks import Before, Leftover, StackResource

LEFT = "Replacement type updates not supported on stack with disable-rollback."
REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."

UNFINISHED = frozenset({"UPDATE_IN_PROGRESS", "UPDATE_FAILED"})
RESTORED = ("physical_id", "properties", "attributes", "tags")
"""The members of a resource that an update may change."""


def update_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = job.blueprint()
        blueprint.check_values()
        for wave in blueprint.graph.waves():
            failed = steps.run(job, [s for name in wave if (s := _step(job, blueprint, name))])
            added = [name for name in failed if job.resource(name).fresh]
            others = [name for name in failed if name not in added]
            why = lifecycle.failure("create", added) + lifecycle.failure("update", others)
            require(not failed, why)
        lifecycle.finish(job, blueprint)
    except ApiFault as fault:
        left = job.stack.on_failure == "LEAVE"
        status = "UPDATE_FAILED" if left else "UPDATE_ROLLBACK_IN_PROGRESS"
        job.stack_becomes(status, fault.message)
    else:
        job.stack_becomes("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


def _step(job: Job, blueprint: Blueprint, logical_id: str) -> Step | None:
    """The step of the update for one resource, if it needs one."""
    resource = lifecycle.declare(job, blueprint, logical_id)
    if not is_there(resource) or resource.status == "CREATE_IN_PROGRESS":
        job.change_resource(logical_id, fresh=True, type=blueprint.declared(logical_id).type)
        return lifecycle.creation(job, blueprint, logical_id)
    try:
        want = steps.wanted(job, blueprint, logical_id)
    except (BadProperties, ApiFault) as problem:
        return _failing(resource, problem)
    half_replaced = resource.before is not None and resource.before.replaced
    if half_replaced and resource.status != "UPDATE_COMPLETE":
        return _replacement(job, blueprint, resource, want)
    names = changed(resource.properties, want.properties)
    if set(names) & want.kind.marked("replaces"):
        return _replacement(job, blueprint, resource, want)
    if names or want.tags != resource.tags or not resource.status.endswith("_COMPLETE"):
        return _change(job, blueprint, resource, want)
    job.change_resource(logical_id, **steps.declared_members(job, blueprint, logical_id))
    return None


def _failing(resource: StackResource, problem: Exception) -> Step:
    def act() -> None:
        raise problem

    return Step(resource.logical_id, resource.type, "UPDATE", act)


def _change(job: Job, blueprint: Blueprint, resource: StackResource, want: Wanted) -> Step:
    name = resource.logical_id
    # A failed or unfinished change may have changed the resource in part.
    halfway = not resource.status.endswith("_COMPLETE")

    def act() -> None:
        before = _remember(job, name)
        if halfway:
            steps.restore(job, blueprint, name, before)
        before = replace(before, tried=want.properties, tried_tags=want.tags)
        job.change_resource(name, before=before)
        steps.update(job, blueprint, name, want)

    shown = steps.shown(job, blueprint, name)
    return Step(name, resource.type, "UPDATE", act, "", shown)


def _replacement(job: Job, blueprint: Blueprint, resource: StackResource, want: Wanted) -> Step:
    name = resource.logical_id

    def act() -> None:
        if job.stack.on_failure == "LEAVE":
            raise BadProperties(LEFT)
        _check_new_name(resource, want)
        before = _remember(job, name)
        if not before.replaced:
            retained = blueprint.declared(name).update_replace_policy != "Delete"
            before = replace(before, replaced=True, retained=retained)
            job.change_resource(name, before=before, initiated=False)
        steps.create(job, blueprint, name)

    shown = steps.shown(job, blueprint, name)
    return Step(name, resource.type, "UPDATE", act, REPLACING, shown)


def _check_new_name(resource: StackResource, want: Wanted) -> None:
    """Refuse to replace a resource by another with the same custom name."""
    property_name = want.kind.name_property
    old = resource.before.properties if resource.before else resource.properties
    name = want.properties.get(property_name) if property_name else None
    if name and name == old.get(property_name):
        raise BadProperties(
            "CloudFormation cannot update a stack when a custom-named resource requires "
            f"replacing. Rename {name} and update the stack again."
        )


def _remember(job: Job, logical_id: str) -> Before:
    """The resource as it was before the update, which is recorded at the first call."""
    resource = job.resource(logical_id)
    if resource.before is not None:
        return resource.before
    before = Before(**{name: getattr(resource, name) for name in RESTORED})
    job.change_resource(logical_id, before=before)
    return before


def clean_up(job: Job) -> None:
    """The work in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: delete replaced and removed resources."""
    job.pause()
    with job.state.transaction() as tx:
        replaced = [left for r in job.resources.values() if (left := _replaced(r))]
        for resource in job.resources.values():
            tx.put(replace(resource, before=None, fresh=False))
        stack = job.stack_in(tx)
        tx.put(replace(stack, leftovers=(*stack.leftovers, *replaced)))
    wanted = job.blueprint().active
    unwanted = [r for name, r in job.resources.items() if name not in wanted]
    lifecycle.clean_up(job, [r for r in unwanted if r.status not in GONE])
    _forget(job, unwanted)
    job.stack_becomes("UPDATE_COMPLETE")


def _replaced(resource: StackResource) -> Leftover | None:
    """The old physical resource that a complete update replaced, for the cleanup."""
    before = resource.before
    if before is None or not before.replaced or before.physical_id == resource.physical_id:
        return None
    return Leftover(
        logical_id=resource.logical_id,
        type=resource.type,
        physical_id=before.physical_id,
        properties=before.properties,
        retained=before.retained,
    )


def _forget(job: Job, unwanted: Iterable[StackResource]) -> None:
    """End an update or its rollback: remove these resources from the stack."""
    with job.state.transaction() as tx:
        for resource in unwanted:
            tx.delete(resource)
        removed = {resource.logical_id for resource in unwanted}
        stack = job.stack_in(tx)
        kept = tuple(name for name in stack.resources if name not in removed)
        tx.put(replace(stack, resources=kept, previous=None, leftovers=()))


def roll_back(job: Job) -> None:
    """The work in UPDATE_ROLLBACK_IN_PROGRESS: restore each resource that the update touched."""
    job.pause()
    blueprint = job.blueprint(job.stack.previous)
    for wave in blueprint.graph.waves():
        current = job.resources
        known = (current[name] for name in wave if name in current)
        touched = [
            r for r in known if r.before or r.status in {"UPDATE_IN_PROGRESS", "UPDATE_FAILED"}
        ]
        failed = steps.run(job, [_restoration(job, blueprint, each) for each in touched])
        if failed:
            job.stack_becomes("UPDATE_ROLLBACK_FAILED", lifecycle.failure("update", failed))
            return
    with job.state.transaction() as tx:
        tx.put(replace(job.stack_in(tx), config=blueprint.config))
    job.stack_becomes("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")


def _restoration(job: Job, blueprint: Blueprint, resource: StackResource) -> Step:
    name = resource.logical_id

    def act() -> None:
        before = job.resource(name).before
        if before is None:
            return
        if before.replaced:
            before = _return_to_old(job, name, before)
        steps.restore(job, blueprint, name, before)
        job.change_resource(name, before=None)

    return Step(name, resource.type, "UPDATE", act)


def _return_to_old(job: Job, logical_id: str, before: Before) -> Before:
    """Restore the old physical resource, and leave the new one to the cleanup."""
    restored = replace(before, replaced=False)
    with job.state.transaction() as tx:
        resource, stack = job.resource(logical_id), job.stack_in(tx)
        if resource.initiated and resource.physical_id != before.physical_id:
            left = Leftover(
                logical_id=logical_id,
                type=resource.type,
                physical_id=resource.physical_id,
                properties=resource.properties,
            )
            tx.put(replace(stack, leftovers=(*stack.leftovers, left)))
        old = {name: getattr(before, name) for name in RESTORED}
        tx.put(replace(resource, initiated=True, before=restored, **old))
    return restored


def clean_up_rollback(job: Job) -> None:
    """The work in UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: delete what was added."""
    job.pause()
    fresh = [resource for resource in job.resources.values() if resource.fresh]
    lifecycle.clean_up(job, fresh, creating=True)
    _forget(job, fresh)
    job.stack_becomes("UPDATE_ROLLBACK_COMPLETE")
