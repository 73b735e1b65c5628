"""Creates stacks, and rolls back a creation that failed.

AWS CloudFormation User Guide, "Stack failure options" and "Stack status codes".
"""

from msgspec.structs import replace

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.work import Properties
from stslab.sandbox.cloudformation.stacks import steps
from stslab.sandbox.cloudformation.stacks.deletion import delete_resources, failure
from stslab.sandbox.cloudformation.stacks.job import Job
from stslab.sandbox.cloudformation.stacks.steps import Step
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.state.stacks import StackResource

AFTER = {
    "ROLLBACK": ("ROLLBACK_IN_PROGRESS", "Rollback requested by user."),
    "DELETE": ("DELETE_IN_PROGRESS", "Delete requested by user."),
    "DO_NOTHING": ("CREATE_FAILED", ""),
}


def create_stack(job: Job) -> None:
    job.pause()
    try:
        blueprint = job.blueprint()
        for wave in blueprint.graph.waves():
            failed = _create_wave(job, blueprint, wave)
            if failed:
                _fail(job, failure("create", failed))
                return
        finish(job, blueprint)
    except ApiFault as fault:
        _fail(job, f"{fault.message.rstrip('.')}. ")
        return
    job.stack_becomes("CREATE_COMPLETE")


def _create_wave(job: Job, blueprint: Blueprint, wave: list[str]) -> list[str]:
    pending = [name for name in wave if declare(job, blueprint, name).status != "CREATE_COMPLETE"]
    deadline = job.stack.deadline
    if pending and deadline is not None and job.state.now() > deadline:
        for name in pending:
            job.resource_becomes(name, "CREATE_FAILED", "Resource creation cancelled")
        return pending
    return steps.take(job, [creating(job, blueprint, name) for name in pending])


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
