"""Finds stacks, what belongs to them, and what they export and import.

AWS CloudFormation User Guide, "Exporting stack output values".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import (
    ChangeSet,
    Stack,
    StackEvent,
    StackResource,
    event_key,
    resource_key,
)

MEMORY = timedelta(days=90)
"""For how long a deleted stack is known (CFN API Reference, ListStacks)."""
EVENTS_KEPT = 2_000
"""How many events a stack remembers."""


def stacks(view: View, account: str, region: str) -> list[Stack]:
    there = (stack for stack in view.all(Stack, account) if stack.region == region)
    found = [stack for stack in there if _is_remembered(view, stack)]
    return sorted(found, key=lambda stack: (stack.created, stack.stack_id))


def _is_remembered(view: View, stack: Stack) -> bool:
    return stack.deleted is None or view.now() - stack.deleted <= MEMORY


def find(view: View, account: str, region: str, name_or_id: str) -> Stack | None:
    """A stack by id, deleted or not; or by name, if it is not deleted."""
    found = view.get(Stack, account, name_or_id)
    if found is not None:
        return found if found.region == region and _is_remembered(view, found) else None
    named = (s for s in view.all(Stack, account) if s.name == name_or_id and s.exists)
    return next((stack for stack in named if stack.region == region), None)


def addressed(view: View, account: str, region: str, params: Mapping[str, Any]) -> Stack | None:
    """The stack that a request is about: its change set's, the named one, or its resource's.

    The operations take them in this order too: what is permitted is what is done.
    """
    change_set = str(params.get("ChangeSetName") or "")
    if change_set.startswith("arn:"):
        found = view.get(ChangeSet, account, change_set)
        return None if found is None else find(view, account, region, found.stack_id)
    if params.get("StackName"):
        return find(view, account, region, str(params["StackName"]))
    physical_id = params.get("PhysicalResourceId")
    return holding(view, account, region, str(physical_id)) if physical_id else None


def holding(view: View, account: str, region: str, physical_id: str) -> Stack | None:
    for resource in view.all(StackResource, account):
        if resource.physical_id == physical_id:
            found = find(view, account, region, resource.stack_id)
            if found is not None:
                return found
    return None


def resources(view: View, stack: Stack) -> dict[str, StackResource]:
    found = {name: resource(view, stack, name) for name in stack.resources}
    return {name: one for name, one in found.items() if one is not None}


def resource(view: View, stack: Stack, logical_id: str) -> StackResource | None:
    return view.get(StackResource, stack.account, resource_key(stack.stack_id, logical_id))


def change_sets(view: View, stack: Stack, *, executed: bool = False) -> list[ChangeSet]:
    """Those that may be executed; and the one that was executed last, which has only its id."""
    ids = (*stack.change_sets, stack.change_set_id) if executed else stack.change_sets
    found = (view.get(ChangeSet, stack.account, one) for one in ids)
    return [one for one in found if one is not None]


def events(view: View, stack: Stack) -> list[StackEvent]:
    """The stack's history as far as it is remembered, oldest first."""
    numbers = range(max(1, stack.events - EVENTS_KEPT + 1), stack.events + 1)
    found = (view.get(StackEvent, stack.account, event_key(stack.stack_id, n)) for n in numbers)
    return [one for one in found if one is not None]


def exports(view: View, account: str, region: str) -> dict[str, tuple[Stack, str]]:
    return {
        output["ExportName"]: (stack, output["OutputValue"])
        for stack in stacks(view, account, region)
        if stack.exists
        for output in stack.outputs
        if "ExportName" in output
    }


def importer(view: View, stack: Stack, missing: str = "") -> Callable[[str], str]:
    """What a stack's imports give; ``missing`` stands for those that are not there, or none may."""

    def value(name: str) -> str:
        found = exports(view, stack.account, stack.region).get(name)
        if found is not None and found[0].stack_id != stack.stack_id:
            return found[1]
        require(missing, f"No export named {name} found.")
        return missing

    return value


def importers(view: View, stack: Stack, name: str) -> list[str]:
    return [
        other.name
        for other in stacks(view, stack.account, stack.region)
        if other.exists and other.stack_id != stack.stack_id and name in other.imports
    ]


def check_new_exports(view: View, stack: Stack, outputs: Iterable[Mapping[str, str]]) -> None:
    """Refuse exports that others have, and changes of those that others use."""
    new = {o["ExportName"]: o["OutputValue"] for o in outputs if "ExportName" in o}
    taken = exports(view, stack.account, stack.region)
    for name in new:
        holder = taken[name][0] if name in taken else stack
        if holder.stack_id != stack.stack_id:
            raise invalid(f"Export with name {name} is already exported by stack {holder.name}")
    for name, users in exports_in_use(view, stack, new):
        verb = "updated" if name in new else "deleted"
        raise invalid(f"Export {name} cannot be {verb} as it is in use by {users}")


def exports_in_use(
    view: View, stack: Stack, staying: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The exports that would change or go, each with the other stacks that import it."""
    for output in stack.outputs:
        name = output.get("ExportName", "")
        users = importers(view, stack, name)
        if name and staying.get(name) != output["OutputValue"] and users:
            yield name, " and ".join(users)
