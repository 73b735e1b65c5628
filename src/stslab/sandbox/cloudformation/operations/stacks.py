"""The operations that make, change and delete stacks.

AWS CloudFormation API Reference, "CreateStack", "UpdateStack", "DeleteStack", ….
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.cloudformation import faults, names
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations.requests import Desk
from stslab.sandbox.cloudformation.stacks import service_role
from stslab.sandbox.cloudformation.stacks.plan import plan
from stslab.sandbox.cloudformation.stacks.site import USER_INITIATED, set_status
from stslab.sandbox.cloudformation.stacks.state import Config, Resource, Stack
from stslab.sandbox.cloudformation.template import capabilities
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import UNKNOWN

Answer = Mapping[str, Any]
UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    }
)  # fmt: skip
INTERRUPTIBLE = frozenset({"CREATE_IN_PROGRESS"})
NOT_DELETABLE = "Stack [{}] cannot be deleted while in status {}"


class StackOperations:
    """Makes, changes and deletes stacks; the engine does the work."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._engine = desk.engine

    def handlers(self) -> dict[str, Callable[[ApiRequest], Answer]]:
        """The operations by name."""
        return {
            "CreateStack": self.create,
            "UpdateStack": self.update,
            "DeleteStack": self.delete,
            "CancelUpdateStack": self.cancel_update,
            "ContinueUpdateRollback": self.continue_rollback,
            "RollbackStack": self.roll_back,
            "UpdateTerminationProtection": self.protect,
            "SetStackPolicy": self.set_policy,
            "GetStackPolicy": self.get_policy,
        }

    def create(self, request: ApiRequest) -> Answer:
        """Accept a new stack, or one that only a change set has made so far."""
        params, name = request.params, request.params["StackName"]
        names.check_new_name(name)
        existing = self._desk.find(request, name)
        token = params.get("ClientRequestToken", "")
        if existing is not None and existing.status != "REVIEW_IN_PROGRESS":
            if token and token == existing.token:
                return {"StackId": existing.stack_id}
            raise faults.stack_exists(name)
        if params.get("OnFailure") and params.get("DisableRollback") is not None:
            raise invalid("You can specify either DisableRollback or OnFailure, but not both.")
        config = self._desk.config(request)
        stack = existing or new_stack(request, config)
        self.check(request, stack, config)
        stack.config = config
        stack.protected = bool(params.get("EnableTerminationProtection"))
        stack.on_failure = _on_failure(params)
        stack.timeout_minutes = params.get("TimeoutInMinutes")
        if existing is None:
            self._desk.stacks.add(stack)
        self.begin_creation(request, stack)
        return {"StackId": stack.stack_id}

    def begin_creation(self, request: ApiRequest, stack: Stack) -> None:
        """Set a stack that was accepted on its way."""
        if stack.timeout_minutes:
            stack.deadline = request.now + timedelta(minutes=stack.timeout_minutes)
        self.begin(request, stack, "CREATE_IN_PROGRESS")

    def begin(
        self, request: ApiRequest, stack: Stack, status: str, reason: str = USER_INITIATED
    ) -> None:
        """Give a stack a status that there is work to do in, and do it."""
        stack.token = request.params.get("ClientRequestToken", "")
        stack.caller_key = request.caller.access_key_id
        role = request.params.get("RoleARN")
        if role:
            stack.role_arn = role
        with self._engine.changing(stack):
            set_status(stack, status, request.now, reason)
        self._engine.start(stack, request.caller)

    def check(self, request: ApiRequest, stack: Stack, config: Config) -> Blueprint:
        """Refuse what CloudFormation refuses before it begins."""
        found = self._desk.blueprint(stack, config)
        capabilities.check(found.template, config.capabilities)
        self.check_role(request)
        if not stack.resources:
            for name in found.active:  # functions with wrong arguments are refused at once
                found.properties(name, lambda _reference: UNKNOWN)
        return found

    def check_role(self, request: ApiRequest) -> None:
        """Refuse a service role that CloudFormation can't assume."""
        role = request.params.get("RoleARN")
        if role:
            around = self._engine.around
            service_role.assume(around.call, around.keys, role)

    def update(self, request: ApiRequest) -> Answer:
        """Accept an update, if it changes anything."""
        stack = self._desk.living(request)
        check_updatable(stack)
        token = request.params.get("ClientRequestToken", "")
        if token and token == stack.token:
            return {"StackId": stack.stack_id}
        config = self._desk.config(request, stack)
        wanted = self.check(request, stack, config)
        check_types(stack, wanted)
        current = self._desk.blueprint(stack, stack.config)
        settled = stack.status not in {"CREATE_FAILED", "UPDATE_FAILED"}
        if settled and plan(stack, wanted, current).empty and config.tags == stack.config.tags:
            raise invalid("No updates are to be performed.")
        self.begin_update(request, stack, config)
        return {"StackId": stack.stack_id}

    def begin_update(self, request: ApiRequest, stack: Stack, config: Config) -> None:
        """Set a stack on its way to another configuration."""
        if stack.previous is None:  # else an update failed, and was left as it was
            stack.previous = stack.config
        stack.config = config
        stack.on_failure = "DO_NOTHING" if request.params.get("DisableRollback") else "ROLLBACK"
        stack.updated = request.now
        self.begin(request, stack, "UPDATE_IN_PROGRESS")

    def delete(self, request: ApiRequest) -> Answer:
        """Accept a deletion; one of a stack that there is not succeeds."""
        stack = self._desk.find(request, request.params["StackName"])
        if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            return {}
        _check_deletable(stack, request.params)
        self.check_role(request)
        stack.settled_status = stack.status
        stack.retained = list(request.params.get("RetainResources") or ())
        stack.forced = request.params.get("DeletionMode") == "FORCE_DELETE_STACK"
        self._redirect(request, stack, "DELETE_IN_PROGRESS")
        self._desk.stacks.forget_long_deleted(request.account, request.region)
        return {}

    def _redirect(self, request: ApiRequest, stack: Stack, status: str) -> None:
        """Begin something else, also where a thread is still busy with what was begun."""
        if not self._engine.works_on(stack):
            self.begin(request, stack, status)
            return
        stack.interrupted = True
        with self._engine.changing(stack):
            set_status(stack, status, request.now, USER_INITIATED)

    def cancel_update(self, request: ApiRequest) -> Answer:
        """Take back an update that is under way."""
        stack = self._desk.living(request)
        if stack.status != "UPDATE_IN_PROGRESS":
            raise invalid("CancelUpdateStack cannot be called from current stack status")
        self._redirect(request, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        return {}

    def continue_rollback(self, request: ApiRequest) -> Answer:
        """Go on with taking back an update, without the resources that are to be skipped."""
        stack = self._desk.living(request)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(
                f"Stack:{stack.stack_id} is in {stack.status} state and can not continue update "
                "rollback."
            )
        stack.skipped = list(request.params.get("ResourcesToSkip") or ())
        _check_skipped(stack)
        self.begin(request, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        return {}

    def roll_back(self, request: ApiRequest) -> Answer:
        """Take back what failed and was left as it was."""
        stack = self._desk.living(request)
        into = {
            "CREATE_FAILED": "ROLLBACK_IN_PROGRESS",
            "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS",
        }
        if stack.status not in into:
            raise invalid(
                f"Stack [{stack.name}] is in {stack.status} state and can not be rolled back."
            )
        self.begin(request, stack, into[stack.status])
        return {"StackId": stack.stack_id}

    def protect(self, request: ApiRequest) -> Answer:
        """Protect a stack against deletion, or no longer."""
        stack = self._desk.living(request)
        with self._engine.changing(stack):
            stack.protected = bool(request.params["EnableTerminationProtection"])
        return {"StackId": stack.stack_id}

    def set_policy(self, request: ApiRequest) -> Answer:
        """Refuse: a policy that is not enforced would be a lie."""
        self._desk.living(request)
        raise invalid("Stack policies are not supported by the sandbox")

    def get_policy(self, request: ApiRequest) -> Answer:
        """No stack has one."""
        self._desk.living(request)
        return {}


def new_stack(request: ApiRequest, config: Config) -> Stack:
    """A stack as a request for one makes it."""
    name = request.params["StackName"]
    stack_id = names.stack_id(request.account, request.region, name)
    return Stack(stack_id, name, request.account, request.region, request.now, config)


def _on_failure(params: Mapping[str, Any]) -> str:
    if params.get("DisableRollback"):
        return "DO_NOTHING"
    return str(params.get("OnFailure") or "ROLLBACK")


def check_updatable(stack: Stack) -> None:
    """Refuse to update a stack that is in no state to be."""
    if stack.status not in UPDATABLE:
        raise invalid(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def check_types(stack: Stack, wanted: Blueprint) -> None:
    """Refuse to make one thing of another under the same logical id."""

    def differs(resource: Resource) -> bool:
        name = resource.logical_id
        return name in wanted.active and wanted.declared(name).type != resource.type

    modified = [r.logical_id for r in stack.resources.values() if differs(r)]
    if modified:
        raise invalid(
            "Update of resource type is not permitted. The new template modifies resource type of "
            f"the following resources: [{', '.join(modified)}]"
        )


def _check_deletable(stack: Stack, params: Mapping[str, Any]) -> None:
    if stack.protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if stack.busy and stack.status not in INTERRUPTIBLE:
        raise invalid(NOT_DELETABLE.format(stack.name, stack.status))
    failed = stack.status == "DELETE_FAILED"
    if params.get("RetainResources") and not failed:
        raise invalid(
            f"Invalid operation on stack [{stack.stack_id}]. When you delete a stack, specify "
            "which resources to retain only when the stack is in the DELETE_FAILED state."
        )
    if params.get("DeletionMode") == "FORCE_DELETE_STACK" and not failed:
        raise invalid(
            f"Invalid operation on stack [{stack.stack_id}]. FORCE_DELETE_STACK is only applicable "
            "to stacks in the DELETE_FAILED state."
        )
    unknown = [name for name in params.get("RetainResources") or () if name not in stack.resources]
    if unknown:
        raise invalid(f"Resource [{unknown[0]}] does not exist for stack {stack.name}")


def _check_skipped(stack: Stack) -> None:
    for name in stack.skipped:
        resource = stack.resources.get(name)
        if resource is None or resource.status != "UPDATE_FAILED":
            raise invalid(
                f"Resource [{name}] can't be skipped: it is not in the UPDATE_FAILED state"
            )
