"""The faults that CloudFormation answers, by the code that each carries."""

from __future__ import annotations

from stslab.sandbox.api.model import ApiFault

NOT_FOUND = 404


def invalid(message: str) -> ApiFault:
    """A ``ValidationError``, CloudFormation's answer to most things that are wrong."""
    return ApiFault("ValidationError", message)


def no_such_stack(name: str) -> ApiFault:
    """The answer to a name or id that names no stack (DescribeStacks, Errors)."""
    return invalid(f"Stack with id {name} does not exist")


def no_such_stack_here(name: str) -> ApiFault:
    """The same, in the words of the operations on change sets and resources."""
    return invalid(f"Stack [{name}] does not exist")


def no_such_change_set(name: str) -> ApiFault:
    """The answer to a name or id that names no change set (DescribeChangeSet, Errors)."""
    return ApiFault("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", NOT_FOUND)


def needs_capabilities(capability: str) -> ApiFault:
    """The answer to a template whose IAM resources are not acknowledged."""
    return ApiFault("InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]")


def stack_exists(name: str) -> ApiFault:
    """The answer to a stack name that is in use (CreateStack, Errors)."""
    return ApiFault("AlreadyExistsException", f"Stack [{name}] already exists")


def change_set_exists(name: str) -> ApiFault:
    """The answer to a change set name that is in use on this stack (CreateChangeSet, Errors)."""
    return ApiFault("AlreadyExistsException", f"ChangeSet {name} already exists")


def wrong_change_set_state(change_set_id: str, status: str) -> ApiFault:
    """The answer to executing or deleting a change set at the wrong time."""
    return ApiFault(
        "InvalidChangeSetStatus",
        f"ChangeSet [{change_set_id}] cannot be executed in its current status of [{status}]",
    )
