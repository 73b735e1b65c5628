"""Begins and ends a rehearsal of one account, and lets calls go wrong while it lasts."""

import uuid
from collections.abc import Callable
from contextlib import suppress

from stslab.sandbox.api import serialize
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.rehearsal import faults
from stslab.sandbox.rehearsal.faults import Faults
from stslab.sandbox.rehearsal.lag import Lag
from stslab.sandbox.rehearsal.spec import Span, Spec, parse, share
from stslab.sandbox.signing.signature import addressed_service
from stslab.sandbox.state.state import State

Handle = Callable[[HttpRequest], ApiResponse]
_PAUSES = 2  # in the work on each resource of a stack


class Rehearsal:
    """A rehearsal that goes on. It begins when it is made; ``end`` puts everything back."""

    def __init__(
        self, text: str, state: State, judge: Judge, engine: Engine, handle: Handle
    ) -> None:
        spec = parse(text)
        self.text = text
        self.faults = Faults(spec)
        self.lag = Lag(spec)
        self._state, self._judge, self._engine, self._handle = state, judge, engine, handle
        self._before = judge.seen, engine.pace, engine.failure
        self._unwatch = state.watch(self.lag.notice)
        stacks = _Stacks(spec, engine.pace)
        judge.seen, engine.pace, engine.failure = self.lag.seen, stacks.pace, stacks.failure

    def end(self) -> None:
        """Let the account answer at once again, and know everything."""
        self._unwatch()
        self._judge.seen, self._engine.pace, self._engine.failure = self._before

    def spreading(self) -> int:
        return self.lag.spreading(self._state.now())

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer the request, unless a fault is to strike it: an answer, or Dropped."""
        service = addressed_service(request)
        operation = "Unknown"
        with suppress(ApiFault):
            operation, _ = naming.name(service, request)
        kind = self.faults.next(f"{service}.{operation}")
        if not kind:
            return self._handle(request)
        if kind in faults.AFTER:
            self._handle(request)
        if kind in (faults.RESET_BEFORE, faults.RESET_AFTER):
            raise Dropped
        fault = faults.answer(service, kind, self.faults.struck[kind])
        return serialize.fault(service, fault, str(uuid.uuid4()), request)


class _Stacks:
    """How slow stacks are, and which of their resources fail."""

    def __init__(self, spec: Spec, pace: Callable[[], float]) -> None:
        self._spec = spec
        self._pace = pace
        self._paces = 0
        self._failed: set[tuple[str, str]] = set()

    def pace(self) -> float:
        if self._spec.slow_stacks == Span():
            return self._pace()
        self._paces += 1
        whole = self._spec.slow_stacks.at(share(self._spec.seed, "stack", self._paces))
        return whole / _PAUSES

    def failure(self, stack_id: str, resource: str, kind: str, verb: str) -> str:
        """Why the work on a resource fails; nothing where it does not.

        A deletion fails once: another try succeeds, as it does on AWS when the cause is gone.
        """
        names = {resource, kind, kind.rpartition("::")[2]}
        if verb == "CREATE" and names.intersection(self._spec.fail_stacks):
            return "Rehearsed: it could not be created."
        if verb == "DELETE" and names.intersection(self._spec.fail_deletes):
            once = stack_id, resource
            if once not in self._failed:
                self._failed.add(once)
                return "Rehearsed: it could not be deleted."
        return ""
