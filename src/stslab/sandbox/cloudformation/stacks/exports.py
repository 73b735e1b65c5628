"""Values that one stack exports and others import.

AWS CloudFormation User Guide, "Exporting stack output values".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.stacks.state import Stack, Stacks


def exports(stacks: Stacks, account: str, region: str) -> dict[str, tuple[Stack, str]]:
    """The exports of an account in a region: by name, the stack and the value."""
    return {
        output["ExportName"]: (stack, output["OutputValue"])
        for stack in stacks.of(account, region)
        if stack.exists
        for output in stack.outputs
        if "ExportName" in output
    }


def importer(stacks: Stacks, stack: Stack) -> Callable[[str], str]:
    """What answers ``Fn::ImportValue`` in this stack."""

    def value(name: str) -> str:
        found = exports(stacks, stack.account, stack.region).get(name)
        if found is None or found[0] is stack:
            raise invalid(f"No export named {name} found.")
        return found[1]

    return value


def importers(stacks: Stacks, stack: Stack, name: str) -> list[str]:
    """The names of the stacks that import an export of this stack."""
    return [
        other.name
        for other in stacks.of(stack.account, stack.region)
        if other.exists and other is not stack and name in other.imports
    ]


def check_new(stacks: Stacks, stack: Stack, outputs: Iterable[Mapping[str, str]]) -> None:
    """Refuse exports that others have, and changes of those that others use."""
    outputs = list(outputs)
    taken = exports(stacks, stack.account, stack.region)
    for output in outputs:
        name = output.get("ExportName", "")
        holder = taken.get(name, (stack, ""))[0]
        if holder is not stack:
            raise invalid(f"Export with name {name} is already exported by stack {holder.name}")
    check_in_use(
        stacks, stack, {o["ExportName"]: o["OutputValue"] for o in outputs if "ExportName" in o}
    )


def check_in_use(stacks: Stacks, stack: Stack, staying: Mapping[str, str]) -> None:
    """Refuse to delete or change an export that another stack imports."""
    for output in stack.outputs:
        name = output.get("ExportName", "")
        if not name or staying.get(name) == output["OutputValue"]:
            continue
        users = importers(stacks, stack, name)
        if users:
            verb = "update" if name in staying else "delete"
            raise invalid(f"Cannot {verb} export {name} as it is in use by {' and '.join(users)}.")
