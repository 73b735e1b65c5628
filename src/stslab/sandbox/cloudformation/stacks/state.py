"""What CloudFormation keeps: stacks, their resources, events and change sets.

All of it is plain data that pickles. Whoever changes it holds the world's write lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stslab.sandbox.saved.tables import Table

DELETED_STACKS_KEPT = 100
"""How many deleted stacks an account remembers; AWS remembers them for 90 days."""


@dataclass
class Config:
    """What a stack is made from: one deployment's template and all that came with it."""

    template: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)


@dataclass
class Remains:
    """Something physical that a stack no longer wants, to be deleted in the cleanup."""

    logical_id: str
    type: str
    physical_id: str
    properties: dict[str, Any] = field(default_factory=dict, repr=False)
    retained: bool = False


@dataclass
class Snapshot:
    """A resource as it was before the update under way.

    ``tried`` and ``tried_tags`` are what the update began to make of it in place.
    """

    physical_id: str
    properties: dict[str, Any] = field(default_factory=dict, repr=False)
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    replaced: bool = False
    tried: dict[str, Any] | None = field(default=None, repr=False)
    tried_tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Resource:
    """One resource of a stack.

    ``properties`` are resolved, as they were last applied. ``initiated`` says that a call
    was made that may have made something, so that there may be something to delete.
    ``fresh`` says that the update under way added it.
    """

    logical_id: str
    type: str
    status: str
    changed: datetime
    physical_id: str = ""
    reason: str = ""
    properties: dict[str, Any] = field(default_factory=dict, repr=False)
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)
    tags: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    deletion_policy: str = "Delete"
    description: str = ""
    metadata: Any = None
    initiated: bool = False
    fresh: bool = False
    before: Snapshot | None = None


@dataclass(frozen=True)
class Event:
    """One line of a stack's history (DescribeStackEvents)."""

    event_id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    at: datetime
    reason: str = ""
    properties: str = field(default="", repr=False)
    token: str = ""


@dataclass
class ChangeSet:
    """A change set of a stack (DescribeChangeSet)."""

    change_set_id: str
    name: str
    kind: str
    config: Config
    created: datetime
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    changes: list[dict[str, Any]] = field(default_factory=list, repr=False)
    description: str = ""
    role_arn: str = ""
    on_failure: str = ""


@dataclass
class Stack:
    """A stack, with all that is needed to go on with what is under way.

    ``interrupted`` tells whoever works on it that its status was changed by someone else.
    ``config`` is what the stack is, or is on its way to; ``previous`` what an update goes back
    to when it fails. ``caller_key`` is the access key in whose name the work is done.
    """

    stack_id: str
    name: str
    account: str
    region: str
    created: datetime
    config: Config
    status: str = "CREATE_IN_PROGRESS"
    reason: str = ""
    updated: datetime | None = None
    deleted: datetime | None = None
    previous: Config | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    remains: list[Remains] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list, repr=False)
    imports: list[str] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    change_set_id: str = ""
    caller_key: str = ""
    role_arn: str = ""
    token: str = ""
    on_failure: str = "ROLLBACK"
    timeout_minutes: int | None = None
    deadline: datetime | None = None
    protected: bool = False
    retained: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    forced: bool = False
    settled_status: str = ""
    interrupted: bool = False

    @property
    def exists(self) -> bool:
        """Whether the stack still has its name."""
        return self.status != "DELETE_COMPLETE"

    @property
    def busy(self) -> bool:
        """Whether work on it is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


class Stacks:
    """All stacks of a world, oldest first; a part of what the world saves, row by row."""

    def __init__(self) -> None:
        self.rows: Table[str, Stack] = Table()

    def add(self, stack: Stack) -> None:
        """Keep a stack under its id."""
        self.rows[stack.stack_id] = stack

    def touch(self, stack: Stack) -> None:
        """Say that a stack changed."""
        self.rows.touch(stack.stack_id)

    def all(self) -> list[Stack]:
        """Every stack of the world."""
        return list(self.rows.values())

    def has(self, stack: Stack) -> bool:
        """Whether a stack is kept."""
        return stack.stack_id in self.rows

    def of(self, account: str, region: str) -> Iterator[Stack]:
        """The stacks of one account in one region, oldest first."""
        return (s for s in self.all() if (s.account, s.region) == (account, region))

    def find(self, account: str, region: str, name_or_id: str) -> Stack | None:
        """A stack by id, deleted or not; or by name, if it is not deleted."""
        found = self.rows.get(name_or_id)
        if found is not None:
            return found if (found.account, found.region) == (account, region) else None
        named = (s for s in self.of(account, region) if s.name == name_or_id and s.exists)
        return next(named, None)

    def addressed(self, account: str, region: str, params: Mapping[str, Any]) -> Stack | None:
        """The stack that a request is about: its change set's, its resource's, or the named one.

        The operations take them in this order too: what is permitted is what is done.
        """
        change_set = str(params.get("ChangeSetName") or "")
        if change_set.startswith("arn:"):
            return self.with_change_set(account, region, change_set)
        if params.get("StackName"):
            return self.find(account, region, str(params["StackName"]))
        physical_id = params.get("PhysicalResourceId")
        return self.holding(account, region, str(physical_id)) if physical_id else None

    def with_change_set(self, account: str, region: str, change_set_id: str) -> Stack | None:
        """The stack that has the change set of this id."""
        for stack in self.of(account, region):
            if any(each.change_set_id == change_set_id for each in stack.change_sets.values()):
                return stack
        return None

    def holding(self, account: str, region: str, physical_id: str) -> Stack | None:
        """The stack that has a resource of this physical id."""
        for stack in self.of(account, region):
            if any(each.physical_id == physical_id for each in stack.resources.values()):
                return stack
        return None

    def forget_long_deleted(self, account: str, region: str) -> None:
        """Forget the oldest deleted stacks, so that a long life needs no more memory."""
        deleted = [stack for stack in self.of(account, region) if not stack.exists]
        for stack in deleted[:-DELETED_STACKS_KEPT]:
            del self.rows[stack.stack_id]
