"""Creates and deletes stacks, and rolls back a creation that failed.

AWS CloudFormation User Guide, "Stack failure options", "Stack status codes", "Deleting a stack" and
"DeletionPolicy attribute".
"""

from collections.abc import Container, Iterable

from msgspec.structs import replace

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.work import Properties
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
    """The reason of a stack whose resources failed, as CloudFormation words it."""
    return f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "


def delete_resources(
    job: Job, members: list[StackResource], *, creating: bool = False
) -> list[str]:
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
        failed += _delete_wave(job, going, creating=creating)
        for name in [n for n in wave if n in needed or n in failed]:
            needed |= needs[name]
    return failed


def _delete_wave(job: Job, going: list[StackResource], *, creating: bool) -> list[str]:
    """Delete the resources of one wave, or skip those that are to be retained."""
    due: list[Step] = []
    for resource in going:
        if _retained(job, resource, creating=creating):
            job.resource_becomes(resource.logical_id, "DELETE_SKIPPED")
        elif not resource.initiated:
            job.resource_becomes(resource.logical_id, "DELETE_COMPLETE")
        else:
            due.append(_deleting(job, resource))
    return steps.take(job, due)


def _retained(job: Job, resource: StackResource, *, creating: bool) -> bool:
    stack, policy = job.stack, resource.deletion_policy
    spared = not creating or (policy == "Retain" and not stack.unsparing)
    kept = spared and policy in {"Retain", "RetainExceptOnCreate"}
    return (kept and resource.initiated) or resource.logical_id in stack.retained


def _deleting(job: Job, resource: StackResource | Leftover) -> Step:
    name, kind = resource.logical_id, resource.type
    return Step(name, kind, "DELETE", lambda: steps.delete(job, resource))


def clean_up(job: Job, unwanted: list[StackResource], *, creating: bool = False) -> None:
    """Delete what an update or its rollback replaced, and what is no longer wanted.

    What others depend on goes after them.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in job.resources.values()}
    for wave in reversed(Graph(needs).waves()):
        _delete_leftovers(job, wave)
        delete_resources(job, [r for r in unwanted if r.logical_id in wave], creating=creating)


def _delete_leftovers(job: Job, names: Container[str]) -> list[str]:
    """Delete what updates replaced of these resources; returns which could not be deleted."""
    left = [one for one in job.stack.leftovers if one.logical_id in names]
    return [one.logical_id for one in left if not _delete_leftover(job, one)]


def _delete_leftover(job: Job, left: Leftover) -> bool:
    shown = replace(job.resource(left.logical_id), physical_id=left.physical_id)
    if left.retained:
        job.note(shown, "DELETE_SKIPPED")
    else:
        job.note(shown, "DELETE_IN_PROGRESS")
        why = steps.attempt(job, _deleting(job, left))
        job.note(shown, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)
        if why:
            return False
    job.keep_in_stack(leftovers=tuple(one for one in job.stack.leftovers if one != left))
    return True


AFTER = {
    "ROLLBACK": ("ROLLBACK_IN_PROGRESS", "Rollback requested by user."),
    "DELETE": ("DELETE_IN_PROGRESS", "Delete requested by user."),
    "DO_NOTHING": ("CREATE_FAILED", ""),
}


def create_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = job.blueprint()
        blueprint.check_values()
        for wave in blueprint.graph.waves():
            declared = [declare(job, blueprint, name) for name in wave]
            pending = [one.logical_id for one in declared if one.status != "CREATE_COMPLETE"]
            failed = steps.take(job, [creating(job, blueprint, name) for name in pending])
            if failed:
                _fail(job, failure("create", failed))
                return
        finish(job, blueprint)
    except ApiFault as fault:
        _fail(job, f"{fault.message.rstrip('.')}. ")
        return
    job.stack_becomes("CREATE_COMPLETE")


def declare(job: Job, blueprint: Blueprint, logical_id: str) -> StackResource:
    """The stack's resource of this id, put where it has none."""
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        found = lookups.resource(tx, stack, logical_id)
        if found is None:
            found = StackResource(
                account=job.account,
                stack_id=job.stack_id,
                logical_id=logical_id,
                type=blueprint.declared(logical_id).type,
                status="CREATE_PENDING",
                changed=tx.now(),
                **steps.declared_members(blueprint, logical_id),
            )
            tx.put(found)
            tx.put(replace(stack, resources=(*stack.resources, logical_id)))
    return found


def creating(job: Job, blueprint: Blueprint, logical_id: str) -> Step:
    return Step(
        logical_id,
        blueprint.declared(logical_id).type,
        "CREATE",
        lambda: steps.create(job, blueprint, logical_id),
        shown=_shown(job, blueprint, logical_id),
    )


def _shown(job: Job, blueprint: Blueprint, logical_id: str) -> Properties:
    """The properties for the events, as far as they can be resolved."""
    try:
        return blueprint.properties(logical_id, job.lookup, masked=True)
    except ApiFault:
        return {}  # the step itself will say so


def finish(job: Job, blueprint: Blueprint) -> None:
    outputs = blueprint.outputs(job.lookup)
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        lookups.check_new_exports(tx, stack, outputs)
        tx.put(replace(stack, outputs=tuple(outputs), imports=tuple(blueprint.imported)))


def _fail(job: Job, sentence: str) -> None:
    status, then = AFTER[job.stack.on_failure]
    job.stack_becomes(status, f"{sentence}{then}")


def roll_back(job: Job) -> None:
    """Go on from ROLLBACK_IN_PROGRESS: delete what was made."""
    job.pause()
    failed = delete_resources(job, list(job.resources.values()), creating=True)
    if failed:
        job.stack_becomes("ROLLBACK_FAILED", failure("delete", failed))
    else:
        job.stack_becomes("ROLLBACK_COMPLETE")
