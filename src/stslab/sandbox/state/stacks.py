"""CloudFormation's stacks, their resources and events, and change sets."""

from collections.abc import Mapping
from typing import Any, ClassVar

from stslab.sandbox.state.snapshot import Moment, Opaque, Record


class Config(Opaque, frozen=True, kw_only=True):
    """What a stack is made from: a template's text and all that a request gave with it."""

    template: str
    parameters: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    capabilities: tuple[str, ...] = ()


class Leftover(Opaque, frozen=True, kw_only=True):
    """What an update replaced, for the cleanup to delete, or to leave where it is retained."""

    logical_id: str
    type: str
    physical_id: str
    properties: Mapping[str, Any] = {}
    retained: bool = False


class Before(Opaque, frozen=True, kw_only=True):
    """A resource as it was before the update under way.

    ``tried`` and ``tried_tags`` are what the update began to make of it in place. ``replaced``
    says that another physical resource was begun, ``retained`` that this one stays all the same.
    """

    physical_id: str
    properties: Mapping[str, Any] = {}
    attributes: Mapping[str, Any] = {}
    tags: Mapping[str, str] = {}
    replaced: bool = False
    retained: bool = False
    tried: Mapping[str, Any] | None = None
    tried_tags: Mapping[str, str] = {}


class Stack(Record, frozen=True, kw_only=True):
    """A stack, with all that is needed to go on with what is under way.

    ``config`` is what the stack is, or is on its way to; ``previous`` what an update goes back
    to when it fails. ``resources`` are logical ids, ``change_sets`` ids, in the order in which
    they were made; ``events`` counts all that there ever were. ``caller_key`` is the access key
    in whose name the work is done, where there is no ``role_arn``. ``settled_status`` is the
    status before a deletion began, ``retained`` what the last DeleteStack said, ``unsparing``
    that a rollback deletes new resources whatever their DeletionPolicy (RetainExceptOnCreate).
    """

    table: ClassVar[str] = "stack"
    keyed_by: ClassVar[str] = "stack_id"

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

    @property
    def exists(self) -> bool:
        """Whether the stack still has its name."""
        return self.status != "DELETE_COMPLETE"


class StackResource(Record, frozen=True, kw_only=True):
    """One resource of a stack.

    ``properties`` are resolved, as they were last applied. ``needs`` are the logical ids that
    it depends on. ``initiated`` says that a call was made that may have made something, so that
    there may be something to delete. ``fresh`` says that the update under way added it.
    """

    table: ClassVar[str] = "stack-resource"

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

    @property
    def key(self) -> str:
        return resource_key(self.stack_id, self.logical_id)


class StackEvent(Record, frozen=True, kw_only=True):
    """One line of a stack's history (DescribeStackEvents). ``number`` is 1 for the first."""

    table: ClassVar[str] = "stack-event"

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

    @property
    def key(self) -> str:
        return event_key(self.stack_id, self.number)


class ChangeSet(Record, frozen=True, kw_only=True):
    """A change set of a stack. ``changes`` are those that DescribeChangeSet shows."""

    table: ClassVar[str] = "change-set"
    keyed_by: ClassVar[str] = "change_set_id"

    change_set_id: str
    stack_id: str
    name: str
    config: Config
    created: Moment
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    changes: tuple[Mapping[str, Any], ...] = ()
    description: str = ""
    role_arn: str = ""
    on_failure: str = ""


def resource_key(stack_id: str, logical_id: str) -> str:
    return f"{stack_id}/{logical_id}"


def event_key(stack_id: str, number: int) -> str:
    return f"{stack_id}/{number}"
