"""Finds stacks and what they have, and exports (User Guide, "Exporting stack output values")."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from stslab.sandbox.api.faults import invalid, require
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import ChangeSet, Stack, StackEvent, StackResource, key_in

MEMORY = timedelta(days=90)
"""For how long a deleted stack can be found (CFN API Reference, ListStacks)."""
EXPORT_LIMIT = 1_024  # the maximum size of an exported value, in bytes
EVENTS_KEPT = 2_000


def stacks(view: View, account: str, region: str) -> list[Stack]:
    """All stacks, also recently deleted ones, oldest first."""
    found = _found(view, view.all(Stack, account), region)
    return sorted(found, key=lambda stack: (stack.created, stack.stack_id))


def _found(view: View, among: Iterable[Stack], region: str) -> Iterator[Stack]:
    oldest = view.now() - MEMORY
    here = (stack for stack in among if stack.region == region)
    return (s for s in here if s.exists or s.deleted is None or s.deleted >= oldest)


def find(view: View, account: str, region: str, name_or_id: str) -> Stack | None:
    """The stack with this id, deleted or not, or the existing stack with this name; or None."""
    known = view.get(Stack, account, name_or_id)
    named = (s for s in view.all(Stack, account) if s.exists and s.name == name_or_id)
    return next(_found(view, [known] if known else named, region), None)


def addressed(view: View, request: ApiRequest) -> Stack | None:
    """The stack that a request is about, on which its permissions are checked too."""
    account, params = request.account, request.params
    owners: Iterable[str] = ()
    if (change_set := str(params.get("ChangeSetName") or "")).startswith("arn:"):
        found = view.get(ChangeSet, account, change_set)
        owners = [found.stack_id] if found else []
    elif params.get("StackName"):
        owners = [str(params["StackName"])]
    elif operation := params.get("OperationId"):
        events = view.all(StackEvent, account)
        owners = (e.stack_id for e in events if e.operation.get("OperationId") == operation)
    elif physical_id := params.get("PhysicalResourceId"):
        holding = (r for r in view.all(StackResource, account) if r.physical_id == physical_id)
        present_first = sorted(holding, key=lambda r: r.status.startswith("DELETE"))
        owners = [resource.stack_id for resource in present_first]
    stacks = (find(view, account, request.region, owner) for owner in owners)
    return next(filter(None, stacks), None)


def resources(view: View, stack: Stack) -> dict[str, StackResource]:
    """The resources of a stack by logical id, in the order of their creation."""
    return {name: found for name in stack.resources if (found := resource(view, stack, name))}


def resource(view: View, stack: Stack, logical_id: str) -> StackResource | None:
    return view.get(StackResource, stack.account, key_in(stack.stack_id, logical_id))


def change_sets(view: View, stack: Stack, *, executed: bool = False) -> list[ChangeSet]:
    """The change sets of a stack; with ``executed``, also the one that was executed last."""
    ids = (*stack.change_sets, stack.change_set_id) if executed else stack.change_sets
    return list(filter(None, (view.get(ChangeSet, stack.account, each) for each in ids)))


def events(view: View, stack: Stack) -> list[StackEvent]:
    """The events of a stack that are kept, oldest first."""
    numbers = range(max(1, stack.events - EVENTS_KEPT + 1), stack.events + 1)
    keys = (key_in(stack.stack_id, number) for number in numbers)
    return list(filter(None, (view.get(StackEvent, stack.account, key) for key in keys)))


def exports(view: View, account: str, region: str) -> dict[str, tuple[Stack, str]]:
    existing = (stack for stack in stacks(view, account, region) if stack.exists)
    outputs = ((stack, output) for stack in existing for output in stack.outputs)
    exported = (each for each in outputs if "ExportName" in each[1])
    return {output["ExportName"]: (stack, output["OutputValue"]) for stack, output in exported}


def importers(view: View, stack: Stack, name: str) -> list[str]:
    others = stacks(view, stack.account, stack.region)
    using = (one for one in others if one.exists and name in one.imports)
    return [one.name for one in using if one.stack_id != stack.stack_id]


def check_new_exports(view: View, stack: Stack, outputs: Iterable[Mapping[str, str]]) -> None:
    """Refuse exports that are empty or too long, others' names, and changes of imported exports."""
    new = dict[str, str]()
    taken = exports(view, stack.account, stack.region)
    for output in (one for one in outputs if "ExportName" in one):
        name, value = output["ExportName"], output["OutputValue"]
        cannot = f"Cannot export output {output['OutputKey']}"
        require(value.strip(), f"{cannot}. Exported values must not be empty or whitespace-only.")
        size = len(value.encode())
        too_long = f"{cannot} with length {size}. Max length of {EXPORT_LIMIT} exceeded."
        require(size <= EXPORT_LIMIT, too_long)
        holder = taken[name][0] if name in taken else stack
        if holder.stack_id != stack.stack_id:
            raise invalid(f"Export with name {name} is already exported by stack {holder.name}")
        new[name] = value
    for refusal in exports_in_use(view, stack, new):
        raise invalid(refusal)


def exports_in_use(view: View, stack: Stack, new: Mapping[str, str]) -> Iterator[str]:
    """A refusal for each export that differs from ``new`` and that other stacks import."""
    for output in stack.outputs:
        name = output.get("ExportName", "")
        users = importers(view, stack, name)
        if name and new.get(name) != output["OutputValue"] and users:
            verb = "update" if name in new else "delete"
            cannot = f"{verb.title()} canceled. Cannot {verb} export {name}"
            listed = " and ".join(filter(None, (", ".join(users[:-1]), users[-1])))
            yield f"{cannot} as it is in use by {listed}."
