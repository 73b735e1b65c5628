"""One phase of the work on one stack: its calls, its pauses, and what it records.

A job holds no transaction while it calls or waits. What it records is in one, which begins with
the stack as it is by then: requests may have changed it. AWS CloudFormation API Reference,
"StackEvent".
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.resources.work import Call, Properties
from stslab.sandbox.cloudformation.template.blueprint import Blueprint, Lookup, lookup_in
from stslab.sandbox.cloudformation.template.functions import as_text
from stslab.sandbox.cloudformation.template.template import Value
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.state.stacks import (
    ChangeSet,
    Config,
    Stack,
    StackEvent,
    StackResource,
    event_key,
)
from stslab.sandbox.state.state import State
from stslab.structures import mapped

USER_INITIATED = "User Initiated"
EXECUTING = "EXECUTE_IN_PROGRESS"
EXECUTED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
"""The statuses of a stack that say that its change set was carried out."""
DELETED_STACKS_KEPT = 100
"""How many deleted stacks an account remembers at most."""

_MILLISECOND = timedelta(milliseconds=1)


def stack_becomes(tx: Transaction, stack: Stack, status: str, reason: str = "") -> None:
    found = tx.get(ChangeSet, stack.account, stack.change_set_id)
    if found and found.execution_status == EXECUTING and not status.endswith("_IN_PROGRESS"):
        end = "EXECUTE_COMPLETE" if status in EXECUTED else "EXECUTE_FAILED"
        tx.put(replace(found, execution_status=end))
    note(tx, replace(stack, status=status, reason=reason), None, status, reason)


def note(
    tx: Transaction,
    stack: Stack,
    resource: StackResource | None,
    status: str,
    reason: str = "",
    *,
    shown: Mapping[str, Value] | None = None,
) -> None:
    """One more event, about a resource or about the stack itself.

    Its time is in milliseconds, as AWS gives them, and after that of the last one: a client that
    asks for what came after the newest event it has seen misses none.
    """
    now, account, stack_id, number = tx.now(), stack.account, stack.stack_id, stack.events + 1
    at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    last = tx.get(StackEvent, account, event_key(stack_id, stack.events))
    at = at if last is None else max(at, last.at + _MILLISECOND)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    logical_id = resource.logical_id if resource else stack.name
    event = StackEvent(
        account=account,
        stack_id=stack_id,
        number=number,
        event_id=f"{logical_id}-{status}-{stamp}" if resource else str(uuid.uuid4()),
        logical_id=logical_id,
        physical_id=resource.physical_id if resource else stack_id,
        type=resource.type if resource else "AWS::CloudFormation::Stack",
        status=status,
        at=at,
        reason=reason,
        properties="" if shown is None else json.dumps(mapped(shown, as_text, of=object)),
        token=stack.token,
    )
    tx.put(event)
    tx.put(replace(stack, events=number))
    forgotten = tx.get(StackEvent, account, event_key(stack_id, number - lookups.EVENTS_KEPT))
    if forgotten is not None:
        tx.delete(forgotten)


def forget_long_deleted(tx: Transaction, account: str, region: str) -> None:
    """Delete what is kept of stacks that nobody finds any more, or of too many."""
    found = [stack for stack in lookups.stacks(tx, account, region) if stack.deleted]
    known = {stack.stack_id for stack in found[-DELETED_STACKS_KEPT:]}
    deleted = [stack for stack in tx.all(Stack, account) if stack.deleted]
    for stack in [one for one in deleted if one.region == region and one.stack_id not in known]:
        change_sets = lookups.change_sets(tx, stack, executed=True)
        resources = lookups.resources(tx, stack).values()
        for record in (*lookups.events(tx, stack), *resources, *change_sets, stack):
            tx.delete(record)


Failure = Callable[[str, str, str, str], str]
"""Why the work on a resource fails, or nothing: a rehearsal's.

It is given the stack's id, the logical id, the type, and CREATE, UPDATE or DELETE.
"""


class Interrupted(BaseException):
    """A request gave the stack another status while it was worked on."""


class Stopped(BaseException):
    """The sandbox is going down; the stack's work goes on when it is up again."""


@dataclass(frozen=True)
class Job:
    """The work on one stack for as long as its status is ``phase``.

    ``call`` acts in the name of whoever began the work, ``pause`` waits for as long as a
    resource takes.
    """

    state: State
    account: str
    stack_id: str
    phase: str
    call: Call
    pause: Callable[[], None]
    failure: Failure

    @property
    def stack(self) -> Stack:
        return self.stack_in(self.state.snapshot)

    @property
    def resources(self) -> dict[str, StackResource]:
        view = self.state.snapshot
        return lookups.resources(view, self.stack_in(view))

    def resource(self, logical_id: str) -> StackResource:
        return self._resource(self.state.snapshot, logical_id)

    def blueprint(self, config: Config | None = None) -> Blueprint:
        """What the stack is to be, or what another configuration makes of it."""
        view = self.state.snapshot
        stack = self.stack_in(view)
        return Blueprint(stack, config or stack.config, lookups.importer(view, stack))

    @property
    def lookup(self) -> Lookup:
        """What references to the stack's resources give now."""
        return lookup_in(self.resources)

    def stack_becomes(self, status: str, reason: str = "") -> None:
        with self.state.transaction() as tx:
            stack_becomes(tx, self._undisturbed(tx), status, reason)

    def resource_becomes(
        self, logical_id: str, status: str, reason: str = "", shown: Properties | None = None
    ) -> None:
        with self.state.transaction() as tx:
            stack, resource = self._undisturbed(tx), self._resource(tx, logical_id)
            resource = replace(resource, status=status, reason=reason, changed=tx.now())
            tx.put(resource)
            note(tx, stack, resource, status, reason, shown=shown)

    def note(
        self, resource: StackResource, status: str, reason: str = "", shown: Value = None
    ) -> None:
        with self.state.transaction() as tx:
            note(tx, self.stack_in(tx), resource, status, reason, shown=shown)

    def keep(self, logical_id: str, **members: Value) -> StackResource:
        with self.state.transaction() as tx:
            resource = replace(self._resource(tx, logical_id), **members)
            tx.put(resource)
        return resource

    def keep_in_stack(self, **members: Value) -> None:
        with self.state.transaction() as tx:
            tx.put(replace(self.stack_in(tx), **members))

    def _undisturbed(self, view: View) -> Stack:
        stack = self.stack_in(view)
        if stack.status != self.phase:
            raise Interrupted
        return stack

    def stack_in(self, view: View) -> Stack:
        stack = view.get(Stack, self.account, self.stack_id)
        if stack is None:
            raise Interrupted
        return stack

    def _resource(self, view: View, logical_id: str) -> StackResource:
        found = lookups.resource(view, self.stack_in(view), logical_id)
        if found is None:
            raise KeyError(logical_id)
        return found
