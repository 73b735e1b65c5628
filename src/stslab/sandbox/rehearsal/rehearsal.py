"""Begins and ends a rehearsal of one account, and lets calls go wrong while it lasts."""

import uuid
from collections.abc import Callable
from typing import Protocol

from stslab.sandbox.api import serialize
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.cloudformation.service import CloudFormation
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.judge import Judge
from stslab.sandbox.rehearsal import faults
from stslab.sandbox.rehearsal.dice import share
from stslab.sandbox.rehearsal.faults import Faults
from stslab.sandbox.rehearsal.lag import Lag
from stslab.sandbox.rehearsal.spec import Span, Spec, parse
from stslab.sandbox.signing.signature import addressed_service
from stslab.sandbox.state.state import State

_PAUSES = 2  # in the work on each resource of a stack


class Inside(Protocol):
    """What a rehearsal changes: how the account answers, what it knows, how stacks behave."""

    @property
    def state(self) -> State:
        """What the account knows."""
        ...

    @property
    def judge(self) -> Judge:
        """By what requests are judged."""
        ...

    @property
    def cloudformation(self) -> CloudFormation:
        """The stacks."""
        ...

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer one request."""
        ...


class Rehearsal:
    """A rehearsal that goes on. It begins when it is made; ``end`` puts everything back."""

    def __init__(self, inside: Inside, text: str) -> None:
        spec = parse(text)
        self.text = text
        self.faults = Faults(spec)
        self.lag = Lag(spec)
        self._inside = inside
        self._handle = inside.handle
        self._seen = inside.judge.seen
        self._unwatch = inside.state.watch(self.lag.notice)
        inside.judge.seen = self.lag.seen
        engine = inside.cloudformation.engine
        self._stacks = engine.pace, engine.failure
        stacks = _Stacks(spec, engine.pace)
        engine.pace, engine.failure = stacks.pace, stacks.failure

    def end(self) -> None:
        """Let the account answer at once again, and know everything."""
        self._unwatch()
        self._inside.judge.seen = self._seen
        engine = self._inside.cloudformation.engine
        engine.pace, engine.failure = self._stacks

    def spreading(self) -> int:
        """How many changes are not known everywhere yet."""
        return self.lag.spreading(self._inside.state.now())

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer the request, unless a fault is to strike it.

        Raises:
            Dropped: the connection is to be closed without an answer.
        """
        service = addressed_service(request)
        call = f"{service}.{_operation(service, request)}"
        kind = self.faults.next(call)
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
        """Seconds of the next pause."""
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


def _operation(service: str, request: HttpRequest) -> str:
    try:
        return naming.name(service, request)[0]
    except ApiFault:
        return "Unknown"
