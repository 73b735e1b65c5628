"""CloudFormation as the sandbox has it: a small stack engine of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stslab.sandbox.api import constraints
from stslab.sandbox.api.model import Answer, ApiRequest, KeyStore
from stslab.sandbox.api.need import NeedsOf
from stslab.sandbox.api.services import Internal, Read, Reads, Write, Writes
from stslab.sandbox.cloudformation import needs
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.operations import change_sets, reading, stacks
from stslab.sandbox.cloudformation.operations.preparation import prepared
from stslab.sandbox.cloudformation.stacks.engine import STEP_SECONDS, Engine
from stslab.sandbox.cloudformation.template.source import UNSUPPORTED
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State

Seen = TypeVar("Seen")
_READS = {**reading.READS, **stacks.READS, **change_sets.READS}
_WRITES = {**stacks.WRITES, **change_sets.WRITES}
_CALLING = frozenset(
    {
        "CreateStack", "UpdateStack", "DeleteStack", "ContinueUpdateRollback", "RollbackStack",
        "CreateChangeSet",
    }
)  # fmt: skip
"""The writes that may call others first: those with a template's URL, or with a service role."""


class CloudFormation:
    """The service, and the engine that works on its stacks.

    ``call`` makes calls in a caller's name, ``step_seconds`` says how slow resources are. Call
    :meth:`resume` once the account can be called, and :meth:`stop` before the process ends.

    What may call others is in ``reads``, which get no transaction, and takes one afterwards.
    """

    def __init__(
        self, state: State, call: Internal, keys: KeyStore, step_seconds: float = STEP_SECONDS
    ) -> None:
        self.engine = Engine(state, call, keys, step_seconds)
        self.needs: NeedsOf = needs.of
        self._state = state
        self._call = call
        own = {name: _checked(self._in_its_own_transaction(_WRITES[name])) for name in _CALLING}
        self.reads: Reads = {
            name: _checked(self._read(read)) for name, read in _READS.items()
        } | own
        self.writes: Writes = {name: _checked(_WRITES[name]) for name in _WRITES.keys() - _CALLING}

    def resume(self) -> None:
        """Go on with the stacks that an earlier process left in the middle of something."""
        self.engine.resume()

    def stop(self) -> None:
        """Leave all stacks where they are."""
        self.engine.stop()

    def _read(self, read: Read) -> Read:
        return lambda view, request: read(view, prepared(self._call, self.engine, request))

    def _in_its_own_transaction(self, write: Write) -> Read:
        def run(_view: View, request: ApiRequest) -> Answer:
            ready = prepared(self._call, self.engine, request)
            with self._state.transaction() as tx:
                return write(tx, ready)

        return run


def _checked(handler: Callable[[Seen, ApiRequest], Answer]) -> Callable[[Seen, ApiRequest], Answer]:
    """The handler, called only with parameters that the operation takes."""

    def run(seen: Seen, request: ApiRequest) -> Answer:
        constraints.check(request.service, request.operation, request.params)
        try:
            return handler(seen, request)
        except RecursionError:  # conditions that name one another in a chain without an end
            raise invalid(UNSUPPORTED) from None

    return run
