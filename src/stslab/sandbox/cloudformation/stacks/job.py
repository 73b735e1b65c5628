"""One phase of the work on one stack, and events (CFN API Reference, "StackEvent")."""

import functools
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from stslab.sandbox.api.model import ApiFault, hashed, iso
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.work import Call
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, value_in
from stslab.sandbox.cloudformation.template.functions import NotText, Reference
from stslab.sandbox.cloudformation.template.parameters import MASK
from stslab.sandbox.cloudformation.template.template import ANATOMY, Properties, Value, as_text
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.stacks import ChangeSet, Stack, StackEvent, StackResource, key_in
from stslab.sandbox.state.state import State
from stslab.structures import mapped

USER_INITIATED = "User Initiated"
EXECUTING = "EXECUTE_IN_PROGRESS"
DELETED_STACKS_KEPT = 100

Errors = tuple[Mapping[str, str], ...]
OPERATIONS: Mapping[str, str] = ANATOMY["operations"]


def stack_becomes(
    tx: Transaction, stack: Stack, status: str, reason: str = "", errors: Errors = ()
) -> Stack:
    """Put a stack with a new status, with its event and the end of its change set."""
    executing = tx.get(ChangeSet, stack.account, stack.change_set_id)
    ended = not status.endswith("_IN_PROGRESS")
    if ended and executing and executing.execution_status == EXECUTING:
        end = "COMPLETE" if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"} else "FAILED"
        tx.put(replace(executing, execution_status=f"EXECUTE_{end}"))
    operations = stack.operations
    if status in OPERATIONS:
        begun = {"OperationType": OPERATIONS[status], "OperationId": str(uuid.uuid4())}
        operations = (begun, *(() if reason == USER_INITIATED else operations))
    stack = replace(stack, status=status, reason=reason, operations=operations)
    add_event(tx, stack, None, status, reason, errors=errors)
    return stack


def add_event(
    tx: Transaction,
    stack: Stack,
    resource: StackResource | None,
    status: str,
    reason: str = "",
    *,
    shown: Mapping[str, Value] | None = None,
    errors: Errors = (),
) -> None:
    """Add an event about a resource or about the stack itself (None).

    Its time is in milliseconds, as in AWS, and later than that of the last event, so that a client
    that asks for events after the newest known one misses none.
    """
    now, account, stack_id, number = tx.now(), stack.account, stack.stack_id, stack.events + 1
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    last = tx.get(StackEvent, account, key_in(stack_id, stack.events))
    at = at if last is None else max(at, last.at + timedelta(milliseconds=1))
    logical_id = resource.logical_id if resource else stack.name
    stamp = iso(at, "milliseconds")
    given = mapped(shown, as_text, of=object, order=hashed)
    dated = f"{status}-{stamp}" if resource and "CLEANUP" not in stack.status else ""
    event = StackEvent(
        account=account,
        stack_id=stack_id,
        number=number,
        event_id=(f"{logical_id}-" if resource else "") + (dated or str(uuid.uuid4())),
        logical_id=logical_id,
        physical_id=resource.physical_id if resource else stack_id,
        type=resource.type if resource else "AWS::CloudFormation::Stack",
        status=status,
        at=at,
        reason=reason,
        properties="" if shown is None else msgspec.json.encode(given).decode(),
        token=stack.token,
        errors=errors,
        operation=stack.operations[0] if stack.operations else {},
    )
    tx.put(event)
    tx.put(replace(stack, events=number))
    oldest = tx.get(StackEvent, account, key_in(stack_id, number - lookups.EVENTS_KEPT))
    if oldest is not None:
        tx.delete(oldest)


def forget_deleted(tx: Transaction, account: str, region: str) -> None:
    """Delete the records of deleted stacks that can't be found any more, or are too many."""
    found = [stack for stack in lookups.stacks(tx, account, region) if not stack.exists]
    deleted = [s for s in tx.all(Stack, account) if not s.exists and s.region == region]
    for stack in [each for each in deleted if each not in found[-DELETED_STACKS_KEPT:]]:
        change_sets = lookups.change_sets(tx, stack, executed=True)
        resources = lookups.resources(tx, stack).values()
        for record in (*lookups.events(tx, stack), *resources, *change_sets, stack):
            tx.delete(record)


class Interrupted(BaseException):
    """A request changed the stack's status during the work."""


class Stopped(BaseException):
    """The process is stopping; the next one continues the stack's work."""


class Job(msgspec.Struct, frozen=True, dict=True):
    """The work on one stack as long as it has the status with which it ``began``.

    ``call`` makes calls in the name of the caller or the service role, ``pause`` waits, ``failure``
    is the engine's. No transaction is open meanwhile: each change is one that reads the stack
    again, since requests may have changed it.
    """

    state: State
    began: Stack
    call: Call
    pause: Callable[[], None]
    failure: Callable[[str, str, str, str], str]

    @property
    def stack(self) -> Stack:
        return self.stack_in(self.state.snapshot)

    @property
    def resources(self) -> dict[str, StackResource]:
        return lookups.resources(self.state.snapshot, self.stack)

    def resource(self, logical_id: str, view: View | None = None) -> StackResource:
        """The stack's resource with this id, which must exist."""
        view = view or self.state.snapshot
        found = lookups.resource(view, self.stack_in(view), logical_id)
        if found is None:
            raise KeyError(logical_id)
        return found

    @functools.cached_property
    def blueprint(self) -> Blueprint:
        """The stack's template with its parameters; in a rollback, those before the update."""
        stack = self.stack
        previous = stack.previous if self._rolls_back else None
        return Blueprint(self.state.snapshot, stack, previous or stack.config)

    @property
    def _rolls_back(self) -> bool:
        return self.began.status == "UPDATE_ROLLBACK_IN_PROGRESS"

    def lookup(self, reference: Reference) -> Value:
        value = value_in({reference.name: self.resource(reference.name)}, reference)
        # The template before the update may be of an earlier version, which took these for texts.
        return value.value if self._rolls_back and isinstance(value, NotText) else value

    def stack_becomes(self, status: str, reason: str = "", **members: Value) -> None:
        with self.state.transaction() as tx:
            stack_becomes(tx, replace(self.undisturbed(tx), **members), status, reason)

    def _shown(self, logical_id: str) -> Properties | None:
        """The properties in the events, except those of a cleanup; masked if they are not known."""
        if "CLEANUP" in self.began.status:
            return None
        try:
            return self.blueprint.properties(logical_id, self.lookup, masked=True)
        except (ApiFault, KeyError):
            return {MASK: MASK}

    def resource_becomes(self, logical_id: str, status: str, reason: str = "") -> None:
        shown = self._shown(logical_id)
        with self.state.transaction() as tx:
            stack = self.undisturbed(tx)
            resource = self.resource(logical_id, tx)
            resource = replace(resource, status=status, reason=reason, changed=tx.now())
            tx.put(resource)
            add_event(tx, stack, resource, status, reason, shown=shown)

    def add_event(self, resource: StackResource, status: str, reason: str = "") -> None:
        shown = self._shown(resource.logical_id)
        with self.state.transaction() as tx:
            add_event(tx, self.stack_in(tx), resource, status, reason, shown=shown)

    def change_resource(self, logical_id: str, **members: Value) -> StackResource:
        with self.state.transaction() as tx:
            resource = replace(self.resource(logical_id, tx), **members)
            tx.put(resource)
        return resource

    def change_stack(self, **members: Value) -> None:
        with self.state.transaction() as tx:
            tx.put(replace(self.stack_in(tx), **members))

    def undisturbed(self, view: View) -> Stack:
        stack = self.stack_in(view)
        if stack.status != self.began.status:
            raise Interrupted
        return stack

    def stack_in(self, view: View) -> Stack:
        stack = view.get(Stack, self.began.account, self.began.stack_id)
        if stack is None:
            raise Interrupted
        return stack
