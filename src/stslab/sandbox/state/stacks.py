"""The records of CloudFormation: stacks, their resources and events, change sets."""

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.state.snapshot import Moment, Opaque, Record, stored


class Config(Opaque, frozen=True, kw_only=True):
    """The template's text and the other inputs that a stack is made from."""

    template: str
    parameters: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    capabilities: tuple[str, ...] = ()


class Leftover(Opaque, frozen=True, kw_only=True):
    """A resource that an update replaced. The cleanup deletes it, unless it is ``retained``."""

    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any] = {}
    retained: bool = False


class Before(Opaque, frozen=True, kw_only=True):
    """A resource as it was before the current update."""

    physical_id: str
    properties: Mapping[str, Any] = {}
    attributes: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    replaced: bool = False  # a new physical resource was started
    retained: bool = False  # this one stays all the same
    tried: Mapping[str, Any] | None = None  # the properties that an update in place tried to set
    tried_tags: Mapping[str, str] = {}


@stored("stack", "stack_id")
class Stack(Record, frozen=True, kw_only=True):
    """A stack, with all that is needed to continue an operation after a restart."""

    stack_id: str
    name: str
    region: str
    created: Moment
    config: Config  # the current one, or the one that an operation is to reach
    status: str
    reason: str = ""
    updated: Moment | None = None
    deleted: Moment | None = None
    previous: Config | None = None  # what a rollback restores; it made what a cleanup deletes
    resources: tuple[str, ...] = ()  # logical ids, in the order of creation
    leftovers: tuple[Leftover, ...] = ()
    events: int = 0  # how many there were so far
    change_sets: tuple[str, ...] = ()  # ids, in the order of creation
    outputs: tuple[Mapping[str, str], ...] = ()
    imports: tuple[str, ...] = ()
    change_set_id: str = ""  # of the change set that was executed last
    is_direct: bool = False  # the last operation on it was not that of a change set
    caller_key: str = ""  # the access key in whose name the work is done, without a role_arn
    role_arn: str = ""
    token: str = ""
    on_failure: str = "ROLLBACK"  # OnFailure of the creation; LEAVE is DisableRollback
    protected: bool = False
    validated: bool = False  # names and properties, before the work begins
    unsparing: bool = False  # RetainExceptOnCreate: a rollback deletes all that is new
    retained: tuple[str, ...] = ()  # RetainResources of the last DeleteStack
    settled_status: str = ""  # the status before a deletion
    operations: tuple[Mapping[str, str], ...] = ()  # LastOperations

    @property
    def exists(self) -> bool:
        """Whether the stack is not deleted, and so still has its name."""
        return self.status != "DELETE_COMPLETE"


@stored("stack-resource", "stack_id", "logical_id")
class StackResource(Record, frozen=True, kw_only=True):
    stack_id: str
    logical_id: str
    type: str
    status: str
    changed: Moment
    physical_id: str = ""
    reason: str = ""
    properties: Mapping[str, Any] = {}  # the resolved ones that were last applied
    attributes: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    needs: tuple[str, ...] = ()  # the logical ids that it depends on
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str = ""
    metadata: Any = None
    initiated: bool = False  # a call was made that may have created it: it may need a deletion
    fresh: bool = False  # the current update added it
    before: Before | None = None


@stored("stack-event", "stack_id", "number")
class StackEvent(Record, frozen=True, kw_only=True):
    """One event of a stack (DescribeStackEvents). The first has ``number`` 1."""

    stack_id: str
    number: int
    event_id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    at: Moment
    reason: str = ""
    properties: str = ""
    token: str = ""
    operation: Mapping[str, str] = {}
    errors: tuple[Mapping[str, str], ...] = ()  # of a validation, as in OperationEvent


@stored("change-set", "change_set_id")
class ChangeSet(Record, frozen=True, kw_only=True):
    change_set_id: str
    stack_id: str
    name: str
    config: Config
    created: Moment
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    changes: tuple[Mapping[str, Any], ...] = ()  # as in DescribeChangeSet
    errors: tuple[Mapping[str, str], ...] = ()  # of its validation, as in OperationEvent
    description: str = ""
    role_arn: str = ""
    on_failure: str = ""
    token: str = ""
    hierarchical: bool = False  # IncludeNestedStacks


def key_in(stack_id: str, part: str | int) -> str:
    """The key of a stack's resource, by its logical id, or of its event, by its number."""
    return f"{stack_id}/{part}"
