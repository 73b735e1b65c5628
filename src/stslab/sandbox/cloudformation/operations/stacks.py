"""The operations that create, update and delete stacks, and helpers for all operations.

AWS CloudFormation API Reference, "CreateStack", "UpdateStack", "DeleteStack", ….
"""

import base64
import re
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api.faults import already_exists, invalid, require
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, tags_in
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.stacks.changes import compare
from stslab.sandbox.cloudformation.stacks.job import USER_INITIATED, forget_deleted, stack_becomes
from stslab.sandbox.cloudformation.stacks.steps import CANCELLED
from stslab.sandbox.cloudformation.template import parameters, validation
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.template import Template, parse
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.stacks import FORCED, Config, Stack

PAGE = 100
UNSUPPORTED = (
    "DeploymentMode ImportExistingResources NotificationARNs ResourcesToImport ResourceTypes "
    "StackPolicyBody StackPolicyDuringUpdateBody StackPolicyDuringUpdateURL StackPolicyURL "
    "TimeoutInMinutes".split()
)
NAME_PATTERN = "[a-zA-Z][-a-zA-Z0-9]*"
NAME_OR_ARN = f"{NAME_PATTERN}|arn:[-a-zA-Z0-9:/._+]*"
NAME_LIMIT = 128
Item = TypeVar("Item")


def check_new_name(name: str) -> None:
    _check_name(name, NAME_PATTERN)
    short = len(name) <= NAME_LIMIT
    _require(short, name, f"have length less than or equal to {NAME_LIMIT}")


def _check_name(name: str, pattern: str) -> None:
    matches = re.fullmatch(pattern, name)
    _require(matches, name, f"satisfy regular expression pattern: {pattern}")


def _require(holds: object, name: str, constraint: str) -> None:
    where = f"Value '{name}' at 'stackName' failed to satisfy constraint"
    require(holds, f"1 validation error detected: {where}: Member must {constraint}")


def new_arn(request: ApiRequest, kind: str, name: str) -> str:
    place = f"{request.region}:{request.account}"
    return f"arn:aws:cloudformation:{place}:{kind}/{name}/{uuid.uuid4()}"


def find(view: View, request: ApiRequest, name: str) -> Stack | None:
    """The stack with this name or id, or None. Deleted stacks are found by id only."""
    _check_name(name, NAME_OR_ARN)
    return lookups.find(view, request.account, request.region, name)


def named_stack(
    view: View, request: ApiRequest, missing: str = "Stack with id {} does not exist"
) -> Stack:
    """The stack that the request names. Raises ValidationError with the message ``missing``."""
    name = request.params["StackName"]
    stack = find(view, request, name)
    if stack is None:
        raise invalid(missing.format(name))
    return stack


existing = partial(named_stack, missing="Stack [{}] does not exist")
"""The same, with the message of the operations that change a stack."""


def checked_template(text: str | None) -> Template:
    require(text, "Either Template URL or Template Body must be specified.")
    template = parse(str(text))
    validation.check(template)
    return template


def config(request: ApiRequest, stack: Stack | None = None) -> Config:
    """The configuration in a request, or in an update of ``stack``, except its capabilities."""
    params, old = request.params, stack.config if stack else None
    for name in UNSUPPORTED:  # instead of ignoring them silently
        require(not params.get(name), f"{name} is not supported by the embedded account")
    deployment = {"Mode": "STANDARD", **(params.get("DeploymentConfig") or {})}
    usual = deployment["Mode"] == "STANDARD" and not deployment.get("DisableRollback")
    require(usual, "This DeploymentConfig is not supported by the embedded account")
    triggers = (params.get("RollbackConfiguration") or {}).get("RollbackTriggers")
    require(not triggers, "Rollback triggers are not supported by the embedded account")
    previous = old is not None and params.get("UsePreviousTemplate")
    text = old.template if old and previous else params.get("TemplateBody", "")
    template = checked_template(text)
    tags = tags_in(params.get("Tags"))
    unique = len(tags) == len(params.get("Tags") or ())
    require(unique, "Tags contain duplicate keys; tag keys must be unique")
    reserved = any(key.lower().startswith("aws:") for key in tags)
    require(not reserved, "aws: prefixed tag key names are not allowed for external use.")
    given = params.get("Parameters") or ()
    return Config(
        template=text,
        parameters=parameters.resolve(template.parameters, given, old.parameters if old else None),
        tags=old.tags if old and "Tags" not in params else tags,
        capabilities=tuple(params.get("Capabilities") or ()),
    )


def blueprint(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """The blueprint of a stack with a configuration, with its references checked.

    Missing exports are UNKNOWN, since they may exist by the time that the work starts.
    """
    result = Blueprint(view, stack, wanted, missing=UNKNOWN)
    result.check_references()
    return result


def page(
    request: ApiRequest, member: str, items: Sequence[Item], shown: Callable[[Item], object]
) -> Answer:
    try:
        start = max(0, int(base64.urlsafe_b64decode(request.params.get("NextToken") or "MA==")))
    except ValueError:
        raise invalid("Invalid NextToken") from None
    end = start + PAGE
    following = base64.urlsafe_b64encode(str(end).encode()).decode()
    listed = {member: [shown(item) for item in items[start:end]]}
    return listed | ({"NextToken": following} if end < len(items) else {})


def without_empty(members: Answer) -> dict[str, object]:
    return {name: value for name, value in members.items() if value not in (None, "")}


UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
LEFT = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})
"""The statuses of a stack that was left as it is after a failure (DisableRollback)."""
DELETABLE = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
"""The statuses with ``_IN_PROGRESS`` in which a stack may be deleted."""


def is_retry(request: ApiRequest, token: str) -> bool:
    """Whether this is the request again that had the token."""
    params = request.params
    return token != "" and token in (params.get("ClientRequestToken"), params.get("ClientToken"))


def create_stack(tx: Transaction, request: ApiRequest) -> Answer:
    """Start to create a stack, which may be in review so far."""
    params, name = request.params, request.params["StackName"]
    check_new_name(name)
    old = find(tx, request, name)
    if old is not None and old.status != "REVIEW_IN_PROGRESS":
        if not is_retry(request, old.token):
            raise already_exists(f"Stack [{name}] already exists")
        return _again(old, config(request))
    both = params.get("OnFailure") and params.get("DisableRollback") is not None
    require(not both, "You can specify either DisableRollback or OnFailure, but not both.")
    wanted = config(request)
    stack = old or new_stack(request, wanted)
    check(tx, stack, wanted)
    protected = bool(params.get("EnableTerminationProtection"))
    stack = replace(stack, config=wanted, protected=protected)
    return begin(tx, request, stack, "CREATE_IN_PROGRESS", params.get("OnFailure", ""))


def _again(stack: Stack, wanted: Config) -> Answer:
    """The answer to a request with the token of the last one, whose configuration it must have."""
    if wanted != stack.config:
        message = f"The client request token {stack.token} has already been used for this stack. "
        message += "Retry the request with a different client request token"
        raise ApiFault("TokenAlreadyExistsException", message)
    return {"StackId": stack.stack_id}


def update_stack(tx: Transaction, request: ApiRequest) -> Answer:
    """Start an update, unless it would change nothing."""
    stack = existing(tx, request)
    if is_retry(request, stack.token):
        return _again(stack, config(request, stack))
    check_updatable(stack, kept=request.params.get("DisableRollback"))
    wanted = config(request, stack)
    changed = check(tx, stack, wanted)
    if stack.status not in LEFT and wanted.tags == stack.config.tags:
        _, any_change = compare(tx, changed, blueprint(tx, stack, stack.config))
        require(any_change, "No updates are to be performed.")
    return begin_update(tx, request, stack, wanted)


def rollback_stack(tx: Transaction, request: ApiRequest) -> Answer:
    """Roll back a stack that was left as it is. One that was never complete is deleted."""
    stack = existing(tx, request)
    refusal = f"Stack:{stack.stack_id} is in {stack.status} state and can not be rolled back."
    require(stack.status in LEFT, refusal)
    status = "UPDATE_ROLLBACK_IN_PROGRESS" if stack.previous else "DELETE_IN_PROGRESS"
    return begin(tx, request, stack, status)


def continue_update_rollback(tx: Transaction, request: ApiRequest) -> None:
    """Go on with the rollback of an update, without the resources that are to be skipped."""
    stack, params = existing(tx, request), request.params
    status, skipped = stack.status, params.get("ResourcesToSkip") or ()
    refusal = f"Stack:{stack.stack_id} is in {status} state and can not continue rollback."
    require(status == "UPDATE_ROLLBACK_FAILED", refusal)
    one = "You can specify either ForceRollback or ResourcesToSkip, but not both."
    require(not (skipped and params.get("ForceRollback")), one)
    failed = {
        name: resource
        for name, resource in lookups.resources(tx, stack).items()
        if resource.status == "UPDATE_FAILED" and resource.reason not in CANCELLED.values()
    }
    for name in failed if params.get("ForceRollback") else skipped:
        require(name in failed, f"Resource [{name}] did not fail to be rolled back")
        tx.put(replace(failed[name], status="UPDATE_COMPLETE", reason="", before=None))
    begin(tx, request, stack, "UPDATE_ROLLBACK_IN_PROGRESS")


def delete_stack(tx: Transaction, request: ApiRequest) -> None:
    """Start a deletion. Also succeeds if the stack does not exist."""
    params = request.params
    stack = find(tx, request, params["StackName"])
    if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
        return
    _check_deletable(tx, stack, params)
    stack = replace(
        stack,
        settled_status=stack.status,
        retained=tuple(params.get("RetainResources") or ()),
        deletion_mode=params.get("DeletionMode") or "",
    )
    begin(tx, request, stack, "DELETE_IN_PROGRESS")
    forget_deleted(tx, request.account, request.region)


def begin(
    tx: Transaction, request: ApiRequest, stack: Stack, status: str, on_failure: str = ""
) -> Answer:
    """Put the stack with a status that makes the engine work, in the name of the caller.

    Its change sets are obsolete then.
    """
    kept = request.params.get("DisableRollback")
    for change_set in lookups.change_sets(tx, stack):
        if change_set.execution_status == "AVAILABLE":
            tx.put(replace(change_set, execution_status="OBSOLETE"))
    stack = replace(
        stack,
        token=request.params.get("ClientRequestToken", ""),
        caller_key=request.caller.access_key_id,
        role_arn=request.params.get("RoleARN") or stack.role_arn,
        unsparing=bool(request.params.get("RetainExceptOnCreate")),
        on_failure="LEAVE" if kept else on_failure or "ROLLBACK",
    )
    stack = stack_becomes(tx, stack, status, USER_INITIATED)
    return {"StackId": stack.stack_id, **stack.operations[0]}


def begin_update(
    tx: Transaction, request: ApiRequest, stack: Stack, wanted: Config, on_failure: str = ""
) -> Answer:
    previous = stack.previous if stack.status in LEFT else stack.config
    wanted = replace(wanted, capabilities=wanted.capabilities or stack.config.capabilities)
    stack = replace(stack, previous=previous, config=wanted, updated=request.now)
    return begin(tx, request, stack, "UPDATE_IN_PROGRESS", on_failure)


def check(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """The blueprint of a stack with a configuration. Raises errors that need no work to find."""
    result = blueprint(view, stack, wanted)
    validation.check_capabilities(result.template, wanted.capabilities)
    resources = lookups.resources(view, stack)
    if not resources:
        result.check_values()
    kept = (name for name in result.active if name in resources)
    modified = [name for name in kept if result.declared(name).type != resources[name].type]
    refusal = "Update of resource type is not permitted. The new template modifies resource type"
    require(not modified, f"{refusal} of the following resources: [{', '.join(modified)}]")
    return result


def update_termination_protection(tx: Transaction, request: ApiRequest) -> Answer:
    stack = existing(tx, request)
    tx.put(replace(stack, protected=bool(request.params["EnableTerminationProtection"])))
    return {"StackId": stack.stack_id}


def new_stack(request: ApiRequest, wanted: Config) -> Stack:
    name = request.params["StackName"]
    return Stack(
        account=request.account,
        stack_id=new_arn(request, "stack", name),
        name=name,
        region=request.region,
        created=request.now,
        config=wanted,
        status="REVIEW_IN_PROGRESS",
    )


def check_updatable(stack: Stack, *, kept: object) -> None:
    """Refuse an update in this status; of a stack that was left as it is, unless ``kept``."""
    status, left = stack.status, stack.status in LEFT
    refusal = f"Stack:{stack.stack_id} is in {status} state and can not be updated."
    require(left or status in UPDATABLE, refusal)
    require(
        not left or stack.on_failure != "DO_NOTHING",
        f"This stack cannot be updated from [{status}] state because it contains [on-failure: "
        "DO_NOTHING]. Please use disable-rollback option instead during stack creation.",
    )
    require(
        not left or kept,
        f"This stack is currently in a non-terminal [{status}] state. To update the stack from "
        "this state, please use the disable-rollback parameter with update-stack API. To rollback "
        "to the last known good state, use the rollback-stack API",
    )


def _check_deletable(view: View, stack: Stack, params: Answer) -> None:
    name, status = stack.name, stack.status
    protected = f"Stack [{name}] cannot be deleted while TerminationProtection is enabled"
    require(not stack.protected, protected)
    busy = status.endswith("_IN_PROGRESS") and status not in DELETABLE
    require(not busy, f"Stack [{name}] cannot be deleted while in status {status}")
    retained, failed = params.get("RetainResources") or (), status == "DELETE_FAILED"
    only = "only when the stack is in the DELETE_FAILED state."
    activate = f"You can activate DeletionMode {FORCED} in a delete stack operation {only}"
    specify = f"When you delete a stack, specify which resources to retain {only}"
    for asked, how in ((params.get("DeletionMode") == FORCED, activate), (retained, specify)):
        require(failed or not asked, f"Invalid operation on stack [{stack.stack_id}]. {how}")
    resources = lookups.resources(view, stack)
    for resource in retained:
        require(resource in resources, f"Resource [{resource}] does not exist for stack {name}")
        there = resources[resource].status != "DELETE_COMPLETE"
        only = "Do not specify resources that are in the DELETE_COMPLETE state."
        require(there, f"The specified resources to retain must be in a valid state. {only}")
