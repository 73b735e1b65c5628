"""Creates stacks, and takes back a creation that failed.

AWS CloudFormation User Guide, "Stack failure options" and "Stack status codes".
"""

from __future__ import annotations

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.stacks import exports, steps
from stslab.sandbox.cloudformation.stacks.deletion import demolish, failure
from stslab.sandbox.cloudformation.stacks.site import Site
from stslab.sandbox.cloudformation.stacks.state import Resource
from stslab.sandbox.cloudformation.stacks.steps import Step
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, lookup_in

BY_USER = "Rollback requested by user."
AFTER = {
    "ROLLBACK": ("ROLLBACK_IN_PROGRESS", BY_USER),
    "DELETE": ("DELETE_IN_PROGRESS", "Delete requested by user."),
    "DO_NOTHING": ("CREATE_FAILED", ""),
}


def create_stack(site: Site) -> None:
    """Go on from CREATE_IN_PROGRESS."""
    site.pause()
    try:
        plan = site.blueprint()
        for wave in plan.graph.waves():
            failed = _create_wave(site, plan, wave)
            if failed:
                _fail(site, failure("create", failed))
                return
        finish(site, plan)
    except ApiFault as fault:
        _fail(site, f"{fault.message.rstrip('.')}. ")
        return
    site.stack_becomes("CREATE_COMPLETE")


def _create_wave(site: Site, plan: Blueprint, wave: list[str]) -> list[str]:
    pending = [resource_of(site, plan, name) for name in wave]
    pending = [resource for resource in pending if resource.status != "CREATE_COMPLETE"]
    stack = site.stack
    if pending and stack.deadline is not None and site.now() > stack.deadline:
        for resource in pending:
            site.resource_becomes(resource, "CREATE_FAILED", "Resource creation cancelled")
        return [resource.logical_id for resource in pending]
    return steps.take(site, [creating(site, plan, resource) for resource in pending])


def resource_of(site: Site, plan: Blueprint, logical_id: str) -> Resource:
    """The stack's resource of this id, made if it has none."""
    stack = site.stack
    if logical_id not in stack.resources:
        declared = plan.declared(logical_id)
        with site.changing(stack):
            stack.resources[logical_id] = Resource(
                logical_id,
                declared.type,
                "CREATE_PENDING",
                site.now(),
                deletion_policy=declared.deletion_policy,
                needs=sorted(plan.graph.needs[logical_id]),
            )
    return stack.resources[logical_id]


def creating(site: Site, plan: Blueprint, resource: Resource, reason: str = "") -> Step:
    """The step that makes a resource."""
    return Step(
        resource,
        "CREATE",
        lambda: steps.create(site, plan, resource),
        reason,
        _shown(site, plan, resource),
    )


def _shown(site: Site, plan: Blueprint, resource: Resource) -> dict[str, object]:
    """The properties for the events, as far as they can be resolved."""
    try:
        return plan.properties(resource.logical_id, lookup_in(site.stack), masked=True)
    except ApiFault:
        return {}  # the step itself will say so


def finish(site: Site, plan: Blueprint) -> None:
    """Give the stack its outputs and exports.

    Raises:
        ApiFault: an output can't be resolved, or an export is another stack's.
    """
    outputs = plan.outputs(lookup_in(site.stack))
    with site.changing(site.stack):
        exports.check_new(site.stacks, site.stack, outputs)
        site.stack.outputs = outputs
        site.stack.imports = plan.imported


def _fail(site: Site, sentence: str) -> None:
    status, then = AFTER[site.stack.on_failure]
    site.stack_becomes(status, f"{sentence}{then}")


def roll_back(site: Site) -> None:
    """Go on from ROLLBACK_IN_PROGRESS: delete what was made."""
    site.pause()
    failed = demolish(site, list(site.stack.resources.values()), creating=True)
    if failed:
        site.stack_becomes("ROLLBACK_FAILED", failure("delete", failed))
    else:
        site.stack_becomes("ROLLBACK_COMPLETE")
