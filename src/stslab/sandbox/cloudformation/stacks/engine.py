"""The engine works on stacks in the background, with one thread for each busy stack.

A stack's status alone says what there is to do, so the work can continue after any interruption.
"""

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from stslab.policy import Principal, PrincipalKind
from stslab.policy.request import account_of
from stslab.sandbox.api.faults import invalid, invalid_client_token, is_full, where
from stslab.sandbox.api.model import ApiFault, Caller, Internal, KeyLookup
from stslab.sandbox.cloudformation.resources.work import BadProperties, Call
from stslab.sandbox.cloudformation.stacks import lifecycle
from stslab.sandbox.cloudformation.stacks.job import Interrupted, Job, Stopped
from stslab.sandbox.state.stacks import Stack
from stslab.sandbox.state.state import State

SERVICE = "cloudformation.amazonaws.com"  # the service's name in policies
STEP_SECONDS = 0.02
_FULL_SECONDS = 1.0
_PHASES: Mapping[str, Callable[[Job], None]] = {
    "CREATE_IN_PROGRESS": lifecycle.create_stack,
    "ROLLBACK_IN_PROGRESS": lifecycle.roll_back_creation,
    "DELETE_IN_PROGRESS": lifecycle.delete_stack,
    "UPDATE_IN_PROGRESS": lifecycle.update_stack,
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": lifecycle.clean_up_update,
    "UPDATE_ROLLBACK_IN_PROGRESS": lifecycle.roll_back_update,
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": lifecycle.clean_up_rollback,
}
"""The work in each status that needs some."""
_LOG = logging.getLogger(__name__)


class Engine:
    """Works on stacks.

    ``pace`` returns the seconds of the next pause (each resource has two). ``failure`` returns why
    a resource fails, or "": its arguments are the stack's id, the logical id, the type, and CREATE,
    UPDATE or DELETE. A rehearsal replaces both.
    """

    def __init__(
        self, state: State, call: Internal, keys: KeyLookup, step_seconds: float = STEP_SECONDS
    ) -> None:
        self.pace: Callable[[], float] = lambda: step_seconds
        self.failure: Callable[[str, str, str, str], str] = lambda *_: ""
        self._state, self._call, self._keys = state, call, keys
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._end_watch = state.watch(lambda *_: self.resume(), Stack)

    def resume(self) -> None:
        """Start a thread for each stack whose status needs work, and that has none."""
        for stack in self._state.snapshot.everywhere(Stack):
            with self._lock:
                if stack.status not in _PHASES or stack.stack_id in self._threads:
                    continue
                at = stack.account, stack.stack_id
                thread = threading.Thread(target=self._work, args=at, daemon=True)
                self._threads[stack.stack_id] = thread
            thread.start()

    def stop(self) -> None:
        """Stop after the current step. :meth:`resume` of another engine continues the work."""
        self._stopping.set()
        self._end_watch()
        for thread in list(self._threads.values()):
            thread.join()

    def _work(self, account: str, stack_id: str) -> None:
        try:
            while True:
                with self._lock:  # a status of this moment is seen here, or starts a thread
                    stack = self._state.snapshot.get(Stack, account, stack_id)
                    if stack is None or stack.status not in _PHASES:
                        del self._threads[stack_id]
                        return
                self._phase(stack)
        except BaseException as ended:
            del self._threads[stack_id]
            if not isinstance(ended, Stopped):
                raise

    def _phase(self, stack: Stack) -> None:
        job = Job(self._state, stack, self._calls_of(stack), self._pause, self.failure)
        try:
            _PHASES[stack.status](job)
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - ends the stack's work, not the sandbox
            if is_full(error):  # the work goes on once there is room
                self._stopping.wait(_FULL_SECONDS)
                return
            _LOG.error("%s in %s\n%s", stack.stack_id, stack.status, where(error))
            status = stack.status.removesuffix("_CLEANUP_IN_PROGRESS")  # which does not fail
            failed = status.replace("_IN_PROGRESS", "_FAILED")
            with suppress(Interrupted):
                job.stack_becomes(failed, "Internal error in the embedded account")

    def _pause(self) -> None:
        if self._stopping.wait(self.pace()):
            raise Stopped

    def _calls_of(self, stack: Stack) -> Call:
        @functools.cache
        def caller() -> Caller:
            if not stack.role_arn:
                key = self._keys(stack.caller_key)
                if key is None or not key.active:
                    raise invalid_client_token()
                return key.caller
            try:
                return self.as_role(stack.role_arn)
            except ApiFault as fault:  # it is not an error of the called service
                raise BadProperties(fault.message) from None

        return lambda service, operation, params: self._call(
            caller(), service, operation, params, here=not stack.role_arn
        )

    def as_role(self, role_arn: str) -> Caller:
        """Assume a service role (User Guide, "AWS CloudFormation service role")."""
        account = account_of(role_arn) or ""
        service = Caller(Principal(PrincipalKind.SERVICE, SERVICE, account=account))
        request = {"RoleArn": role_arn, "RoleSessionName": "AWSCloudFormation"}
        with suppress(ApiFault):
            credentials = self._call(service, "sts", "AssumeRole", request)["Credentials"]
            if key := self._keys(credentials["AccessKeyId"]):
                return key.caller
        raise invalid(f"Role {role_arn} is invalid or cannot be assumed")
