"""Values that one stack exports and others import.

AWS CloudFormation User Guide, "Exporting stack output values".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.stacks import Stack


def exports(view: View, account: str, region: str) -> dict[str, tuple[Stack, str]]:
    """The exports of an account in a region: by name, the stack and the value."""
    return {
        output["ExportName"]: (stack, output["OutputValue"])
        for stack in lookups.stacks(view, account, region)
        if stack.exists
        for output in stack.outputs
        if "ExportName" in output
    }


def importer(view: View, stack: Stack) -> Callable[[str], str]:
    """What answers ``Fn::ImportValue`` in this stack."""

    def value(name: str) -> str:
        found = exports(view, stack.account, stack.region).get(name)
        if found is None or found[0].stack_id == stack.stack_id:
            raise invalid(f"No export named {name} found.")
        return found[1]

    return value


def importers(view: View, stack: Stack, name: str) -> list[str]:
    """The names of the stacks that import an export of this stack."""
    return [
        other.name
        for other in lookups.stacks(view, stack.account, stack.region)
        if other.exists and other.stack_id != stack.stack_id and name in other.imports
    ]


def check_new(view: View, stack: Stack, outputs: Iterable[Mapping[str, str]]) -> None:
    """Refuse exports that others have, and changes of those that others use."""
    new = {o["ExportName"]: o["OutputValue"] for o in outputs if "ExportName" in o}
    taken = exports(view, stack.account, stack.region)
    for name in new:
        holder = taken[name][0] if name in taken else stack
        if holder.stack_id != stack.stack_id:
            raise invalid(f"Export with name {name} is already exported by stack {holder.name}")
    check_in_use(view, stack, new)


def check_in_use(view: View, stack: Stack, staying: Mapping[str, str]) -> None:
    """Refuse to delete or change an export that another stack imports."""
    for output in stack.outputs:
        name = output.get("ExportName", "")
        if not name or staying.get(name) == output["OutputValue"]:
            continue
        users = importers(view, stack, name)
        if users:
            verb = "update" if name in staying else "delete"
            raise invalid(f"Cannot {verb} export {name} as it is in use by {' and '.join(users)}.")
