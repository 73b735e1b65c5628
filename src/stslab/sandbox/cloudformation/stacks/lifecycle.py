"""Creates, updates and deletes stacks, and rolls back what failed.

AWS CloudFormation User Guide, "Stack status codes", "Stack failure options", "AWS CloudFormation
stack updates", "Update behaviors of stack resources", "Validate stack deployments",
"Deleting a stack", "DeletionPolicy attribute" and "UpdateReplacePolicy attribute".
"""

from collections.abc import Container, Iterable, Mapping
from functools import partial

from msgspec.structs import replace

from stslab.sandbox.api.faults import require
from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups, validation
from stslab.sandbox.cloudformation.resources.types import TYPES
from stslab.sandbox.cloudformation.resources.work import BadProperties
from stslab.sandbox.cloudformation.stacks import steps
from stslab.sandbox.cloudformation.stacks.changes import NAMED, changed, is_there, validation_errors
from stslab.sandbox.cloudformation.stacks.job import Errors, Job, stack_becomes
from stslab.sandbox.cloudformation.stacks.steps import GONE, RESTORED, SAYS, Step
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, deletions, waves
from stslab.sandbox.cloudformation.template.template import Properties
from stslab.sandbox.state.stacks import Before, Leftover, StackResource

_UNDONE = frozenset({"UPDATE_FAILED", "UPDATE_IN_PROGRESS"})
_ATTEMPTS = 3
_END = "_COMPLETE"


def delete_stack(job: Job) -> None:
    stack = job.stack
    for why in lookups.exports_in_use(job.state.snapshot, stack, {}):
        job.stack_becomes(stack.settled_status, why)
        return
    job.change_stack(deleted=job.state.snapshot.now())
    job.pause()
    there = [r for r in job.resources.values() if r.status not in GONE]
    failed = _delete_resources(job, there) + _delete_leftovers(job, job.resources)
    if failed:
        job.stack_becomes("DELETE_FAILED", _failure("delete", failed))
        return
    with job.state.transaction() as tx:
        for change_set in lookups.change_sets(tx, job.stack_in(tx)):
            tx.delete(change_set)
    job.stack_becomes("DELETE_COMPLETE", change_sets=())


def _failure(verb: str, names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"The following resource(s) failed to {verb}: [{listed}]. " if listed else ""


def _delete_resources(job: Job, members: list[StackResource]) -> list[str]:
    """Delete resources, dependents first, but none that a failed one needs. Returns the failed."""
    needs = {r.logical_id: frozenset(r.needs) for r in members}
    by_name = {r.logical_id: r for r in members}
    failed: list[str] = []
    needed: set[str] = set()
    for wave in deletions(needs):
        begun: list[Step] = []
        for name in [name for name in wave if name not in needed]:
            if _retained(job, by_name[name]):
                job.resource_becomes(name, "DELETE_SKIPPED")
            elif not by_name[name].initiated:
                job.resource_becomes(name, "DELETE_COMPLETE")
            else:
                begun.append(Step(name, "DELETE", partial(steps.delete, job, by_name[name])))
        failed += steps.run(job, begun, cancels=False)
        for name in [n for n in wave if n in needed or n in failed]:
            needed |= needs[name]
    return failed


def _retained(job: Job, resource: StackResource) -> bool:
    stack, keeping = job.stack, {"Retain", "RetainExceptOnCreate"}
    if "ROLLBACK" in job.began.status:
        keeping = set() if stack.unsparing else {"Retain"}
    return resource.deletion_policy in keeping or resource.logical_id in stack.retained


def _clean_up(job: Job, unwanted: list[StackResource]) -> None:
    """End an update or its rollback: delete replaced and ``unwanted`` resources, or leave them.

    The template that made them has their dependencies.
    """
    needs = {r.logical_id: frozenset(r.needs) for r in job.resources.values()}
    needs |= Blueprint(job.state.snapshot, job.stack, job.stack.previous or job.stack.config).needs
    status = job.began.status.removesuffix("_CLEANUP_IN_PROGRESS")
    reason = ""
    for wave in deletions(needs):
        members = [r for r in unwanted if r.logical_id in wave and r.status not in GONE]
        for _attempt in range(_ATTEMPTS):
            failed = _delete_leftovers(job, wave)
            kept = _delete_resources(job, members)
            members = [resource for resource in members if resource.logical_id in kept]
            if not failed and not kept:
                break
        else:
            reason = SAYS["left behind"] if status == "UPDATE_COMPLETE" else ""
    with job.state.transaction() as tx:
        for resource in unwanted:
            tx.delete(resource)
    job.stack_becomes(status, reason, resources=tuple(job.resources), previous=None, leftovers=())


def _delete_leftovers(job: Job, names: Container[str]) -> list[str]:
    """Delete the leftovers of these resources. Returns the failed."""
    failed: list[str] = []
    for left in [left for left in job.stack.leftovers if left.logical_id in names]:
        shown, why = replace(job.resource(left.logical_id), physical_id=left.physical_id), ""
        if left.retained:
            job.add_event(shown, "DELETE_SKIPPED")
        else:
            job.add_event(shown, "DELETE_IN_PROGRESS")
            act = partial(steps.delete, job, left)
            why = steps.attempt(job, Step(left.logical_id, "DELETE", act))
            job.add_event(shown, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)
        if why:
            failed.append(left.logical_id)
        else:
            job.change_stack(leftovers=tuple(one for one in job.stack.leftovers if one != left))
    return failed


def create_stack(job: Job) -> None:
    failing, then = SAYS["after"].get(job.stack.on_failure, ("CREATE_FAILED", ""))
    _carry_out(job, "CREATE_COMPLETE", failing, f". {then}")


def _carry_out(job: Job, done: str, failing: str, then: str = "") -> None:
    """Validate and deploy: the stack is ``done``, or else ``failing``, ``then`` in its reason."""
    job.pause()
    errors: Errors = ()
    try:
        if job.stack.validated:
            errors = tuple(validation_errors(job.state.snapshot, job.blueprint))
        if not errors:
            _deploy(job)
            job.stack_becomes(done)
    except ApiFault as fault:
        reason = f"{fault.message.removesuffix('. ')}{then}" if then else fault.message
        job.stack_becomes(failing, reason)
    if errors:
        failed = job.began.status.replace("_IN_PROGRESS", "_FAILED")
        why = SAYS["not valid"].format(len(errors))
        with job.state.transaction() as tx:
            stack_becomes(tx, job.undisturbed(tx), failed, why, errors)
            if failing != failed:
                stack_becomes(tx, job.stack_in(tx), failing, SAYS["see failed"])


def _deploy(job: Job) -> None:
    """Make the resources as the blueprint has them, with the outputs. Raises ApiFault."""
    validation.check_attributes(job.blueprint.template)
    job.blueprint.check_values()
    creating = job.began.status == "CREATE_IN_PROGRESS"
    find = _creation if creating else _update
    needs, failed, done = job.blueprint.needs, list[str](), set[str]()
    cancels = job.stack.on_failure in SAYS["after"]  # or else makes what needs nothing that failed
    for wave in waves(needs):
        ready = [name for name in wave if needs[name] <= done]
        found = [step for name in ready if (step := find(job, name))]
        failed += steps.run(job, found, cancels=cancels)
        done |= {*ready} - {*failed}
        if failed and cancels:
            break
    added = [name for name in failed if creating or job.resource(name).fresh]
    others = [name for name in failed if name not in added]
    require(not failed, _failure("create", added) + _failure("update", others))
    outputs = job.blueprint.outputs(job.lookup)
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        lookups.check_new_exports(tx, stack, outputs)
        tx.put(replace(stack, outputs=tuple(outputs), imports=tuple(job.blueprint.imported)))


def _declare(job: Job, logical_id: str) -> StackResource:
    """The stack's resource with this id, which is added if it is new."""
    with job.state.transaction() as tx:
        stack = job.stack_in(tx)
        resource = lookups.resource(tx, stack, logical_id)
        if resource is None:
            resource = StackResource(
                account=stack.account,
                stack_id=stack.stack_id,
                logical_id=logical_id,
                type=job.blueprint.declared(logical_id).type,
                status="CREATE_PENDING",
                changed=tx.now(),
                fresh=job.began.status != "CREATE_IN_PROGRESS",
                **steps.declared_members(job, logical_id),
            )
            tx.put(resource)
            tx.put(replace(stack, resources=(*stack.resources, logical_id)))
    return resource


def _creation(job: Job, logical_id: str) -> Step | None:
    if _declare(job, logical_id).status == "CREATE_COMPLETE":
        return None
    return Step(logical_id, "CREATE", partial(steps.create, job, logical_id))


def roll_back_creation(job: Job) -> None:
    job.change_stack(deleted=job.state.snapshot.now())
    job.pause()
    failed = _delete_resources(job, list(job.resources.values()))
    job.stack_becomes(f"ROLLBACK_{'FAILED' if failed else 'COMPLETE'}", _failure("delete", failed))


# -- updates ---------------------------------------------------------------------------------------


def update_stack(job: Job) -> None:
    _carry_out(job, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")


def _update(job: Job, logical_id: str) -> Step | None:
    resource = _declare(job, logical_id)
    if not is_there(resource) or resource.status == "CREATE_IN_PROGRESS":
        return _creation(job, logical_id)
    try:
        properties, tags = steps.wanted(job, logical_id)
    except (BadProperties, ApiFault):  # which the step raises again
        return Step(logical_id, "UPDATE", partial(steps.wanted, job, logical_id))
    names = changed(resource.properties, properties)
    replaced = resource.before is not None and resource.before.replaced
    half_replaced = replaced and resource.status != "UPDATE_COMPLETE"
    act, reason = partial(_change, job, resource, properties, tags), ""
    if half_replaced or set(names) & TYPES[resource.type].marked("replaces"):
        act, reason = partial(_replace, job, resource, properties), SAYS["replacing"]
    elif not names and tags == resource.tags and resource.status.endswith(_END):
        told = resource.deletion_policy, resource.metadata
        resource = job.change_resource(logical_id, **steps.declared_members(job, logical_id))
        if told != (resource.deletion_policy, resource.metadata):
            job.resource_becomes(logical_id, "UPDATE_COMPLETE")
        return None
    return Step(logical_id, "UPDATE", act, reason)


def _change(
    job: Job, resource: StackResource, properties: Properties, tags: Mapping[str, str]
) -> None:
    name, before = resource.logical_id, _before(resource)
    if not resource.status.endswith(_END):  # an earlier process may have changed it in part
        steps.restore(job, name, before)
    steps.check_policies(job, resource, properties)
    inline = [policy["PolicyName"].lower() for policy in properties.get("Policies") or ()]
    require(len(inline) == len({*inline}), SAYS["inline twice"])
    job.change_resource(name, before=replace(before, tried=properties, tried_tags=tags))
    steps.update(job, name, properties, tags)


def _replace(job: Job, resource: StackResource, properties: Properties) -> None:
    before = _before(resource)
    custom = TYPES[resource.type].name_property if resource.type in NAMED else ""
    name = properties.get(custom)
    if name and name == before.properties.get(custom):  # the name identifies the old one
        raise BadProperties(SAYS["custom name"].format(name))
    if not before.replaced:
        retained = job.blueprint.declared(resource.logical_id).update_replace_policy == "Retain"
        before = replace(before, replaced=True, retained=retained)
        job.change_resource(resource.logical_id, before=before, initiated=False)
    steps.create(job, resource.logical_id)


def _before(resource: StackResource) -> Before:
    """The resource before the update: what an earlier attempt recorded, or its present state."""
    return resource.before or Before(**{name: getattr(resource, name) for name in RESTORED})


def clean_up_update(job: Job) -> None:
    """Delete what the update replaced or removed."""
    job.pause()
    with job.state.transaction() as tx:
        leftovers = list(job.stack_in(tx).leftovers)
        for resource in job.resources.values():
            before = resource.before
            if before and before.replaced and not _same(before, resource):
                leftovers.append(_leftover(resource, before))
            tx.put(replace(resource, before=None, fresh=False))
        tx.put(replace(job.stack_in(tx), leftovers=tuple(leftovers)))
    _clean_up(job, [r for name, r in job.resources.items() if name not in job.blueprint.active])


def _same(before: Before, resource: StackResource) -> bool:
    """Whether a replacement is the same thing: the ids of IAM's policies may differ in case."""
    return before.physical_id.lower() == resource.physical_id.lower()


def _leftover(resource: StackResource, physical: Before | StackResource) -> Leftover:
    """The old or the new physical resource of a replacement, for the cleanup."""
    return Leftover(
        logical_id=resource.logical_id,
        type=resource.type,
        physical_id=physical.physical_id,
        properties=physical.properties,
        retained=resource.before is not None and resource.before.retained,
    )


def roll_back_update(job: Job) -> None:
    """Restore each resource that the update touched."""
    job.pause()
    for wave in waves(job.blueprint.needs):
        current = job.resources
        known = [name for name in wave if name in current]
        touched = [n for n in known if current[n].before or current[n].status in _UNDONE]
        restoring = [Step(n, "UPDATE", partial(_restore, job, n)) for n in touched]
        failed = steps.run(job, restoring, cancels=True)
        if failed:
            job.stack_becomes("UPDATE_ROLLBACK_FAILED", _failure("update", failed))
            return
        for name in known:
            job.change_resource(name, **steps.declared_members(job, name))
    config, previous = job.blueprint.config, job.stack.config
    status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    job.stack_becomes(status, config=config, previous=previous)


def _restore(job: Job, logical_id: str) -> None:
    """Restore what the update changed; of a replacement, leave the new one to the cleanup."""
    before = job.resource(logical_id).before
    if before is None:
        return
    if before.replaced:
        with job.state.transaction() as tx:
            resource, stack = job.resource(logical_id), job.stack_in(tx)
            if resource.initiated and _same(before, resource):
                before = replace(before, tried=resource.properties, tried_tags=resource.tags)
            elif resource.initiated:
                tx.put(replace(stack, leftovers=(*stack.leftovers, _leftover(resource, resource))))
            before = replace(before, replaced=False)
            old = {name: getattr(before, name) for name in RESTORED}
            tx.put(replace(resource, initiated=True, before=before, **old))
    steps.restore(job, logical_id, before)
    job.change_resource(logical_id, before=None)


def clean_up_rollback(job: Job) -> None:
    """Delete what the update added."""
    job.pause()
    _clean_up(job, [resource for resource in job.resources.values() if resource.fresh])
