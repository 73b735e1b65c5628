"""Does the work of stacks in the background: one thread for each stack that is worked on.

Where a stack stands is in its status alone, so the work can go on after any interruption:
:meth:`Engine.resume` takes up what a sandbox that went down left in the middle.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from stslab.sandbox.api.failures import where
from stslab.sandbox.api.model import ApiFault, Caller, KeyStore
from stslab.sandbox.cloudformation.resources.work import Ground
from stslab.sandbox.cloudformation.stacks import creation, deletion, updating
from stslab.sandbox.cloudformation.stacks.service_role import assume
from stslab.sandbox.cloudformation.stacks.site import Interrupted, Site, Stopped, Temper
from stslab.sandbox.cloudformation.stacks.state import Stack, Stacks

SERVICE = "cloudformation.amazonaws.com"
EXPIRED = 403
PHASES: dict[str, Callable[[Site], None]] = {
    "CREATE_IN_PROGRESS": creation.create_stack,
    "ROLLBACK_IN_PROGRESS": creation.roll_back,
    "DELETE_IN_PROGRESS": deletion.delete_stack,
    "UPDATE_IN_PROGRESS": updating.update_stack,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": updating.clean_up,
    "UPDATE_ROLLBACK_IN_PROGRESS": updating.roll_back,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": updating.clean_up_rollback,
}
FAILED = {
    "CREATE_IN_PROGRESS": "CREATE_FAILED",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_FAILED",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_IN_PROGRESS": "UPDATE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_IN_PROGRESS": "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_ROLLBACK_COMPLETE",
}
log = logging.getLogger(__name__)


class Calls(Protocol):
    """Makes calls in a caller's name, decided and carried out like any other call."""

    def __call__(
        self,
        caller: Caller,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        via: tuple[str, ...] = (),
    ) -> Mapping[str, Any]:
        """The output's members, as boto3 would return them; raises ApiFault when refused."""
        ...


@dataclass
class Surroundings:
    """What CloudFormation stands on: the account's calls, keys, clock, lock and memory.

    ``save`` makes durable what was changed under the lock, which is held when it is called.
    """

    call: Calls
    keys: KeyStore
    ground: Callable[[str], Ground]
    now: Callable[[], datetime]
    lock: AbstractContextManager[Any]
    save: Callable[[], None] = lambda: None


class Engine:
    """Works on stacks. ``step_seconds`` is how long a resource takes, twice over.

    ``temper`` may be replaced at any time.
    """

    def __init__(self, stacks: Stacks, around: Surroundings, step_seconds: float = 0.02) -> None:
        self.stacks = stacks
        self.around = around
        self.step_seconds = step_seconds
        self.temper = Temper(lambda: self.step_seconds)
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._changes = 0  # how many are inside one another, guarded by the lock

    def start(self, stack: Stack, caller: Caller | None = None) -> None:
        """Begin, or go on with, what the stack's status says; returns at once.

        Without a caller, the one whose key the stack remembers is looked up.
        """
        thread = threading.Thread(
            target=self._work, args=(stack, caller), name=f"stack {stack.name}", daemon=True
        )
        self._threads[stack.stack_id] = thread
        thread.start()

    def resume(self) -> None:
        """Go on with every stack that is in the middle of something."""
        for stack in self.stacks.all():
            if stack.status in PHASES and not self.works_on(stack):
                self.start(stack)

    def stop(self) -> None:
        """Stop between two steps; :meth:`resume` goes on from there, also in a new process."""
        self._stopping.set()
        for thread in list(self._threads.values()):
            thread.join()
        self._threads.clear()
        self._stopping.clear()

    def works_on(self, stack: Stack) -> bool:
        """Whether a thread is busy with the stack."""
        thread = self._threads.get(stack.stack_id)
        return thread is not None and thread.is_alive()

    def wait(self, stack_id: str, seconds: float) -> None:
        """Wait until nobody works on the stack, at most this long."""
        thread = self._threads.get(stack_id)
        if thread is not None:
            thread.join(seconds)

    @contextmanager
    def changing(self, stack: Stack) -> Iterator[None]:
        """Hold the lock; what is changed is saved when it is let go."""
        with self.around.lock:
            self._changes += 1
            try:
                yield
            finally:
                self._changes -= 1
                self.stacks.touch(stack)
                if not self._changes:
                    self.around.save()

    def _work(self, stack: Stack, caller: Caller | None) -> None:
        site = self._site(stack, caller)
        try:
            while stack.status in PHASES:
                self._phase(site)
        except Stopped:
            log.info("Leaving stack %s in %s", stack.name, stack.status)
        finally:
            self._threads.pop(stack.stack_id, None)

    def _phase(self, site: Site) -> None:
        status = site.stack.status
        try:
            PHASES[status](site)
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - ends the stack's work, not the sandbox
            log.error("Stack %s in %s\n%s", site.stack.stack_id, status, where(error))  # noqa: TRY400 - without values
            site.stack_becomes(FAILED[status], "Internal error in the sandbox")

    def _site(self, stack: Stack, caller: Caller | None) -> Site:
        return Site(
            stack=stack,
            stacks=self.stacks,
            call=_Acting(self.around, stack, caller),
            ground=self.around.ground(stack.account),
            now=self.around.now,
            changing=self.changing,
            pause=self._pause,
            hindrance=self.temper.hindrance,
        )

    def _pause(self) -> None:
        if self._stopping.wait(self.temper.pace()):
            raise Stopped


class _Acting:
    """Makes a stack's calls as its service role, or else as whoever asked for the work."""

    def __init__(self, around: Surroundings, stack: Stack, caller: Caller | None) -> None:
        self._around = around
        self._stack = stack
        self._caller = caller
        self._role: Caller | None = None

    def __call__(
        self, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        if self._stack.role_arn:
            return self._around.call(self._as_role(), service, operation, params)
        return self._around.call(self._as_caller(), service, operation, params, (SERVICE,))

    def _as_role(self) -> Caller:
        if self._role is None:
            self._role = assume(self._around.call, self._around.keys, self._stack.role_arn)
        return self._role

    def _as_caller(self) -> Caller:
        if self._caller is None:
            key = self._around.keys.lookup(self._stack.caller_key)
            if key is None or not key.active:
                raise ApiFault(
                    "InvalidClientTokenId",
                    "The security token included in the request is invalid",
                    EXPIRED,
                )
            self._caller = key.caller
        return self._caller
