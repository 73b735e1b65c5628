"""The faults that CloudFormation answers, by the code that each carries."""

from __future__ import annotations

from stslab.sandbox.api.model import ApiFault

NOT_FOUND = 404


def invalid(message: str) -> ApiFault:
    """A ``ValidationError``, CloudFormation's answer to most things that are wrong."""
    return ApiFault("ValidationError", message)


def already_exists(what: str) -> ApiFault:
    """The answer to a name of a stack or change set that is in use."""
    return ApiFault("AlreadyExistsException", f"{what} already exists")


def no_such_change_set(name: str) -> ApiFault:
    """The answer to a name or id that names no change set (DescribeChangeSet, Errors)."""
    return ApiFault("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", NOT_FOUND)


def no_such_stack(name: str) -> ApiFault:
    """The answer to a name or id that names no stack, where the stack would be changed."""
    return invalid(f"Stack [{name}] does not exist")
