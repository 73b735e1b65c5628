"""The operations that make, change and delete stacks, and what all operations have in common.

AWS CloudFormation API Reference, "CreateStack", "UpdateStack", "DeleteStack", ….
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api.faults import already_exists, invalid, require
from stslab.sandbox.api.model import Answer, ApiRequest, Writes
from stslab.sandbox.cloudformation import lookups, names
from stslab.sandbox.cloudformation.stacks.changes import compare
from stslab.sandbox.cloudformation.stacks.job import (
    USER_INITIATED,
    forget_long_deleted,
    stack_becomes,
)
from stslab.sandbox.cloudformation.template import parameters, validation
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.template import Template, parse
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.stacks import Config, Stack

PAGE = 100
UNSUPPORTED = (
    "NotificationARNs", "ResourcesToImport", "ResourceTypes", "StackPolicyBody",
    "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "StackPolicyURL",
    "TimeoutInMinutes",
)  # fmt: skip
Item = TypeVar("Item")


def find(view: View, request: ApiRequest, name: str) -> Stack | None:
    """The stack of this name or id, deleted ones by id only."""
    names.check_reference(name)
    return lookups.find(view, request.account, request.region, name)


def described(
    view: View, request: ApiRequest, missing: str = "Stack with id {} does not exist"
) -> Stack:
    name = request.params["StackName"]
    found = find(view, request, name)
    if found is None:
        raise invalid(missing.format(name))
    return found


existing = partial(described, missing="Stack [{}] does not exist")
"""The same, in the words of the operations that change a stack."""


def checked_template(text: str | None) -> Template:
    require(text, "Either Template URL or Template Body must be specified.")
    template = parse(str(text))
    validation.check(template)
    return template


def config(request: ApiRequest, stack: Stack | None = None) -> Config:
    """What the request wants a stack to be, checked but for its capabilities."""
    params, old = request.params, stack.config if stack else None
    for name in UNSUPPORTED:  # what the sandbox would otherwise have to ignore silently
        require(not params.get(name), f"{name} is not supported by the sandbox")
    triggers = (params.get("RollbackConfiguration") or {}).get("RollbackTriggers")
    require(not triggers, "Rollback triggers are not supported by the sandbox")
    previous = old is not None and params.get("UsePreviousTemplate")
    text = old.template if old and previous else params.get("TemplateBody", "")
    template = checked_template(text)
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    reserved = any(key.lower().startswith("aws:") for key in tags)
    require(not reserved, "aws: prefixed tag key names are not allowed for external use.")
    given = params.get("Parameters") or ()
    return Config(
        template=text,
        parameters=parameters.settle(template.parameters, given, old.parameters if old else None),
        tags=old.tags if old and "Tags" not in params else tags,
        capabilities=tuple(params.get("Capabilities") or ()),
    )


def blueprint(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """What a configuration makes of a stack, with its references checked.

    An export that is not there yet is not known: the stack's work may find it, or fails.
    """
    made = Blueprint(stack, wanted, lookups.importer(view, stack, missing=UNKNOWN))
    made.check_references()
    return made


def page(
    request: ApiRequest, member: str, items: Sequence[Item], shown: Callable[[Item], object]
) -> Answer:
    """The page of a list that the request asks for, as ``member``, with the next one's token."""
    try:
        start = max(0, int(base64.urlsafe_b64decode(request.params.get("NextToken") or "MA==")))
    except ValueError:
        raise invalid("Invalid NextToken") from None
    end = start + PAGE
    following = base64.urlsafe_b64encode(str(end).encode()).decode()
    listed = {member: [shown(item) for item in items[start:end]]}
    return listed | ({"NextToken": following} if end < len(items) else {})


def filled(members: Answer) -> dict[str, object]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
)
DELETABLE = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
"""The statuses of work under way, or to come, in which a stack may be deleted."""


def _create(tx: Transaction, request: ApiRequest) -> Answer:
    """Accept a new stack, or one that only a change set has made so far."""
    params, name = request.params, request.params["StackName"]
    names.check_new_name(name)
    found = find(tx, request, name)
    token = params.get("ClientRequestToken", "")
    if found is not None and found.status != "REVIEW_IN_PROGRESS":
        if token and token == found.token:
            return {"StackId": found.stack_id}
        raise already_exists(f"Stack [{name}] already exists")
    both = params.get("OnFailure") and params.get("DisableRollback") is not None
    require(not both, "You can specify either DisableRollback or OnFailure, but not both.")
    wanted = config(request)
    stack = found or new_stack(request, wanted)
    check(tx, stack, wanted)
    kept = bool(params.get("DisableRollback"))
    stack = replace(
        stack,
        config=wanted,
        protected=bool(params.get("EnableTerminationProtection")),
        on_failure="DO_NOTHING" if kept else params.get("OnFailure") or "ROLLBACK",
    )
    begin(tx, request, stack, "CREATE_IN_PROGRESS")
    return {"StackId": stack.stack_id}


def _update(tx: Transaction, request: ApiRequest) -> Answer:
    """Accept an update, if it changes anything."""
    stack = existing(tx, request)
    check_updatable(stack)
    token = request.params.get("ClientRequestToken", "")
    if token and token == stack.token:
        return {"StackId": stack.stack_id}
    wanted = config(request, stack)
    changed = check(tx, stack, wanted)
    check_types(tx, stack, changed)
    if stack.status != "CREATE_FAILED" and wanted.tags == stack.config.tags:
        current = blueprint(tx, stack, stack.config)
        if compare(stack, lookups.resources(tx, stack), changed, current).empty:
            raise invalid("No updates are to be performed.")
    for open_one in lookups.change_sets(tx, stack):
        if open_one.execution_status == "AVAILABLE":
            tx.put(replace(open_one, execution_status="OBSOLETE"))
    begin_update(tx, request, stack, wanted)
    return {"StackId": stack.stack_id}


def _delete(tx: Transaction, request: ApiRequest) -> Answer:
    """Accept a deletion; one of a stack that there is not succeeds."""
    params = request.params
    stack = find(tx, request, params["StackName"])
    if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
        return {}
    _check_deletable(stack, params)
    stack = replace(
        stack, settled_status=stack.status, retained=tuple(params.get("RetainResources") or ())
    )
    begin(tx, request, stack, "DELETE_IN_PROGRESS")
    forget_long_deleted(tx, request.account, request.region)
    return {}


def begin(tx: Transaction, request: ApiRequest, stack: Stack, status: str) -> None:
    """Put the stack with a status that there is work to do in, in the caller's name."""
    stack = replace(
        stack,
        token=request.params.get("ClientRequestToken", ""),
        caller_key=request.caller.access_key_id,
        role_arn=request.params.get("RoleARN") or stack.role_arn,
        unsparing=bool(request.params.get("RetainExceptOnCreate")),
    )
    stack_becomes(tx, stack, status, USER_INITIATED)


def begin_update(tx: Transaction, request: ApiRequest, stack: Stack, wanted: Config) -> None:
    refusal = "An update without rollback (DisableRollback) is not supported by the sandbox"
    require(not request.params.get("DisableRollback"), refusal)
    stack = replace(stack, previous=stack.config, config=wanted, updated=request.now)
    begin(tx, request, stack, "UPDATE_IN_PROGRESS")


def check(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """Refuse what CloudFormation refuses before it begins."""
    found = blueprint(view, stack, wanted)
    validation.check_capabilities(found.template, wanted.capabilities)
    if not stack.resources:
        found.check_values()
    return found


def _protect(tx: Transaction, request: ApiRequest) -> Answer:
    stack = existing(tx, request)
    tx.put(replace(stack, protected=bool(request.params["EnableTerminationProtection"])))
    return {"StackId": stack.stack_id}


def new_stack(request: ApiRequest, wanted: Config) -> Stack:
    name = request.params["StackName"]
    return Stack(
        account=request.account,
        stack_id=names.new_arn(request.account, request.region, "stack", name),
        name=name,
        region=request.region,
        created=request.now,
        config=wanted,
        status="REVIEW_IN_PROGRESS",
    )


def check_updatable(stack: Stack) -> None:
    refusal = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
    require(stack.status in UPDATABLE, refusal)


def check_types(view: View, stack: Stack, wanted: Blueprint) -> None:
    """Refuse to make one thing of another under the same logical id."""
    modified = [
        name
        for name, resource in lookups.resources(view, stack).items()
        if name in wanted.active and wanted.declared(name).type != resource.type
    ]
    require(
        not modified,
        "Update of resource type is not permitted. The new template modifies resource type of the "
        f"following resources: [{', '.join(modified)}]",
    )


def _check_deletable(stack: Stack, params: Answer) -> None:
    name, status = stack.name, stack.status
    protected = f"Stack [{name}] cannot be deleted while TerminationProtection is enabled"
    require(not stack.protected, protected)
    busy = status.endswith("_IN_PROGRESS") and status not in DELETABLE
    require(not busy, f"Stack [{name}] cannot be deleted while in status {status}")
    forced = params.get("DeletionMode") == "FORCE_DELETE_STACK"
    require(not forced, "Forced deletion is not supported by the sandbox")
    retained = params.get("RetainResources") or ()
    require(
        status == "DELETE_FAILED" or not retained,
        f"Invalid operation on stack [{stack.stack_id}]. When you delete a stack, specify which "
        "resources to retain only when the stack is in the DELETE_FAILED state.",
    )
    for one in retained:
        known = one in stack.resources
        require(known, f"Resource [{one}] does not exist for stack {name}")


WRITES: Writes = {
    "CreateStack": _create,
    "UpdateStack": _update,
    "DeleteStack": _delete,
    "UpdateTerminationProtection": _protect,
}
