"""Gives stacks their statuses, and writes what happens to them into their history.

AWS CloudFormation API Reference, "StackEvent".
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.template.functions import as_text
from stslab.sandbox.cloudformation.template.source import Value
from stslab.sandbox.state.snapshot import Transaction
from stslab.sandbox.state.stacks import Stack, StackEvent, StackResource, event_key

USER_INITIATED = "User Initiated"
DELETED_STACKS_KEPT = 100
"""How many deleted stacks an account remembers; AWS remembers them for 90 days."""

_STACK_TYPE = "AWS::CloudFormation::Stack"
_MILLISECOND = timedelta(milliseconds=1)


def stack_becomes(tx: Transaction, stack: Stack, status: str, reason: str = "") -> None:
    _append(
        tx,
        replace(stack, status=status, reason=reason),
        event_id=str(uuid.uuid4()),
        logical_id=stack.name,
        physical_id=stack.stack_id,
        type=_STACK_TYPE,
        at=_time(tx, stack),
        status=status,
        reason=reason,
    )


def note(
    tx: Transaction,
    stack: Stack,
    resource: StackResource,
    status: str,
    reason: str = "",
    *,
    shown: Mapping[str, Value] | None = None,
) -> None:
    at = _time(tx, stack)
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    _append(
        tx,
        stack,
        event_id=f"{resource.logical_id}-{status}-{stamp}",
        logical_id=resource.logical_id,
        physical_id=resource.physical_id,
        type=resource.type,
        at=at,
        status=status,
        reason=reason,
        properties="" if shown is None else json.dumps(_texts(shown)),
    )


def _append(tx: Transaction, stack: Stack, **members: Value) -> None:
    number = stack.events + 1
    account, stack_id, token = stack.account, stack.stack_id, stack.token
    tx.put(StackEvent(account=account, stack_id=stack_id, number=number, token=token, **members))
    tx.put(replace(stack, events=number))
    forgotten = tx.get(StackEvent, account, event_key(stack_id, number - lookups.EVENTS_KEPT))
    if forgotten is not None:
        tx.delete(forgotten)


def _time(tx: Transaction, stack: Stack) -> datetime:
    """When the next event is: in milliseconds, as AWS gives them, and after the last one.

    A client that asks for what came after the newest event it has seen misses none.
    """
    now = tx.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    last = tx.get(StackEvent, stack.account, event_key(stack.stack_id, stack.events))
    return now if last is None else max(now, last.at + _MILLISECOND)


def _texts(value: Value) -> Value:
    """Properties as events show them: scalars are texts."""
    if isinstance(value, Mapping):
        return {str(key): _texts(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return as_text(value)


def forget_long_deleted(tx: Transaction, account: str, region: str) -> None:
    """Delete what is kept of all but the last deleted stacks."""
    deleted = [stack for stack in lookups.stacks(tx, account, region) if not stack.exists]
    for stack in deleted[:-DELETED_STACKS_KEPT]:
        for record in (*lookups.events(tx, stack), *lookups.resources(tx, stack).values(), stack):
            tx.delete(record)
