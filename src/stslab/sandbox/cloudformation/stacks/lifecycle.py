"""Creates, updates and deletes stacks, and rolls back what failed.

AWS CloudFormation User Guide, "Stack status codes", "Stack failure options", "AWS CloudFormation
stack updates", "Update behaviors of stack resources", "Deleting a stack", "DeletionPolicy
attribute" and "UpdateReplacePolicy attribute".
"""

from collections.abc import Container, Iterable

from msgspec.structs import replace

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.types import TYPES, fitted
from stslab.sandbox.cloudformation.resources.work import BadProperties
from stslab.sandbox.cloudformation.stacks import steps
from stslab.sandbox.cloudformation.stacks.changes import NAMED, changed, is_there
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.stacks.steps import GONE, Step, Wanted
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.references import waves
from stslab.sandbox.cloudformation.template.validation import check_attributes
from stslab.sandbox.state.stacks import FORCED, Before, Leftover, StackResource

_LEFT = "Replacement type updates not supported on stack with disable-rollback."
_REPLACING = (
    "Requested update requires the creation of a new physical resource; hence creating one."
)
_RESTORED = ("physical_id", "properties", "attributes", "tags")
"""The members of a resource that an update may change."""
_ATTEMPTS = 3
_LEFT_BEHIND = "Update successful. One or more resources could not be deleted."


def delete_stack(job: Job) -> None:
    stack = job.stack
    for name, users in lookups.exports_in_use(job.state.snapshot, stack, {}):
        why = f"Delete canceled. Cannot delete export {name} as it is in use by {users}."
        job.stack_becomes(stack.settled_status, why)
        return
    job.change_stack(deleted=job.state.snapshot.now())
    job.pause()
    there = [r for r in job.resources.values() if r.status not in GONE]
    while (failed := _delete_resources(job, there)) and stack.deletion_mode == FORCED:
        for name in failed:
            job.resource_becomes(name, "DELETE_SKIPPED")
        there = [r for r in job.resources.values() if r.status not in GONE]
    failed += _delete_leftovers(job, job.resources)
    if failed and stack.deletion_mode != FORCED:
        job.stack_becomes("DELETE_FAILED", _failure("delete", failed))
        return
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        for change_set in lookups.change_sets(tx, stack):
            tx.delete(change_set)
        tx.put(replace(stack, change_sets=()))
    job.stack_becomes("DELETE_COMPLETE")


def _failure(verb: str, names: Iterable[str]) -> str:
    """CloudFormation's status reason for a stack whose resources failed; "" for none."""
    listed = ", ".join(names)
    return f"The following resource(s) failed to {verb}: [{listed}]. " if listed else ""


def _delete_resources(
    job: Job, members: list[StackResource], *, creating: bool = False
) -> list[str]:
    """Delete resources, dependents first. Returns the logical ids of those that failed.

    Resources that a failed one depends on are not deleted. With ``creating``, a creation is rolled
    back, so resources with ``RetainExceptOnCreate`` are deleted.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in members}
    by_name = {r.logical_id: r for r in members}
    failed: list[str] = []
    needed: set[str] = set()
    for wave in reversed(waves(needs)):
        deletable = [by_name[name] for name in wave if name not in needed]
        failed += _delete_wave(job, deletable, creating=creating)
        for name in [n for n in wave if n in needed or n in failed]:
            needed |= needs[name]
    return failed


def _delete_wave(job: Job, wave: list[StackResource], *, creating: bool) -> list[str]:
    """Delete the resources of one wave, except those that must be retained."""
    deletions: list[Step] = []
    for resource in wave:
        if _retained(job, resource, creating=creating):
            job.resource_becomes(resource.logical_id, "DELETE_SKIPPED")
        elif not resource.initiated:
            job.resource_becomes(resource.logical_id, "DELETE_COMPLETE")
        else:
            deletions.append(_deletion(job, resource))
    return steps.run(job, deletions)


def _retained(job: Job, resource: StackResource, *, creating: bool) -> bool:
    stack, policy = job.stack, resource.deletion_policy
    policy_counts = not creating or (policy == "Retain" and not stack.unsparing)
    kept = policy_counts and policy in {"Retain", "RetainExceptOnCreate"}
    return (kept and resource.initiated) or resource.logical_id in stack.retained


def _deletion(job: Job, resource: StackResource | Leftover) -> Step:
    name, kind = resource.logical_id, resource.type
    return Step(name, kind, "DELETE", lambda: steps.delete(job, resource))


def _clean_up(job: Job, status: str, unwanted: list[StackResource]) -> None:
    """End an update or its rollback: delete replaced and ``unwanted`` resources, and forget them.

    Dependents are deleted first. What is there after three attempts is left behind.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in job.resources.values()}
    reason, creating = "", status == "UPDATE_ROLLBACK_COMPLETE"
    for wave in reversed(waves(needs)):
        members = [r for r in unwanted if r.logical_id in wave and r.status not in GONE]
        for _attempt in range(_ATTEMPTS):
            failed = _delete_leftovers(job, wave)
            kept = _delete_resources(job, members, creating=creating)
            members = [resource for resource in members if resource.logical_id in kept]
            if not failed and not kept:
                break
        else:
            reason = "" if creating else _LEFT_BEHIND
    with job.state.transaction() as tx:
        for resource in unwanted:
            tx.delete(resource)
        removed = {resource.logical_id for resource in unwanted}
        stack = job.stack_in(tx)
        left = tuple(name for name in stack.resources if name not in removed)
        tx.put(replace(stack, resources=left, previous=None, leftovers=()))
    job.stack_becomes(status, reason)


def _delete_leftovers(job: Job, names: Container[str]) -> list[str]:
    """Delete the leftovers of these resources. Returns the logical ids of those that failed."""
    failed: list[str] = []
    for left in [left for left in job.stack.leftovers if left.logical_id in names]:
        shown, why = replace(job.resource(left.logical_id), physical_id=left.physical_id), ""
        if left.retained:
            job.add_event(shown, "DELETE_SKIPPED")
        else:
            job.add_event(shown, "DELETE_IN_PROGRESS")
            why = steps.attempt(job, _deletion(job, left))
            job.add_event(shown, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)
        if why:
            failed.append(left.logical_id)
        else:
            others = tuple(other for other in job.stack.leftovers if other != left)
            job.change_stack(leftovers=others)
    return failed


_AFTER = {
    "ROLLBACK": ("ROLLBACK_IN_PROGRESS", "Rollback requested by user."),
    "DELETE": ("DELETE_IN_PROGRESS", "Delete requested by user."),
    "DO_NOTHING": ("CREATE_FAILED", ""),
    "LEAVE": ("CREATE_FAILED", ""),
}


def create_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = _validated(job)
        for wave in waves(blueprint.needs):
            declared = [_declare(job, blueprint, name) for name in wave]
            pending = [r.logical_id for r in declared if r.status != "CREATE_COMPLETE"]
            failed = steps.run(job, [_creation(job, blueprint, name) for name in pending])
            require(not failed, _failure("create", failed))
        _finish(job, blueprint)
    except ApiFault as fault:
        status, then = _AFTER[job.stack.on_failure]
        job.stack_becomes(status, f"{fault.message.rstrip('. ')}. {then}")
    else:
        job.stack_becomes("CREATE_COMPLETE")


def _validated(job: Job) -> Blueprint:
    """The stack's blueprint. Raises ApiFault for what is known to be wrong before it is made."""
    blueprint, failed = job.blueprint(), list[str]()
    check_attributes(blueprint.template)
    blueprint.check_values()
    for name in blueprint.active:
        kind = TYPES.get(blueprint.declared(name).type)
        try:
            if kind:
                fitted(kind, name, blueprint.properties(name, lambda _reference: UNKNOWN))
        except BadProperties as problem:
            failed.append(name)
            fresh = not is_there(_declare(job, blueprint, name))
            if fresh:
                job.change_resource(name, fresh=True, type=blueprint.declared(name).type)
            status = "CREATE_FAILED" if fresh else "UPDATE_FAILED"
            job.resource_becomes(name, status, str(problem), detail="VALIDATION_FAILED")
    listed = ", ".join(failed)
    require(not failed, f"Validation failed for following resources: [{listed}]. ")
    return blueprint


def _declare(job: Job, blueprint: Blueprint, logical_id: str) -> StackResource:
    """The stack's resource with this id, which is added if it is new."""
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        resource = lookups.resource(tx, stack, logical_id)
        if resource is None:
            resource = StackResource(
                account=job.account,
                stack_id=job.stack_id,
                logical_id=logical_id,
                type=blueprint.declared(logical_id).type,
                status="CREATE_PENDING",
                changed=tx.now(),
                **steps.declared_members(job, blueprint, logical_id),
            )
            tx.put(resource)
            tx.put(replace(stack, resources=(*stack.resources, logical_id)))
    return resource


def _creation(job: Job, blueprint: Blueprint, logical_id: str) -> Step:
    return Step(
        logical_id,
        blueprint.declared(logical_id).type,
        "CREATE",
        lambda: steps.create(job, blueprint, logical_id),
        shown=steps.shown(job, blueprint, logical_id),
    )


def _finish(job: Job, blueprint: Blueprint) -> None:
    """Set the outputs and imports of a stack. Raises ValidationError for bad exports."""
    outputs = blueprint.outputs(job.lookup)
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        lookups.check_new_exports(tx, stack, outputs)
        tx.put(replace(stack, outputs=tuple(outputs), imports=tuple(blueprint.imported)))


def roll_back_creation(job: Job) -> None:
    """The work in ROLLBACK_IN_PROGRESS: delete what was created."""
    job.change_stack(deleted=job.state.snapshot.now())
    job.pause()
    failed = _delete_resources(job, list(job.resources.values()), creating=True)
    if failed:
        job.stack_becomes("ROLLBACK_FAILED", _failure("delete", failed))
    else:
        job.stack_becomes("ROLLBACK_COMPLETE")


# -- updates ---------------------------------------------------------------------------------------


def update_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = _validated(job)
        for wave in waves(blueprint.needs):
            failed = steps.run(job, [s for name in wave if (s := _step(job, blueprint, name))])
            added = [name for name in failed if job.resource(name).fresh]
            others = [name for name in failed if name not in added]
            why = _failure("create", added) + _failure("update", others)
            require(not failed, why)
        _finish(job, blueprint)
    except ApiFault as fault:
        left = job.stack.on_failure == "LEAVE"
        status = "UPDATE_FAILED" if left else "UPDATE_ROLLBACK_IN_PROGRESS"
        job.stack_becomes(status, fault.message)
    else:
        job.stack_becomes("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


def _step(job: Job, blueprint: Blueprint, logical_id: str) -> Step | None:
    """The step of the update for one resource, if it needs one."""
    resource = _declare(job, blueprint, logical_id)
    if not is_there(resource) or resource.status == "CREATE_IN_PROGRESS":
        job.change_resource(logical_id, fresh=True, type=blueprint.declared(logical_id).type)
        return _creation(job, blueprint, logical_id)
    try:
        want = steps.wanted(job, blueprint, logical_id)
    except (BadProperties, ApiFault) as problem:

        def fail(reason: Exception = problem) -> None:
            raise reason

        return Step(logical_id, resource.type, "UPDATE", fail)
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


def _change(job: Job, blueprint: Blueprint, resource: StackResource, want: Wanted) -> Step:
    name = resource.logical_id
    # A failed or unfinished change may have changed the resource in part.
    halfway = not resource.status.endswith("_COMPLETE")

    def act() -> None:
        before = _remember(job, name)
        if halfway:
            steps.restore(job, blueprint, name, before)
        steps.check_policies(job, resource, want.properties)
        before = replace(before, tried=want.properties, tried_tags=want.tags)
        job.change_resource(name, before=before)
        steps.update(job, blueprint, name, want)

    shown = steps.shown(job, blueprint, name)
    return Step(name, resource.type, "UPDATE", act, "", shown)


def _replacement(job: Job, blueprint: Blueprint, resource: StackResource, want: Wanted) -> Step:
    name = resource.logical_id

    def act() -> None:
        if job.stack.on_failure == "LEAVE":
            raise BadProperties(_LEFT)
        _check_new_name(resource, want)
        before = _remember(job, name)
        if not before.replaced:
            retained = blueprint.declared(name).update_replace_policy != "Delete"
            before = replace(before, replaced=True, retained=retained)
            job.change_resource(name, before=before, initiated=False)
        steps.create(job, blueprint, name)

    shown = steps.shown(job, blueprint, name)
    return Step(name, resource.type, "UPDATE", act, _REPLACING, shown)


def _check_new_name(resource: StackResource, want: Wanted) -> None:
    """Refuse to replace a resource by another with the same custom name, which identifies it."""
    property_name = want.kind.name_property if resource.type in NAMED else ""
    old = resource.before.properties if resource.before else resource.properties
    name = want.properties.get(property_name) if property_name else None
    if name and name == old.get(property_name):
        refusal = "CloudFormation cannot update a stack when a custom-named resource requires"
        raise BadProperties(f"{refusal} replacing. Rename {name} and update the stack again.")


def _remember(job: Job, logical_id: str) -> Before:
    """The resource as it was before the update, which is recorded at the first call."""
    resource = job.resource(logical_id)
    if resource.before is not None:
        return resource.before
    before = Before(**{name: getattr(resource, name) for name in _RESTORED})
    job.change_resource(logical_id, before=before)
    return before


def clean_up_update(job: Job) -> None:
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
    _clean_up(job, "UPDATE_COMPLETE", unwanted)


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


def roll_back_update(job: Job) -> None:
    """The work in UPDATE_ROLLBACK_IN_PROGRESS: restore each resource that the update touched."""
    job.pause()
    blueprint = job.blueprint(job.stack.previous)
    for wave in waves(blueprint.needs):
        current = job.resources
        known = (current[name] for name in wave if name in current)
        touched = [
            r for r in known if r.before or r.status in {"UPDATE_IN_PROGRESS", "UPDATE_FAILED"}
        ]
        failed = steps.run(job, [_restoration(job, blueprint, each) for each in touched])
        if failed:
            job.stack_becomes("UPDATE_ROLLBACK_FAILED", _failure("update", failed))
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
        old = {name: getattr(before, name) for name in _RESTORED}
        tx.put(replace(resource, initiated=True, before=restored, **old))
    return restored


def clean_up_rollback(job: Job) -> None:
    """The work in UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: delete what was added."""
    job.pause()
    fresh = [resource for resource in job.resources.values() if resource.fresh]
    _clean_up(job, "UPDATE_ROLLBACK_COMPLETE", fresh)
