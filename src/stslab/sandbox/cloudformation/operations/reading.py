"""The operations that describe and list stacks, resources, events, exports and templates."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby

from msgspec.json import encode

from stslab.sandbox.api import pages
from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.api.model import Answer, ApiRequest, hashed, tag_list
from stslab.sandbox.cloudformation import lookups, validation
from stslab.sandbox.cloudformation.operations import change_sets, stacks
from stslab.sandbox.cloudformation.template.parameters import described, shown
from stslab.sandbox.cloudformation.template.template import VERSION, Template, parse
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import Stack, StackEvent, StackResource

_BY_AGE = "{0.created} {0.stack_id}".format


def describe_stacks(view: View, request: ApiRequest) -> Answer:
    """One stack by name or id, or all existing ones, newest first."""
    if request.params.get("StackName"):
        return {"Stacks": [_stack(stacks.named_stack(view, request))]}
    existing = [s for s in lookups.stacks(view, request.account, request.region) if s.exists]
    return pages.page(request, "Stacks", existing, _stack, _BY_AGE, descending=True)


def list_stacks(view: View, request: ApiRequest) -> Answer:
    """All stacks, also deleted ones, or those with some statuses, newest first."""
    wanted = request.params.get("StackStatusFilter")
    found = lookups.stacks(view, request.account, request.region)
    listed = [stack for stack in found if not wanted or stack.status in wanted]
    return pages.page(request, "StackSummaries", listed, _stack, _BY_AGE, descending=True)


def describe_stack_events(view: View, request: ApiRequest) -> Answer:
    stack = stacks.existing(view, request)
    events, show = lookups.events(view, stack), partial(_event, stack)
    return pages.page(request, "StackEvents", events, show, "{0.number:09}".format, descending=True)


def describe_events(view: View, request: ApiRequest) -> Answer:
    """The events of a change set, of a stack or of one of its operations, newest first."""
    params, operation = request.params, request.params.get("OperationId")
    one_of = "One of ChangeSetName, OperationId or StackName must be specified"
    change_set = str(params.get("ChangeSetName") or "")
    require(operation or params.get("StackName") or change_set.startswith("arn:"), one_of)
    failed_only = (params.get("Filters") or {}).get("FailedEvents")
    if change_set:
        _, made = change_sets.find_change_set(view, request, change_set)
        named = {"StackId": made.stack_id, "OperationType": "CREATE_CHANGESET"}
        operation_id = made.change_set_id.rpartition("/")[2]
        common = {**named, "OperationId": operation_id, "Timestamp": made.created}
        events: list[Answer] = [{**common, **error} for error in made.errors[::-1]]
        if events and not failed_only:
            events.append(_stack_event(common, "FAILED", made.created, made.created))
    else:
        stack = lookups.addressed(view, request)
        if stack is None:
            raise invalid(f"Stack [{params.get('StackName') or operation}] does not exist")
        found = _operation_events(stack, lookups.events(view, stack))
        events = [e for e in found if operation in (None, e.get("OperationId"))]
    if failed_only:
        statuses = ("OperationStatus", "ResourceStatus", "ValidationStatus")
        events = [e for e in events if any("FAILED" in e.get(name, "") for name in statuses)]
    return pages.page(request, "OperationEvents", events, dict, None, descending=True)


def _operation_events(stack: Stack, events: list[StackEvent]) -> Iterator[Answer]:
    """The events of a stack, oldest first, with a STACK_EVENT at both ends of each operation."""
    running = stack.operations[:1] if stack.status.endswith("_IN_PROGRESS") else ()
    for operation, of_one in groupby(events, lambda event: event.operation):
        members = list(of_one)
        begun, last = members[0], members[-1]
        common = {"StackId": stack.stack_id, **operation}
        if operation:
            yield _stack_event(common, "IN_PROGRESS", begun.at)
        for event in members:
            yield from ({**common, "Timestamp": event.at, **error} for error in event.errors)
            kind = "PROVISIONING_ERROR" if event.status.endswith("_FAILED") else "PROGRESS"
            yield {**_event(stack, event), "EventType": kind, "OperationType": None}
        if operation and operation not in running:
            done = last.physical_id == stack.stack_id and last.status.endswith("_COMPLETE")
            yield _stack_event(common, "SUCCEEDED" if done else "FAILED", begun.at, last.at)


def _stack_event(common: Answer, status: str, at: datetime, end: datetime | None = None) -> Answer:
    return {
        **common,
        "EventId": str(uuid.uuid5(uuid.UUID(common["OperationId"]), status)),
        "EventType": "STACK_EVENT",
        "OperationStatus": status,
        "Timestamp": end or at,
        "StartTime": at,
        "EndTime": end,
    }


def describe_stack_resources(view: View, request: ApiRequest) -> Answer:
    """The resources of a stack, by its name or by the physical id of one of them."""
    params = request.params
    by_name, physical = params.get("StackName"), params.get("PhysicalResourceId")
    both = "Exactly one of StackName and PhysicalResourceId must be specified"
    require(bool(by_name) != bool(physical), both)
    found = lookups.addressed(view, request)
    require(by_name or found, f"Stack for {physical} does not exist")
    stack, logical = found or stacks.named_stack(view, request), params.get("LogicalResourceId")
    listed = [r for r in _resources(view, stack) if not logical or r.logical_id == logical]
    return {"StackResources": [_resource(stack, resource) for resource in listed[: pages.MOST]]}


def describe_stack_resource(view: View, request: ApiRequest) -> Answer:
    stack = stacks.named_stack(view, request, "Stack '{}' does not exist")
    logical = request.params["LogicalResourceId"]
    listed = (r for r in _resources(view, stack) if r.logical_id == logical)
    found = [r for r in listed if r.physical_id or r.status != "DELETE_COMPLETE"]
    require(found, f"Resource {logical} does not exist for stack {request.params['StackName']}")
    return {"StackResourceDetail": _resource(stack, found[0])}


def list_stack_resources(view: View, request: ApiRequest) -> Answer:
    stack = stacks.named_stack(view, request)
    listed, show = _resources(view, stack), partial(_resource, stack)
    return pages.page(request, "StackResourceSummaries", listed, show, lambda one: one.logical_id)


def _resources(view: View, stack: Stack) -> list[StackResource]:
    listed = sorted(lookups.resources(view, stack).items())
    return [resource for _, resource in listed if resource.status != "CREATE_PENDING"]


def list_exports(view: View, request: ApiRequest) -> Answer:
    exports = lookups.exports(view, request.account, request.region)
    rows = [
        {"ExportingStackId": stack.stack_id, "Name": name, "Value": value}
        for name, (stack, value) in exports.items()
    ]
    return pages.page(request, "Exports", rows, dict, lambda row: row["Name"])


def list_imports(view: View, request: ApiRequest) -> Answer:
    name = request.params["ExportName"]
    export = lookups.exports(view, request.account, request.region).get(name)
    users = lookups.importers(view, export[0], name) if export else []
    require(users, f"Export '{name}' is not imported by any stack.")
    return pages.page(request, "Imports", users, str, str)


def _stack(stack: Stack) -> Answer:
    """The members of a stack, which has no template in review. Each answer has some of them."""
    template = parse(stack.config.template) if stack.config.template else Template(resources={})
    kept = stack.on_failure in {"DO_NOTHING", "LEAVE"}
    undone = stack.status.startswith("ROLLBACK_")
    return stacks.members(
        stack,
        stack,
        ChangeSetId=None if undone or stack.is_direct else stack.change_set_id,
        Description=template.description,
        TemplateDescription=template.description,
        Parameters=shown(template.parameters, stack.config.parameters) or None,
        DisableRollback=kept,
        RetainExceptOnCreate=stack.unsparing or None,
        DeploymentConfig={"Mode": "STANDARD", "DisableRollback": kept},
        Capabilities=stack.config.capabilities or None,
        Outputs=stack.outputs or None,
        Tags=tag_list(hashed(stack.config.tags)),
        EnableTerminationProtection=stack.protected if stack.exists else None,
        LastOperations=stack.operations or None,
    )


def _event(stack: Stack, event: StackEvent) -> Answer:
    told = stacks.members(stack, event, DetailedStatus="VALIDATION_FAILED" if event.errors else "")
    return {**told, **event.operation, "PhysicalResourceId": event.physical_id}


def _resource(stack: Stack, resource: StackResource) -> Answer:
    """The members of a resource in all answers, like :func:`_stack`."""
    return stacks.members(stack, resource, Metadata=encode(resource.metadata or {}).decode())


def get_template_summary(view: View, request: ApiRequest) -> Answer:
    """What a template asks for; the answer of ValidateTemplate has some of it."""
    text: str | None = request.params.get("TemplateBody")
    if request.params.get("StackName"):
        require(not text, "StackName cannot be specified with Template URL or Template Body.")
        stack = stacks.named_stack(view, request)
        require(stack.status != change_sets.REVIEW, change_sets.SAYS["no summary"])
        template = parse(stack.config.template)  # which may be of an earlier version
    else:
        options = request.params.get("TemplateSummaryConfig") or {}
        lenient = bool(options.get("TreatUnrecognizedResourceTypesAsWarnings"))
        template = stacks.checked_template(text, lenient=lenient)
    strange = validation.unrecognized(template)
    kinds = {name: declared.type for name, declared in template.resources.items()}
    capability, types = validation.needed_capabilities(template)
    why = f"The following resource(s) require capabilities: [{', '.join(types)}]"
    return {
        "Description": template.description or None,
        "Version": VERSION,
        "Metadata": None if template.metadata is None else encode(template.metadata).decode(),
        "Capabilities": [capability] if capability else None,
        "CapabilitiesReason": why if capability else None,
        "Parameters": [described(*one) for one in hashed(template.parameters).items()],
        "ResourceTypes": list(kinds.values()),
        "ResourceIdentifierSummaries": [
            {"ResourceType": kind, "LogicalResourceIds": [n for n, k in kinds.items() if k == kind]}
            for kind in hashed(dict.fromkeys(kinds.values()))
        ],
        "Warnings": {"UnrecognizedResourceTypes": strange} if strange else None,
    }


validate_template = get_template_summary


def get_template(view: View, request: ApiRequest) -> Answer:
    """The template of a stack or of a change set, unchanged."""
    name = request.params.get("ChangeSetName") or ""
    when = "a required parameter" if name else "required if ChangeSetName is not specified"
    require(name.startswith("arn:") or request.params.get("StackName"), f"StackName is {when}.")
    made = change_sets.find_change_set(view, request, name)[1] if name else None
    config = (made or stacks.named_stack(view, request)).config
    return {"TemplateBody": config.template, "StagesAvailable": ["Original", "Processed"]}


def get_stack_policy(view: View, request: ApiRequest) -> Answer:
    stacks.named_stack(view, request)
    return {}  # no stack has one
