"""The operations on change sets.

AWS CloudFormation API Reference, "CreateChangeSet", "ExecuteChangeSet", …; User Guide,
"Updating stacks using change sets".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.cloudformation import faults, names
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations.requests import Desk, page
from stslab.sandbox.cloudformation.operations.stacks import (
    StackOperations,
    check_types,
    check_updatable,
    new_stack,
)
from stslab.sandbox.cloudformation.stacks.plan import plan
from stslab.sandbox.cloudformation.stacks.site import USER_INITIATED, set_status
from stslab.sandbox.cloudformation.stacks.state import ChangeSet, Config, Stack
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.template import parse

Answer = Mapping[str, Any]
NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)
REVIEW = "REVIEW_IN_PROGRESS"
NEEDS_STACK = "StackName must be specified if ChangeSetName is not specified as an ARN."


class ChangeSetOperations:
    """Makes, shows, executes and deletes change sets."""

    def __init__(self, desk: Desk, stacks: StackOperations) -> None:
        self._desk = desk
        self._stacks = stacks

    def handlers(self) -> dict[str, Callable[[ApiRequest], Answer]]:
        """The operations by name."""
        return {
            "CreateChangeSet": self.create,
            "DescribeChangeSet": self.describe,
            "ExecuteChangeSet": self.execute,
            "DeleteChangeSet": self.delete,
            "ListChangeSets": self.list,
        }

    def create(self, request: ApiRequest) -> Answer:
        """Compare what the request wants with the stack; a stack in review is made for it."""
        kind = request.params.get("ChangeSetType") or "UPDATE"
        if kind == "IMPORT":
            raise invalid("Importing resources is not supported by the sandbox")
        stack = self._target(request, kind)
        name = request.params["ChangeSetName"]
        if name in stack.change_sets:
            raise faults.change_set_exists(name)
        reviewed = stack.status == REVIEW
        config = self._desk.config(request, None if reviewed else stack)
        change_set = ChangeSet(
            names.change_set_id(request.account, request.region, name),
            name,
            kind,
            config,
            request.now,
            description=request.params.get("Description", ""),
            role_arn=request.params.get("RoleARN", ""),
            on_failure=request.params.get("OnStackFailure", ""),
        )
        self._compare(request, stack, change_set)
        self._keep(request, stack, change_set)
        return {"Id": change_set.change_set_id, "StackId": stack.stack_id}

    def _target(self, request: ApiRequest, kind: str) -> Stack:
        name = request.params["StackName"]
        stack = self._desk.find(request, name)
        if kind == "CREATE":
            if stack is None:
                names.check_new_name(name)
                return replace(new_stack(request, Config("")), status=REVIEW)
            if stack.status != REVIEW:
                raise invalid(
                    f"Stack [{name}] already exists and cannot be created again with the changeSet "
                    f"[{request.params['ChangeSetName']}]."
                )
            return stack
        if stack is None:
            raise faults.no_such_stack_here(name)
        check_updatable(stack)
        return stack

    def _compare(self, request: ApiRequest, stack: Stack, change_set: ChangeSet) -> None:
        wanted = self._stacks.check(request, stack, change_set.config)
        check_types(stack, wanted)
        current = None
        if stack.status != REVIEW:
            current = self._desk.blueprint(stack, stack.config)
        found = plan(stack, wanted, current)
        same_tags = current is None or change_set.config.tags == stack.config.tags
        change_set.changes = found.changes
        if found.empty and same_tags and current is not None:
            change_set.status, change_set.reason = "FAILED", NO_CHANGES
            change_set.execution_status = "UNAVAILABLE"

    def _keep(self, request: ApiRequest, stack: Stack, change_set: ChangeSet) -> None:
        stacks = self._desk.stacks
        new = not stacks.has(stack)
        if new:
            stacks.add(stack)
        with self._desk.engine.changing(stack):
            if new:
                set_status(stack, REVIEW, request.now, USER_INITIATED)
            stack.change_sets[change_set.name] = change_set

    def describe(self, request: ApiRequest) -> Answer:
        """One change set with its changes."""
        stack, change_set = find_change_set(self._desk, request)
        with_values = bool(request.params.get("IncludePropertyValues"))

        def shown(change: dict[str, Any]) -> dict[str, Any]:
            return change if with_values else _without_contexts(change)

        config = change_set.config
        declarations = parse(config.template).parameters
        values = parameters.shown(declarations, config.parameters)
        tags = [{"Key": key, "Value": value} for key, value in config.tags.items()]
        return {
            **_summary(stack, change_set),
            **({"Parameters": values} if values else {}),
            **({"Tags": tags} if tags else {}),
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": config.capabilities,
            **({"OnStackFailure": change_set.on_failure} if change_set.on_failure else {}),
            **page(change_set.changes, request.params.get("NextToken"), "Changes", shown),
        }

    def list(self, request: ApiRequest) -> Answer:
        """The change sets of a stack."""
        stack = self._desk.living(request)
        found = list(stack.change_sets.values())
        return page(
            found, request.params.get("NextToken"), "Summaries", lambda each: _summary(stack, each)
        )

    def execute(self, request: ApiRequest) -> Answer:
        """Do what a change set says; all others of the stack become worthless, and go."""
        stack, change_set = find_change_set(self._desk, request)
        if change_set.execution_status != "AVAILABLE":
            raise faults.wrong_change_set_state(change_set.change_set_id, change_set.status)
        if stack.status != REVIEW:
            check_updatable(stack)
        if change_set.role_arn:
            stack.role_arn = change_set.role_arn
        stack.change_set_id = change_set.change_set_id
        stack.change_sets.clear()
        stack.updated = request.now
        if stack.status != REVIEW:
            self._stacks.begin_update(request, stack, change_set.config)
            return {}
        stack.config = change_set.config
        stack.on_failure = change_set.on_failure or "ROLLBACK"
        if request.params.get("DisableRollback"):
            stack.on_failure = "DO_NOTHING"
        self._stacks.begin_creation(request, stack)
        return {}

    def delete(self, request: ApiRequest) -> Answer:
        """Delete a change set; one that there is not is as good as deleted."""
        try:
            stack, change_set = find_change_set(self._desk, request)
        except ApiFault as fault:
            if fault.code == "ChangeSetNotFound":
                return {}
            raise
        with self._desk.engine.changing(stack):
            del stack.change_sets[change_set.name]
        return {}


def find_change_set(
    desk: Desk, request: ApiRequest, missing: str = NEEDS_STACK
) -> tuple[Stack, ChangeSet]:
    """The change set that a request names by its id, or by its name and its stack's.

    Raises:
        ApiFault: ``ValidationError`` where the stack is missing, ``ChangeSetNotFound`` else.
    """
    name, stack_name = request.params["ChangeSetName"], request.params.get("StackName")
    if name.startswith("arn:"):
        found = desk.stacks.with_change_set(request.account, request.region, name)
        if found is None:
            raise faults.no_such_change_set(name)
        sets = found.change_sets.values()
        return found, next(each for each in sets if each.change_set_id == name)
    if not stack_name:
        raise invalid(missing)
    stack = desk.living(request)
    if name not in stack.change_sets:
        raise faults.no_such_change_set(name)
    return stack, stack.change_sets[name]


def _summary(stack: Stack, change_set: ChangeSet) -> dict[str, Any]:
    shown = {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "ChangeSetId": change_set.change_set_id,
        "ChangeSetName": change_set.name,
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "CreationTime": change_set.created,
        "Description": change_set.description,
        "IncludeNestedStacks": False,
    }
    return {name: value for name, value in shown.items() if value != ""}


def _without_contexts(change: dict[str, Any]) -> dict[str, Any]:
    inner = {
        name: value
        for name, value in change["ResourceChange"].items()
        if name not in {"BeforeContext", "AfterContext"}
    }
    return {**change, "ResourceChange": inner}
