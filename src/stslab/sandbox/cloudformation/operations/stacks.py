"""The operations that create, update and delete stacks, and helpers for all operations."""

import uuid
from functools import partial

from msgspec.structs import replace

from stslab.sandbox.api.faults import already_exists, invalid, require
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params, shown, tags_in
from stslab.sandbox.cloudformation import lookups, validation
from stslab.sandbox.cloudformation.stacks.changes import compare
from stslab.sandbox.cloudformation.stacks.job import USER_INITIATED, forget_deleted, stack_becomes
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import UNKNOWN
from stslab.sandbox.cloudformation.template.template import ANATOMY, Template, parse
from stslab.sandbox.state.snapshot import Record, Transaction, View
from stslab.sandbox.state.stacks import Config, Stack

SAYS = ANATOMY["stacks"]


def new_arn(request: ApiRequest, kind: str, name: str) -> str:
    place = f"{request.region}:{request.account}"
    return f"arn:aws:cloudformation:{place}:{kind}/{name}/{uuid.uuid4()}"


def named_stack(
    view: View, request: ApiRequest, missing: str = "Stack with id {} does not exist"
) -> Stack:
    """The stack that the request names. Raises ValidationError with the message ``missing``."""
    name = request.params["StackName"]
    stack = lookups.find(view, request.account, request.region, name)
    if stack is None:
        raise invalid(missing.format(name))
    return stack


existing = partial(named_stack, missing="Stack [{}] does not exist")
"""The same, with the message of the operations that change a stack."""


def checked_template(text: str | None, *, lenient: bool = False) -> Template:
    require(text, "Either Template URL or Template Body must be specified.")
    template = parse(str(text))
    validation.check(template, lenient=lenient)
    return template


def check_supported(params: Params) -> None:
    """Refuse what would be ignored."""
    for name in ANATOMY["unsupported parameters"]:
        given = params.get(name)
        values = given.values() if isinstance(given, dict) else [given]
        usual = all(not value or value == "STANDARD" for value in values)
        require(usual, f"{name} is not supported by the embedded account")


def config(request: ApiRequest, stack: Stack | None = None) -> Config:
    """The configuration in a request, or in an update of ``stack``, except its capabilities."""
    params, old = request.params, stack.config if stack else None
    previous = old is not None and params.get("UsePreviousTemplate")
    text = old.template if old and previous else params.get("TemplateBody", "")
    template = checked_template(text)
    validation.check_types(template, params.get("ResourceTypes") or ["*"])
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
    """The checked blueprint of a stack. Missing exports may exist when the work starts."""
    result = Blueprint(view, stack, wanted, missing=UNKNOWN)
    result.check_references()
    return result


def members(stack: Stack, of: Record, **more: object) -> Answer:
    """What answers tell of the stack or of something in it, and more, except what is empty."""
    told = shown(of, StackId=stack.stack_id, StackName=stack.name, **more)
    return {name: value for name, value in told.items() if value not in (None, "")}


UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
DELETING = frozenset({"DELETE_COMPLETE", "DELETE_IN_PROGRESS"})
DELETABLE = frozenset({"CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
"""The statuses with ``_IN_PROGRESS`` in which a stack may be deleted."""


def is_retry(request: ApiRequest, token: str) -> bool:
    """Whether this is the request again that had the token."""
    params = request.params
    return token != "" and token in (params.get("ClientRequestToken"), params.get("ClientToken"))


def create_stack(tx: Transaction, request: ApiRequest) -> Answer:
    """Start to create a stack, which may be in review so far."""
    params, name = request.params, request.params["StackName"]
    old = lookups.find(tx, request.account, request.region, name)
    if old is not None and old.status != "REVIEW_IN_PROGRESS":
        if not is_retry(request, old.token):
            raise already_exists(f"Stack [{name}] already exists")
        return _again(old, config(request))
    both = params.get("OnFailure") and params.get("DisableRollback") is not None
    require(not both, "Either DisableRollback or OnFailure can be specified, not both.")
    wanted = config(request)
    stack = old or new_stack(tx, request, wanted)
    check(tx, stack, wanted)
    stack = replace(stack, config=wanted, protected=bool(params.get("EnableTerminationProtection")))
    return begin(tx, request, stack, "CREATE_IN_PROGRESS", params.get("OnFailure", ""))


def _again(stack: Stack, wanted: Config) -> Answer:
    """The answer to a request with the token of the last one, whose configuration it must have."""
    if wanted != stack.config:
        raise _used(stack.token)
    return {"StackId": stack.stack_id}


def _used(token: str) -> ApiFault:
    """The error for the token of a stack's last request, which was another one."""
    return ApiFault("TokenAlreadyExistsException", SAYS["token used"].format(token))


def update_stack(tx: Transaction, request: ApiRequest) -> Answer:
    """Start an update, unless it would change nothing."""
    stack = existing(tx, request)
    if is_retry(request, stack.token):
        return _again(stack, config(request, stack))
    check_updatable(stack, request.params)
    wanted = config(request, stack)
    changed = check(tx, stack, wanted)
    if wanted.tags == stack.config.tags:
        _, any_change = compare(tx, changed, blueprint(tx, stack, stack.config))
        require(any_change, "No updates are to be performed.")
    return begin_update(tx, request, stack, wanted)


def delete_stack(tx: Transaction, request: ApiRequest) -> None:
    """Start a deletion. Also succeeds if the stack does not exist."""
    params, given = request.params, request.params["StackName"]
    stack = lookups.find(tx, request.account, request.region, given)
    if stack is None or stack.status in DELETING:
        return
    protected = f"Stack [{given}] cannot be deleted while TerminationProtection is enabled"
    require(not stack.protected, protected)
    busy = stack.status.endswith("_IN_PROGRESS") and stack.status not in DELETABLE
    require(not busy, f"Stack [{given}] cannot be deleted while in status {stack.status}")
    retained = params.get("RetainResources") or ()
    resources = lookups.resources(tx, stack)
    too_early = SAYS["retains too early"].format(stack.stack_id)
    require(stack.status == "DELETE_FAILED" or not retained, too_early)
    for name in retained:
        require(name in resources, f"Resource [{name}] does not exist for stack {stack.name}")
        require(resources[name].status != "DELETE_COMPLETE", SAYS["retains what is gone"])
    stack = replace(stack, settled_status=stack.status, retained=tuple(retained))
    begin(tx, request, stack, "DELETE_IN_PROGRESS")
    forget_deleted(tx, request.account, request.region)


def begin(
    tx: Transaction, request: ApiRequest, stack: Stack, status: str, on_failure: str = ""
) -> Answer:
    """Put the stack with a status that makes the engine work, in the name of the caller."""
    params, left = request.params, request.params.get("DisableRollback")
    if is_retry(request, stack.token) and stack.status != "DELETE_FAILED":
        raise _used(stack.token)
    for change_set in lookups.change_sets(tx, stack):
        if change_set.execution_status == "AVAILABLE":
            tx.put(replace(change_set, execution_status="OBSOLETE"))
    stack = replace(
        stack,
        token=params.get("ClientRequestToken", ""),
        is_direct="ChangeSetName" not in params,
        caller_key=request.caller.access_key_id,
        role_arn=params.get("RoleARN") or stack.role_arn,
        validated=not (params.get("ChangeSetName") or params.get("DisableValidation")),
        unsparing=bool(params.get("RetainExceptOnCreate")),
        on_failure="LEAVE" if left else on_failure or "ROLLBACK",
    )
    stack = stack_becomes(tx, stack, status, USER_INITIATED)
    return {"StackId": stack.stack_id, **stack.operations[0]}


def begin_update(tx: Transaction, request: ApiRequest, stack: Stack, wanted: Config) -> Answer:
    wanted = replace(wanted, capabilities=wanted.capabilities or stack.config.capabilities)
    stack = replace(stack, previous=stack.config, config=wanted, updated=request.now)
    return begin(tx, request, stack, "UPDATE_IN_PROGRESS")


def check(view: View, stack: Stack, wanted: Config) -> Blueprint:
    """The blueprint of a stack with a configuration. Raises errors that need no work to find."""
    result = blueprint(view, stack, wanted)
    validation.check_capabilities(result.template, wanted.capabilities)
    resources = lookups.resources(view, stack)
    if not resources:
        result.check_values()
    kept = (name for name in result.active if name in resources)
    modified = [name for name in kept if result.declared(name).type != resources[name].type]
    require(not modified, SAYS["other types"].format(", ".join(modified)))
    return result


def update_termination_protection(tx: Transaction, request: ApiRequest) -> Answer:
    stack = existing(tx, request)
    require(stack.status not in DELETING, SAYS["no protection"].format(stack.status))
    tx.put(replace(stack, protected=bool(request.params["EnableTerminationProtection"])))
    return {"StackId": stack.stack_id}


def new_stack(view: View, request: ApiRequest, wanted: Config) -> Stack:
    name = request.params["StackName"]
    there_are = sum(s.exists for s in lookups.stacks(view, request.account, request.region))
    if there_are >= ANATOMY["most stacks"]:
        raise ApiFault("LimitExceededException", "Limit for stack has been exceeded")
    return Stack(
        account=request.account,
        stack_id=new_arn(request, "stack", name),
        name=name,
        region=request.region,
        created=request.now,
        config=wanted,
        status="REVIEW_IN_PROGRESS",
    )


def check_updatable(stack: Stack, params: Params) -> None:
    failing = params.get("OnStackFailure")
    left = params.get("DisableRollback") or failing == "DO_NOTHING"
    refusal = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
    if stack.status == "CREATE_FAILED" and not left:
        refusal = ANATOMY["left failed"].get(stack.on_failure, refusal)
    require(stack.status in UPDATABLE, refusal)
    require(failing != "DELETE", "OnStackFailure can be DELETE only if ChangeSetType is CREATE")
    require(not left, SAYS["not rolled back"])
