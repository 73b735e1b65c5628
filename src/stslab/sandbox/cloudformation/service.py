"""CloudFormation as the sandbox has it: a small stack engine of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from stslab.sandbox.api import constraints
from stslab.sandbox.api.model import Answer, ApiRequest, KeyStore
from stslab.sandbox.api.need import NeedsOf
from stslab.sandbox.api.services import Internal, Reads, Writes
from stslab.sandbox.cloudformation import needs
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations import reading
from stslab.sandbox.cloudformation.operations.change_sets import ChangeSetOperations
from stslab.sandbox.cloudformation.operations.stacks import StackOperations
from stslab.sandbox.cloudformation.operations.templates import TemplateOperations
from stslab.sandbox.cloudformation.stacks.engine import STEP_SECONDS, Engine
from stslab.sandbox.cloudformation.template.source import UNSUPPORTED
from stslab.sandbox.state.state import State

Seen = TypeVar("Seen")
_Handler = Callable[[Seen, ApiRequest], Answer]


class CloudFormation:
    """The service, and the engine that works on its stacks.

    ``call`` makes calls in a caller's name, ``step_seconds`` says how slow resources are. Call
    :meth:`resume` once the account can be called, and :meth:`stop` before the process ends.
    """

    def __init__(
        self, state: State, call: Internal, keys: KeyStore, step_seconds: float = STEP_SECONDS
    ) -> None:
        self.engine = Engine(state, call, keys, step_seconds)
        stacks = StackOperations(state, call, self.engine)
        change_sets = ChangeSetOperations(state, stacks)
        templates = TemplateOperations(call)
        self.reads: Reads = _checked(
            {**reading.READS, **stacks.reads, **templates.reads, **change_sets.reads}
        )
        self.writes: Writes = _checked({**stacks.writes, **change_sets.writes})
        self.needs: NeedsOf = needs.of

    def resume(self) -> None:
        """Go on with the stacks that an earlier process left in the middle of something."""
        self.engine.resume()

    def stop(self) -> None:
        """Leave all stacks where they are."""
        self.engine.stop()


def _checked(handlers: Mapping[str, _Handler[Seen]]) -> Mapping[str, _Handler[Seen]]:
    """The handlers, called only with parameters that the operation takes."""
    return {name: _checking(handler) for name, handler in handlers.items()}


def _checking(handler: _Handler[Seen]) -> _Handler[Seen]:
    def call(seen: Seen, request: ApiRequest) -> Answer:
        constraints.check(request.service, request.operation, request.params)
        try:
            return handler(seen, request)
        except RecursionError:  # conditions that name one another in a chain without an end
            raise invalid(UNSUPPORTED) from None

    return call
