"""Where one stack's work is done: its calls, its clock, and its history."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stslab.sandbox.cloudformation.resources.work import Call, Ground
from stslab.sandbox.cloudformation.stacks.exports import importer
from stslab.sandbox.cloudformation.stacks.state import Config, Event, Resource, Stack, Stacks
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.functions import as_text

STACK_TYPE = "AWS::CloudFormation::Stack"
USER_INITIATED = "User Initiated"
EVENTS_KEPT = 2_000
"""How many events a stack remembers."""


class Interrupted(BaseException):
    """Someone gave the stack another direction while it was worked on."""


class Stopped(BaseException):
    """The sandbox is going down; the stack's work goes on when it is up again."""


def nothing_hinders(_stack_id: str, _resource: str, _type: str, _verb: str) -> str:
    """Whatever can be done is done."""
    return ""


@dataclass(frozen=True)
class Temper:
    """How stacks behave. ``pace`` tells the seconds of the next pause, two for a resource.

    ``hindrance`` is asked before a resource is worked on (stack id, logical id, type, and
    CREATE, UPDATE or DELETE) and says why that fails, or nothing.
    """

    pace: Callable[[], float]
    hindrance: Callable[[str, str, str, str], str] = nothing_hinders


@dataclass
class Site:
    """What the work on one stack needs.

    ``call`` acts in the name of whoever owns the work. ``changing`` guards and saves a
    change of the stack. ``pause`` waits for as long as a resource takes here. ``hindrance``
    is that of :class:`Temper`.
    """

    stack: Stack
    stacks: Stacks
    call: Call
    ground: Ground
    now: Callable[[], datetime]
    changing: Callable[[Stack], AbstractContextManager[None]]
    pause: Callable[[], None]
    hindrance: Callable[[str, str, str, str], str] = nothing_hinders

    def blueprint(self, config: Config | None = None) -> Blueprint:
        """What the stack is to be, or what another configuration makes of it."""
        return Blueprint(self.stack, config or self.stack.config, importer(self.stacks, self.stack))

    def stack_becomes(self, status: str, reason: str = "") -> None:
        """Give the stack a status, with the event that says so."""
        with self.changing(self.stack):
            self._heed()
            set_status(self.stack, status, self.now(), reason)

    def resource_becomes(
        self,
        resource: Resource,
        status: str,
        reason: str = "",
        shown: Mapping[str, Any] | None = None,
    ) -> None:
        """Give a resource a status, with the event that says so."""
        with self.changing(self.stack):
            self._heed()
            resource.status, resource.reason, resource.changed = status, reason, self.now()
            self.note(resource, status, reason, shown)

    def _heed(self) -> None:
        if self.stack.interrupted:
            self.stack.interrupted = False
            raise Interrupted

    def note(
        self,
        resource: Resource,
        status: str,
        reason: str = "",
        shown: Mapping[str, Any] | None = None,
    ) -> None:
        """Put an event of a resource into the stack's history."""
        at = self.now()
        event = Event(
            event_id=f"{resource.logical_id}-{status}-{_stamp(at)}-{uuid.uuid4().hex[:8]}",
            logical_id=resource.logical_id,
            physical_id=resource.physical_id,
            type=resource.type,
            status=status,
            at=at,
            reason=reason,
            properties="" if shown is None else json.dumps(_texts(shown)),
            token=self.stack.token,
        )
        with self.changing(self.stack):
            append(self.stack, event)


def set_status(stack: Stack, status: str, now: datetime, reason: str = "") -> None:
    """Give a stack a status and an event of it; for whoever holds the write lock."""
    stack.status, stack.reason = status, reason
    event = Event(
        event_id=str(uuid.uuid4()),
        logical_id=stack.name,
        physical_id=stack.stack_id,
        type=STACK_TYPE,
        status=status,
        at=now,
        reason=reason,
        token=stack.token,
    )
    append(stack, event)


def append(stack: Stack, event: Event) -> None:
    """Add to a stack's history, forgetting its oldest events beyond what is kept."""
    stack.events.append(event)
    del stack.events[:-EVENTS_KEPT]


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _texts(value: Any) -> Any:
    """Properties as events show them: scalars are texts."""
    if isinstance(value, Mapping):
        return {str(key): _texts(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return as_text(value)
