"""The operations that describe and list stacks, resources, events and exports.

AWS CloudFormation API Reference, "DescribeStacks", "DescribeStackEvents", ….
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations.requests import Desk, page
from stslab.sandbox.cloudformation.stacks import exports
from stslab.sandbox.cloudformation.stacks.state import Event, Resource, Stack
from stslab.sandbox.cloudformation.template import parameters
from stslab.sandbox.cloudformation.template.template import parse

Answer = Mapping[str, Any]
STACK_LIMIT = 2_000
NO_DRIFT = {"StackDriftStatus": "NOT_CHECKED"}
NO_RESOURCE_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}
ACCOUNT_LIMITS = (("StackLimit", STACK_LIMIT), ("StackOutputsLimit", 200))


class ReadOperations:
    """Describes and lists; changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[str, Callable[[ApiRequest], Answer]]:
        """The operations by name."""
        return {
            "DescribeStacks": self.describe_stacks,
            "ListStacks": self.list_stacks,
            "DescribeStackEvents": self.events,
            "DescribeStackResources": self.describe_resources,
            "DescribeStackResource": self.describe_resource,
            "ListStackResources": self.list_resources,
            "ListExports": self.list_exports,
            "ListImports": self.list_imports,
            "DescribeAccountLimits": self.limits,
        }

    def describe_stacks(self, request: ApiRequest) -> Answer:
        """One stack by name or id, or all that exist, newest first."""
        if request.params.get("StackName"):
            return {"Stacks": [described(self._desk.stack(request))]}
        found = [stack for stack in self._all(request) if stack.exists]
        return page(found, request.params.get("NextToken"), "Stacks", described)

    def list_stacks(self, request: ApiRequest) -> Answer:
        """All stacks, deleted ones too, newest first; or those of some statuses."""
        wanted = request.params.get("StackStatusFilter")
        found = [stack for stack in self._all(request) if not wanted or stack.status in wanted]
        return page(found, request.params.get("NextToken"), "StackSummaries", summarised)

    def events(self, request: ApiRequest) -> Answer:
        """A stack's events, newest first."""
        stack = self._desk.living(request)

        def shown(event: Event) -> dict[str, Any]:
            return event_shown(stack, event)

        newest_first = list(reversed(stack.events))
        return page(newest_first, request.params.get("NextToken"), "StackEvents", shown)

    def describe_resources(self, request: ApiRequest) -> Answer:
        """A stack's resources; or those of the stack that a physical id belongs to."""
        params = request.params
        by_name, physical = params.get("StackName"), params.get("PhysicalResourceId")
        if bool(by_name) == bool(physical):
            raise invalid("Exactly one of StackName and PhysicalResourceId must be specified")
        stack = self._desk.stack(request) if by_name else self._holding(request, str(physical))
        logical = params.get("LogicalResourceId")
        found = [r for r in _resources(stack) if not logical or r.logical_id == logical]
        return {"StackResources": [resource_shown(stack, resource) for resource in found[:100]]}

    def _holding(self, request: ApiRequest, physical_id: str) -> Stack:
        found = self._desk.stacks.holding(request.account, request.region, physical_id)
        if found is None:
            raise invalid(f"Stack for {physical_id} does not exist")
        return found

    def describe_resource(self, request: ApiRequest) -> Answer:
        """One resource, with its metadata."""
        name, logical = request.params["StackName"], request.params["LogicalResourceId"]
        stack = self._desk.find(request, name)
        if stack is None:
            raise invalid(f"Stack '{name}' does not exist")
        resource = next((r for r in _resources(stack) if r.logical_id == logical), None)
        if resource is None:
            raise invalid(f"Resource {logical} does not exist for stack {stack.name}")
        shown = resource_shown(stack, resource)
        shown["LastUpdatedTimestamp"] = shown.pop("Timestamp")
        if resource.metadata is not None:
            shown["Metadata"] = json.dumps(resource.metadata)
        return {"StackResourceDetail": shown}

    def list_resources(self, request: ApiRequest) -> Answer:
        """A stack's resources, page by page."""
        stack = self._desk.stack(request)
        found = _resources(stack)
        return page(
            found, request.params.get("NextToken"), "StackResourceSummaries", _resource_summarised
        )

    def list_exports(self, request: ApiRequest) -> Answer:
        """All exports of the account in this region."""
        found = exports.exports(self._desk.stacks, request.account, request.region)

        def shown(name: str) -> dict[str, str]:
            stack, value = found[name]
            return {"ExportingStackId": stack.stack_id, "Name": name, "Value": value}

        return page(sorted(found), request.params.get("NextToken"), "Exports", shown)

    def list_imports(self, request: ApiRequest) -> Answer:
        """The stacks that import one export."""
        name = request.params["ExportName"]
        found = exports.exports(self._desk.stacks, request.account, request.region).get(name)
        users = exports.importers(self._desk.stacks, found[0], name) if found else []
        if not users:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        return page(users, request.params.get("NextToken"), "Imports", str)

    def limits(self, _request: ApiRequest) -> Answer:
        """The account's limits."""
        return {"AccountLimits": [{"Name": n, "Value": v} for n, v in ACCOUNT_LIMITS]}

    def _all(self, request: ApiRequest) -> list[Stack]:
        return list(reversed(list(self._desk.stacks.of(request.account, request.region))))


def _resources(stack: Stack) -> list[Resource]:
    return [r for r in list(stack.resources.values()) if r.status != "CREATE_PENDING"]


def _filled(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "")}


def described(stack: Stack) -> dict[str, Any]:
    """A stack as DescribeStacks shows it."""
    reviewed = stack.status == "REVIEW_IN_PROGRESS"
    template = None if reviewed else parse(stack.config.template)
    declarations = template.parameters if template else {}
    shown = parameters.shown(declarations, stack.config.parameters) if template else []
    return _filled(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "ChangeSetId": stack.change_set_id,
            "Description": template.description if template else "",
            "Parameters": shown or None,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "RollbackConfiguration": {},
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DisableRollback": stack.on_failure == "DO_NOTHING",
            "NotificationARNs": [],
            "TimeoutInMinutes": stack.timeout_minutes,
            "Capabilities": stack.config.capabilities or None,
            "Outputs": stack.outputs or None,
            "RoleARN": stack.role_arn,
            "Tags": [{"Key": k, "Value": v} for k, v in stack.config.tags.items()],
            "EnableTerminationProtection": stack.protected,
            "DriftInformation": NO_DRIFT,
        }
    )


def summarised(stack: Stack) -> dict[str, Any]:
    """A stack as ListStacks shows it."""
    reviewed = stack.status == "REVIEW_IN_PROGRESS"
    return _filled(
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "TemplateDescription": "" if reviewed else parse(stack.config.template).description,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": NO_DRIFT,
        }
    )


def event_shown(stack: Stack, event: Event) -> dict[str, Any]:
    """An event as DescribeStackEvents shows it."""
    shown = _filled(
        {
            "StackId": stack.stack_id,
            "EventId": event.event_id,
            "StackName": stack.name,
            "LogicalResourceId": event.logical_id,
            "ResourceType": event.type,
            "Timestamp": event.at,
            "ResourceStatus": event.status,
            "ResourceStatusReason": event.reason,
            "ResourceProperties": event.properties,
            "ClientRequestToken": event.token,
        }
    )
    return {**shown, "PhysicalResourceId": event.physical_id}


def resource_shown(stack: Stack, resource: Resource) -> dict[str, Any]:
    """A resource as DescribeStackResources shows it."""
    return _filled(
        {
            "StackName": stack.name,
            "StackId": stack.stack_id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "Timestamp": resource.changed,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "Description": resource.description,
            "DriftInformation": NO_RESOURCE_DRIFT,
        }
    )


def _resource_summarised(resource: Resource) -> dict[str, Any]:
    return _filled(
        {
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "LastUpdatedTimestamp": resource.changed,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason,
            "DriftInformation": NO_RESOURCE_DRIFT,
        }
    )
