"""The operations on change sets (User Guide, "Updating stacks using change sets")."""

from functools import partial

from msgspec.structs import replace

from stslab.sandbox.api import operations, pages
from stslab.sandbox.api.faults import already_exists, require
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, hashed, tag_list
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.operations import stacks
from stslab.sandbox.cloudformation.stacks.changes import VALIDATIONS, compare, validation_errors
from stslab.sandbox.cloudformation.stacks.job import EXECUTING, USER_INITIATED, stack_becomes
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.template import ANATOMY, parse
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.stacks import ChangeSet, Config, Stack

SAYS = ANATOMY["change sets"]
REVIEW = "REVIEW_IN_PROGRESS"


def create_change_set(tx: Transaction, request: ApiRequest) -> Answer:
    """Compare the request with the stack. For a new stack, create one in review."""
    params = request.params
    kind = params.get("ChangeSetType") or "UPDATE"
    require(kind != "IMPORT", "Importing resources is not supported by the embedded account")
    stack = _target(tx, request, kind)
    name = params["ChangeSetName"]
    wanted = stacks.config(request, None if stack.status == REVIEW else stack)
    if old := _named(tx, stack, name):
        if stacks.is_retry(request, old.token):
            return {"Id": old.change_set_id, "StackId": old.stack_id}
        attributes = ["ClientToken"] if old.token and params.get("ClientToken") else []
        attributes += ["Template"] if old.config.template != wanted.template else []
        attributes += ["Parameters"] if old.config.parameters != wanted.parameters else []
        why = SAYS["mismatch"].format(*attributes) if attributes else "already exists"
        raise already_exists(f"ChangeSet {name} {why}")
    change_set = ChangeSet(
        account=request.account,
        change_set_id=stacks.new_arn(request, "changeSet", name),
        stack_id=stack.stack_id,
        name=name,
        config=wanted,
        created=request.now,
        description=params.get("Description", ""),
        role_arn=params.get("RoleARN", ""),
        on_failure=params.get("OnStackFailure", ""),
        token=params.get("ClientToken", ""),
        hierarchical=bool(params.get("IncludeNestedStacks")),
    )
    tx.put(_compared(tx, stack, change_set, validated=not params.get("DisableValidation")))
    stack = replace(stack, change_sets=(*stack.change_sets, change_set.change_set_id))
    if tx.get(Stack, stack.account, stack.stack_id) is None:
        stack_becomes(tx, stack, REVIEW, USER_INITIATED)
    else:
        tx.put(stack)
    return {"Id": change_set.change_set_id, "StackId": stack.stack_id}


def _target(view: View, request: ApiRequest, kind: str) -> Stack:
    if kind != "CREATE":
        stack = stacks.existing(view, request)
        require(stack.status != REVIEW, f"Stack [{request.params['StackName']}] does not exist")
        stacks.check_updatable(stack, request.params)
        return stack
    for given in (request.params, *(request.params.get("Parameters") or ())):
        for previous, refusal in ANATOMY["not to create"].items():
            require(not given.get(previous), refusal)
    name = request.params["StackName"]
    existing = lookups.find(view, request.account, request.region, name)
    if existing is None:
        operations.check(request.service, "CreateStack", {"StackName": name})
        return stacks.new_stack(view, request, Config(template=""))
    refusal = f"Stack [{name}] already exists and cannot be created again with the changeSet"
    require(existing.status == REVIEW, f"{refusal} [{request.params['ChangeSetName']}].")
    return existing


def _compared(view: View, stack: Stack, change_set: ChangeSet, *, validated: bool) -> ChangeSet:
    wanted = stacks.check(view, stack, change_set.config)
    reviewed = stack.status == REVIEW
    current = None if reviewed else stacks.blueprint(view, stack, stack.config)
    changes, any_change = compare(view, wanted, current)
    same = not any_change and not reviewed and change_set.config.tags == stack.config.tags
    errors = tuple(validation_errors(view, wanted)) if validated and not same else ()
    if not same and not errors:
        return replace(change_set, changes=changes)
    hooks = ", ".join(sorted({VALIDATIONS[one["ValidationName"]] for one in errors}))
    reason = SAYS["not valid"].format(hooks) if errors else SAYS["unchanged"]
    failed = {"status": "FAILED", "execution_status": "UNAVAILABLE"}
    return replace(change_set, errors=errors, reason=reason, **failed)


def describe_change_set(view: View, request: ApiRequest) -> Answer:
    stack, change_set = find_change_set(view, request, request.params["ChangeSetName"])
    config = change_set.config
    return stacks.members(
        stack,
        change_set,
        Parameters=parameters.shown(parse(config.template).parameters, config.parameters) or None,
        Tags=tag_list(hashed(config.tags)) or None,
        OnStackFailure=change_set.on_failure,
        Capabilities=config.capabilities,
        **pages.page(request, "Changes", change_set.changes, dict, None),
    )


def list_change_sets(view: View, request: ApiRequest) -> Answer:
    stack = stacks.existing(view, request)
    found = lookups.change_sets(view, stack)
    place = "{0.created} {0.change_set_id}".format
    return pages.page(request, "Summaries", found, partial(stacks.members, stack), place)


def execute_change_set(tx: Transaction, request: ApiRequest) -> None:
    """Start to execute a change set, which is found only by its id then, and delete all others."""
    name = request.params["ChangeSetName"]
    begun, found = _find(tx, request, name)
    waits = found is not None and found.execution_status == "AVAILABLE"
    if begun and not waits and stacks.is_retry(request, begun.token):
        return
    stack, change_set = find_change_set(tx, request, name)
    if change_set.execution_status != "AVAILABLE":
        status = f"status of [{change_set.status}]"
        if change_set.status == "CREATE_COMPLETE":
            status = f"execution status of [{change_set.execution_status}]"
        refusal = f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current"
        raise ApiFault("InvalidChangeSetStatus", f"{refusal} {status}")
    both = change_set.on_failure and request.params.get("DisableRollback") is not None
    require(not both, SAYS["both"])
    reviewed = stack.status == REVIEW
    if not reviewed:
        stacks.check_updatable(stack, request.params)
    for other in lookups.change_sets(tx, stack, executed=True):
        tx.delete(other)
    tx.put(replace(change_set, execution_status=EXECUTING))
    role = change_set.role_arn or stack.role_arn
    stack = replace(stack, role_arn=role, change_set_id=change_set.change_set_id, change_sets=())
    if reviewed:
        stack = replace(stack, config=change_set.config, updated=request.now)
        stacks.begin(tx, request, stack, "CREATE_IN_PROGRESS", change_set.on_failure)
    else:
        stacks.begin_update(tx, request, stack, change_set.config)


def delete_change_set(tx: Transaction, request: ApiRequest) -> None:
    """Also succeeds if the change set does not exist."""
    stack, change_set = _find(tx, request, request.params["ChangeSetName"])
    if stack and change_set:
        status = change_set.execution_status
        if status in (EXECUTING, "EXECUTE_COMPLETE"):
            raise ApiFault("InvalidChangeSetStatus", SAYS["executed"].format(status))
        kept = tuple(other for other in stack.change_sets if other != change_set.change_set_id)
        tx.put(replace(stack, change_sets=kept))
        tx.delete(change_set)


def find_change_set(view: View, request: ApiRequest, name: str) -> tuple[Stack, ChangeSet]:
    """The change set with this name or id, and its stack, which the request may name."""
    stack, change_set = _find(view, request, name)
    if stack is None or change_set is None:
        raise ApiFault("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
    return stack, change_set


def _find(view: View, request: ApiRequest, name: str) -> tuple[Stack | None, ChangeSet | None]:
    if name.startswith("arn:"):
        return lookups.addressed(view, request), view.get(ChangeSet, request.account, name)
    require(request.params.get("StackName"), SAYS["no stack"])
    stack = stacks.existing(view, request)
    return stack, _named(view, stack, name)


def _named(view: View, stack: Stack, name: str) -> ChangeSet | None:
    return next((one for one in lookups.change_sets(view, stack) if one.name == name), None)
