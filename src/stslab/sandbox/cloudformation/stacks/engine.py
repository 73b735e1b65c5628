"""Does the work of stacks in the background: one thread for each stack that is worked on.

What there is to do is in a stack's status alone. The engine watches the account's state: a
stack that has come into a status with work in it gets a thread, after the request that gave it
that status was committed. So the work goes on after any interruption: :meth:`Engine.resume`
takes up what a sandbox that went down left in the middle.
"""

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from stslab.policy import Principal
from stslab.sandbox.api.faults import invalid, invalid_client_token, where
from stslab.sandbox.api.model import ApiFault, Caller, Internal, KeyLookup
from stslab.sandbox.cloudformation.names import SERVICE
from stslab.sandbox.cloudformation.resources.work import Call, Unfit
from stslab.sandbox.cloudformation.stacks import lifecycle, updating
from stslab.sandbox.cloudformation.stacks.job import Failure, Interrupted, Job, Stopped
from stslab.sandbox.state.stacks import Stack
from stslab.sandbox.state.state import State

STEP_SECONDS = 0.02
_SESSION = "AWSCloudFormation"
_ARN_FIELDS = 6
_PHASES: Mapping[str, tuple[Callable[[Job], None], str]] = {
    "CREATE_IN_PROGRESS": (lifecycle.create_stack, "CREATE_FAILED"),
    "ROLLBACK_IN_PROGRESS": (lifecycle.roll_back, "ROLLBACK_FAILED"),
    "DELETE_IN_PROGRESS": (lifecycle.delete_stack, "DELETE_FAILED"),
    "UPDATE_IN_PROGRESS": (updating.update_stack, "UPDATE_FAILED"),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": (updating.clean_up, "UPDATE_COMPLETE"),
    "UPDATE_ROLLBACK_IN_PROGRESS": (updating.roll_back, "UPDATE_ROLLBACK_FAILED"),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": (
        updating.clean_up_rollback,
        "UPDATE_ROLLBACK_COMPLETE",
    ),
}
"""The statuses with work in them: what does it, and what the stack is if that can't be done."""
_LOG = logging.getLogger(__name__)


class Engine:
    """Works on stacks.

    ``pace`` tells the seconds of the next pause, of which a resource takes two; ``failure``
    which resources fail. Both may be replaced at any time.
    """

    def __init__(
        self, state: State, call: Internal, keys: KeyLookup, step_seconds: float = STEP_SECONDS
    ) -> None:
        self.pace: Callable[[], float] = lambda: step_seconds
        self.failure: Failure = lambda *_: ""
        self._state = state
        self._call = call
        self._keys = keys
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._end_watch = state.watch(lambda *_: self.resume(), Stack)

    def resume(self) -> None:
        """Work on every stack that is in the middle of something."""
        for stack in self._state.snapshot.everywhere(Stack):
            self._attend_to(stack)

    def stop(self) -> None:
        """Stop between two steps. Another engine's :meth:`resume` goes on from there."""
        self._stopping.set()
        self._end_watch()
        for thread in list(self._threads.values()):
            thread.join()

    def wait(self, stack_id: str, seconds: float = 0) -> bool:
        """Wait for as long at most until there is no more work on a stack; whether that is so."""
        thread = self._threads.get(stack_id)
        if thread is not None:
            thread.join(seconds)
        return stack_id not in self._threads

    def _attend_to(self, stack: Stack) -> None:
        with self._lock:
            if stack.status not in _PHASES or stack.stack_id in self._threads:
                return
            thread = threading.Thread(
                target=self._work,
                args=(stack.account, stack.stack_id),
                name=f"stack {stack.name}",
                daemon=True,
            )
            self._threads[stack.stack_id] = thread
        thread.start()

    def _work(self, account: str, stack_id: str) -> None:
        try:
            while (stack := self._next(account, stack_id)) is not None:
                self._phase(stack)
        except BaseException as ended:
            self._threads.pop(stack_id, None)
            if not isinstance(ended, Stopped):
                raise

    def _next(self, account: str, stack_id: str) -> Stack | None:
        """The stack with more work to do; else None, and from then on it has no thread.

        Under the lock, so that a request which gives the stack work at this moment either is
        seen here, or finds no thread and begins one.
        """
        with self._lock:
            stack = self._state.snapshot.get(Stack, account, stack_id)
            if stack is None or stack.status not in _PHASES:
                self._threads.pop(stack_id, None)
                return None
            return stack

    def _phase(self, stack: Stack) -> None:
        work, failed = _PHASES[stack.status]
        job = Job(
            state=self._state,
            account=stack.account,
            stack_id=stack.stack_id,
            phase=stack.status,
            call=self._calls_of(stack),
            pause=self._pause,
            failure=self.failure,
        )
        try:
            work(job)
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - ends the stack's work, not the sandbox
            _LOG.error("%s in %s\n%s", stack.stack_id, stack.status, where(error))
            with suppress(Interrupted):
                job.stack_becomes(failed, "Internal error in the sandbox")

    def _pause(self) -> None:
        if self._stopping.wait(self.pace()):
            raise Stopped

    def _calls_of(self, stack: Stack) -> Call:
        """Calls as the stack's service role, or else as whoever asked for the work."""
        via = () if stack.role_arn else (SERVICE,)

        @functools.cache
        def acting() -> Caller:
            if not stack.role_arn:
                return self._as_caller(stack)
            try:
                return self.as_role(stack.role_arn)
            except ApiFault as fault:  # CloudFormation's own, not the called service's
                raise Unfit(fault.message) from None

        return lambda service, operation, params: self._call(
            acting(), service, operation, params, via
        )

    def _as_caller(self, stack: Stack) -> Caller:
        key = self._keys(stack.caller_key)
        if key is None or not key.active:
            raise invalid_client_token()
        return key.caller

    def as_role(self, role_arn: str) -> Caller:
        """A session of a service role, for CloudFormation to act with.

        AWS CloudFormation User Guide, "AWS CloudFormation service role".
        """
        refused = invalid(f"Role {role_arn} is invalid or cannot be assumed")
        fields = role_arn.split(":")
        if len(fields) != _ARN_FIELDS or not fields[-1].startswith("role/"):
            raise refused
        service = Caller(Principal.service(SERVICE), fields[4], "", "AWSService")
        request = {"RoleArn": role_arn, "RoleSessionName": _SESSION}
        try:
            given = self._call(service, "sts", "AssumeRole", request)["Credentials"]
        except ApiFault:
            raise refused from None
        found = self._keys(given["AccessKeyId"])
        if found is None:
            raise refused
        return found.caller
