"""Removes things: prepares them, calls, tries again while AWS says so, falls back on admin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stslab.errors import CredentialsError
from stslab.kinds.kind import BUSY, UNUSABLE, is_gone
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.look import Lookout, is_guarded, label
from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.waits import StackEvents, Waits
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import Thing, UndoCall
from stslab.runner.ports import Answer, Outcome, Refusal
from stslab.runner.undo.children_of import Children
from stslab.runner.undo.stacks import Stacks

_BUSY_SECONDS = 90.0
_STACK = "cloudformation.stack"
_STACK_WAITER = "stack_delete_complete"
_STACK_TRIES = 3
_PROTECTED = "its termination protection was switched on since: switch it off, and clean up again"

_REPLACED = "made by somebody else after the run's own of that name was deleted: left alone"


@dataclass(frozen=True, slots=True)
class Removed:
    """How a removal ended: ``undone``, ``was gone``, ``not ours`` or ``failed``, and why."""

    outcome: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is still there."""
        return self.outcome == "failed"


UNDONE, WAS_GONE = Removed("undone"), Removed("was gone")


class Remover:
    """Removes things, for one run."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._children = Children(work)
        self._waits = Waits(work)
        self._stacks = Stacks(work)
        self._lookout = Lookout(work)

    def undo(self, call: UndoCall, entry: int) -> Removed:
        """Make one undo call of the journal's entry, and wait as it says."""
        thing = removes(call)
        if thing and self._lookout.is_replaced(thing):
            return Removed("not ours", _REPLACED)
        if thing and thing.kind == _STACK:
            return self._stack(call, thing, entry)
        removed = self._removal(call, thing)
        if removed.failed or not call.waiter:
            return removed
        waited = self._waits.wait(call.identity, call.service, call.waiter, call.waiter_params)
        return removed if waited.ok else Removed("failed", waited.reason)

    def thing(self, thing: Thing) -> Removed:
        """Remove a thing by the operation that removes its kind."""
        return self.undo(removal_of(thing), 0)

    def _removal(self, call: UndoCall, thing: Thing | None) -> Removed:
        """Clear what hangs on it, call, and both again while AWS says that it is busy."""
        cleared: list[str] = []

        def attempt() -> Outcome:
            if thing:
                cleared[:] = [self._children.clear(thing)]
            return self._called(call)

        def judge(outcome: Outcome) -> Verdict:
            busy = isinstance(outcome, Refusal) and outcome.code in BUSY
            limit = _BUSY_SECONDS if busy and not any(cleared) else 0.0
            return Verdict(limit, f"{call.operation} ({getattr(outcome, 'code', '')})")

        outcome = self._work.calls.patience.until(attempt, judge)
        return _removed(call.service, outcome, "; ".join(filter(None, cleared)))

    def _called(self, call: UndoCall) -> Outcome:
        """The call, as who it says; as admin where that identity does not serve any more."""
        try:
            outcome = self._make(call, call.identity)
        except CredentialsError:
            if call.identity == ADMIN:
                raise
            return self._make(call, ADMIN)
        unusable = isinstance(outcome, Refusal) and outcome.code in UNUSABLE
        return self._make(call, ADMIN) if unusable and call.identity != ADMIN else outcome

    def _make(self, call: UndoCall, identity: str) -> Outcome:
        return self._work.calls.make(identity, call.service, call.operation, call.params)

    def _stack(self, call: UndoCall, thing: Thing, entry: int) -> Removed:
        """Delete a stack; what keeps it from going is cleared, what it leaves is removed.

        One that somebody protected against deletion is not touched: that was meant.
        """
        if self._is_protected(thing):
            return Removed("failed", _PROTECTED)
        inside = self._stacks.remember(thing, entry)
        replaced = [label(one) for one in inside if self._lookout.is_replaced(one)]
        if replaced:
            return Removed("failed", f"it would take along {', '.join(replaced)}, {_REPLACED}")
        removed = self._deleted(call, thing, inside)
        if removed.failed:
            return removed
        left = [self.thing(one) for one in inside if self._lookout.look(one).there]
        return next((one for one in left if one.failed), removed)

    def _is_protected(self, stack: Thing) -> bool:
        return is_guarded(self._lookout.look(stack))

    def _deleted(self, call: UndoCall, stack: Thing, inside: tuple[Thing, ...]) -> Removed:
        events = StackEvents(self._work, ADMIN, stack.names["StackName"])
        events.skip()
        removed = WAS_GONE
        for tried in range(_STACK_TRIES):
            self._clear(inside, only_buckets=tried == 0)
            removed = self._delete_once(call, events)
            if not removed.failed:
                break
        return removed

    def _clear(self, inside: tuple[Thing, ...], *, only_buckets: bool) -> None:
        """A stack's bucket must be empty. The rest is cleared only if the deletion failed."""
        for one in inside:
            if one.kind == "s3.bucket" or not only_buckets:
                self._children.clear(one)

    def _delete_once(self, call: UndoCall, events: StackEvents) -> Removed:
        stack = Thing(_STACK, {"StackName": call.params["StackName"]})
        # What could not be looked up is not gone: the deletion itself tells.
        if self._lookout.look(stack).there is False:
            return WAS_GONE
        removed = self._removal(call, None)
        if removed.failed:
            return removed
        waiter = call.waiter or _STACK_WAITER
        params = call.waiter_params or {"StackName": call.params["StackName"]}
        waited = self._waits.wait(ADMIN, call.service, waiter, params, events)
        return UNDONE if waited.ok else Removed("failed", waited.reason)


def removes(call: UndoCall) -> Thing | None:
    """The thing that a call removes, if it is of a known kind."""
    kind = BY_REMOVAL.get(f"{call.service}.{call.operation}")
    if kind is None or not all(name in call.params for name in kind.names):
        return None
    return Thing(kind.id, {name: str(call.params[name]) for name in kind.names})


def removal_of(thing: Thing) -> UndoCall:
    """The call that removes a thing of a known kind."""
    kind = KINDS[thing.kind]
    params: Mapping[str, Any] = {name: thing.names[name] for name in kind.remove.names}
    return UndoCall(ADMIN, kind.service, kind.remove.operation, params)


def _removed(service: str, outcome: Outcome, problem: str) -> Removed:
    if isinstance(outcome, Answer):
        return UNDONE
    if isinstance(outcome, Refusal):
        if is_gone(service, outcome):
            return WAS_GONE
        said = f"{outcome.code}: {outcome.message}"
        return Removed("failed", f"{said} ({problem})" if problem else said)
    return Removed("failed", outcome.reason)
