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
    """A resource as it was before the current update.

    ``tried`` and ``tried_tags`` are the properties and tags that an update in place tried to set.
    ``replaced``: a new physical resource was started. ``retained``: this one stays all the same.
    """

    physical_id: str
    properties: Mapping[str, Any] = {}
    attributes: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    replaced: bool = False
    retained: bool = False
    tried: Mapping[str, Any] | None = None
    tried_tags: Mapping[str, str] = {}


@stored("stack", "stack_id")
class Stack(Record, frozen=True, kw_only=True):
    """A stack, with all that is needed to continue an operation after a restart.

    ``config`` is the current or the target configuration, ``previous`` the one that a failed
    update rolls back to. ``resources`` are logical ids and ``change_sets`` ids, in the order of
    their creation; ``events`` is the number of events so far. ``caller_key`` is the access key
    in whose name the work is done, if there is no ``role_arn``. ``settled_status`` is the status
    before a deletion, ``retained`` the RetainResources of the last DeleteStack. ``unsparing``: a
    rollback deletes new resources whatever their DeletionPolicy (RetainExceptOnCreate).
    ``on_failure`` is OnFailure of the creation; LEAVE is DisableRollback.
    ``operations`` are the last request's and those that followed from it, as in LastOperations.
    """

    stack_id: str
    name: str
    region: str
    created: Moment
    config: Config
    status: str
    reason: str = ""
    updated: Moment | None = None
    deleted: Moment | None = None
    previous: Config | None = None
    resources: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    events: int = 0
    change_sets: tuple[str, ...] = ()
    outputs: tuple[Mapping[str, str], ...] = ()
    imports: tuple[str, ...] = ()
    change_set_id: str = ""
    caller_key: str = ""
    role_arn: str = ""
    token: str = ""
    on_failure: str = "ROLLBACK"
    protected: bool = False
    unsparing: bool = False
    retained: tuple[str, ...] = ()
    settled_status: str = ""
    operations: tuple[Mapping[str, str], ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the stack is not deleted, and so still has its name."""
        return self.status != "DELETE_COMPLETE"


@stored("stack-resource", "stack_id", "logical_id")
class StackResource(Record, frozen=True, kw_only=True):
    """One resource of a stack.

    ``properties`` are the resolved ones that were last applied. ``needs`` are the logical ids
    that it depends on. ``initiated``: a call was made that may have created it, so there may be
    something to delete. ``fresh``: the current update added it.
    """

    stack_id: str
    logical_id: str
    type: str
    status: str
    changed: Moment
    physical_id: str = ""
    reason: str = ""
    properties: Mapping[str, Any] = {}
    attributes: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    description: str = ""
    metadata: Any = None
    initiated: bool = False
    fresh: bool = False
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
    detail: str = ""


@stored("change-set", "change_set_id")
class ChangeSet(Record, frozen=True, kw_only=True):
    """A change set of a stack. ``changes`` are as DescribeChangeSet returns them.

    ``errors`` are those of its validation, with the members of OperationEvent.
    """

    change_set_id: str
    stack_id: str
    name: str
    config: Config
    created: Moment
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    changes: tuple[Mapping[str, Any], ...] = ()
    errors: tuple[Mapping[str, str], ...] = ()
    description: str = ""
    role_arn: str = ""
    on_failure: str = ""
    token: str = ""


def key_in(stack_id: str, part: str | int) -> str:
    """The key of a stack's resource, by its logical id, or of its event, by its number."""
    return f"{stack_id}/{part}"
