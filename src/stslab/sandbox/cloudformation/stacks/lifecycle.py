"""Creates and deletes stacks, and rolls back failed creations.

AWS CloudFormation User Guide, "Stack failure options", "Stack status codes", "Deleting a stack" and
"DeletionPolicy attribute".
"""

from collections.abc import Container, Iterable

from msgspec.structs import replace

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.stacks import steps
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.stacks.steps import GONE, Step
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.references import Graph
from stslab.sandbox.state.stacks import Leftover, StackResource


def delete_stack(job: Job) -> None:
    stack = job.stack
    for name, users in lookups.exports_in_use(job.state.snapshot, stack, {}):
        why = f"Delete canceled. Cannot delete export {name} as it is in use by {users}."
        job.stack_becomes(stack.settled_status, why)
        return
    job.pause()
    failed = delete_resources(job, [r for r in job.resources.values() if r.status not in GONE])
    failed += _delete_leftovers(job, job.resources)
    if failed:
        job.stack_becomes("DELETE_FAILED", failure("delete", failed))
        return
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        for change_set in lookups.change_sets(tx, stack):
            tx.delete(change_set)
        tx.put(replace(stack, deleted=tx.now(), change_sets=()))
    job.stack_becomes("DELETE_COMPLETE")


def failure(verb: str, names: Iterable[str]) -> str:
    """CloudFormation's status reason for a stack whose resources failed; "" for none."""
    listed = ", ".join(names)
    return f"The following resource(s) failed to {verb}: [{listed}]. " if listed else ""


def delete_resources(
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
    for wave in reversed(Graph(needs).waves()):
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


def clean_up(job: Job, unwanted: list[StackResource], *, creating: bool = False) -> None:
    """Delete replaced and ``unwanted`` resources after an update or its rollback.

    Dependents are deleted first.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in job.resources.values()}
    for wave in reversed(Graph(needs).waves()):
        _delete_leftovers(job, wave)
        delete_resources(job, [r for r in unwanted if r.logical_id in wave], creating=creating)


def _delete_leftovers(job: Job, names: Container[str]) -> list[str]:
    """Delete the leftovers of these resources. Returns the logical ids of those that failed."""
    leftovers = [left for left in job.stack.leftovers if left.logical_id in names]
    return [left.logical_id for left in leftovers if not _delete_leftover(job, left)]


def _delete_leftover(job: Job, left: Leftover) -> bool:
    """Delete a leftover, and report it in events. Whether that succeeded."""
    shown = replace(job.resource(left.logical_id), physical_id=left.physical_id)
    if left.retained:
        job.add_event(shown, "DELETE_SKIPPED")
    else:
        job.add_event(shown, "DELETE_IN_PROGRESS")
        why = steps.attempt(job, _deletion(job, left))
        job.add_event(shown, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)
        if why:
            return False
    job.change_stack(leftovers=tuple(other for other in job.stack.leftovers if other != left))
    return True


AFTER = {
    "ROLLBACK": ("ROLLBACK_IN_PROGRESS", "Rollback requested by user."),
    "DELETE": ("DELETE_IN_PROGRESS", "Delete requested by user."),
    "DO_NOTHING": ("CREATE_FAILED", ""),
    "LEAVE": ("CREATE_FAILED", ""),
}


def create_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = job.blueprint()
        blueprint.check_values()
        for wave in blueprint.graph.waves():
            declared = [declare(job, blueprint, name) for name in wave]
            pending = [r.logical_id for r in declared if r.status != "CREATE_COMPLETE"]
            failed = steps.run(job, [creation(job, blueprint, name) for name in pending])
            require(not failed, failure("create", failed))
        finish(job, blueprint)
    except ApiFault as fault:
        status, then = AFTER[job.stack.on_failure]
        job.stack_becomes(status, f"{fault.message.rstrip('. ')}. {then}")
    else:
        job.stack_becomes("CREATE_COMPLETE")


def declare(job: Job, blueprint: Blueprint, logical_id: str) -> StackResource:
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


def creation(job: Job, blueprint: Blueprint, logical_id: str) -> Step:
    return Step(
        logical_id,
        blueprint.declared(logical_id).type,
        "CREATE",
        lambda: steps.create(job, blueprint, logical_id),
        shown=steps.shown(job, blueprint, logical_id),
    )


def finish(job: Job, blueprint: Blueprint) -> None:
    """Set the outputs and imports of a stack. Raises ValidationError for bad exports."""
    outputs = blueprint.outputs(job.lookup)
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        lookups.check_new_exports(tx, stack, outputs)
        tx.put(replace(stack, outputs=tuple(outputs), imports=tuple(blueprint.imported)))


def roll_back(job: Job) -> None:
    """The work in ROLLBACK_IN_PROGRESS: delete what was created."""
    job.pause()
    failed = delete_resources(job, list(job.resources.values()), creating=True)
    if failed:
        job.stack_becomes("ROLLBACK_FAILED", failure("delete", failed))
    else:
        job.stack_becomes("ROLLBACK_COMPLETE")
