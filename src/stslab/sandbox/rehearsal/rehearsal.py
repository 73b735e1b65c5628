"""A rehearsal of one account: delays IAM's changes, slows stacks down, and makes calls fail.

Until the rest of AWS sees a change, requests are decided by the older state: a new key is unknown,
a new role can't be assumed, a deleted policy still counts. IAM itself answers with the newest state
(IAM User Guide, "Troubleshoot IAM", "Changes that I make are not always immediately visible").
"""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, NamedTuple

import msgspec

from stslab.sandbox.api import faults, serialize
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.authorization import Judge
from stslab.sandbox.rehearsal.spec import Span, Spec, parse, share
from stslab.sandbox.signing.signature import addressed_service
from stslab.sandbox.state.identities import AccessKey, Group, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import (
    TABLES,
    Address,
    Difference,
    Record,
    Snapshot,
    Transaction,
    View,
)
from stslab.sandbox.state.state import State

_KEYS, _USERS, _ROLES, _POLICIES = "keys", "users", "roles", "policies"  # the Spec's delays
_IDENTITY = frozenset({"inline", "attached", "boundary", "groups"})
"""The fields of a user or role that name its policies."""
_UNNOTICED = frozenset({"last_used", "access_keys", "mfa_devices", "login"})
"""Fields that no decision depends on."""
_ITSELF = {AccessKey: _KEYS, User: _USERS, Role: _ROLES, Group: _POLICIES, ManagedPolicy: _POLICIES}
"""The delay for a change of such a record, except for its ``_IDENTITY`` fields."""


class _Waiting(NamedTuple):
    """A change that spreads: until then the rest of AWS sees ``before``, None if it was new."""

    until: datetime
    what: str
    before: Record | None


_Pending = Mapping[Address, tuple[_Waiting, ...]]


class Lag:
    """Remembers older records as long as the rest of AWS still sees them.

    :meth:`notice` is called after each change, one at a time; :meth:`seen` in any thread.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._changes: Counter[str] = Counter()
        self._pending: _Pending = {}

    def notice(self, before: Snapshot, after: Snapshot) -> None:
        """Begin to spread the changes between two snapshots."""
        at = after.now()
        pending = _unexpired(self._pending, at)
        for changed in before.differences(after):
            record = changed.after or changed.before
            if record is not None and type(record) in _ITSELF:
                address = record.table, record.account, record.key
                new = tuple(self._spreading(changed, type(record), at))
                pending[address] = (*pending.get(address, ()), *new)
        self._pending = pending  # in one step: other threads read it

    def seen(self, view: View) -> View:
        """The state that the rest of AWS sees at the view's time."""
        pending = _unexpired(self._pending, view.now())
        if not pending:
            return view
        fork = Transaction(view)
        for (table, account, key), waiting in pending.items():
            now = view.get(TABLES[table], account, key)
            known = _known(TABLES[table], now, waiting)
            if known is not None:
                fork.put(known)
            elif now is not None:
                fork.delete(now)
        return fork

    def spreading(self, at: datetime) -> int:
        return sum(len(waiting) for waiting in _unexpired(self._pending, at).values())

    def _spreading(
        self, changed: Difference, kind: type[Record], at: datetime
    ) -> Iterator[_Waiting]:
        itself = _ITSELF[kind]
        without = _UNNOTICED | (_IDENTITY if itself != _POLICIES else frozenset())
        if _members(changed.before, without) != _members(changed.after, without):
            yield _Waiting(self._known_at(itself, at), itself, changed.before)
        if itself in (_USERS, _ROLES) and _identity(changed.before) != _identity(changed.after):
            yield _Waiting(self._known_at(_POLICIES, at), _POLICIES, changed.before)

    def _known_at(self, what: str, at: datetime) -> datetime:
        self._changes[what] += 1
        delay: Span = getattr(self._spec, what)
        seconds = delay.at(share(self._spec.seed, what, self._changes[what]))
        return at + timedelta(seconds=seconds)


def _known(kind: type[Record], now: Record | None, waiting: tuple[_Waiting, ...]) -> Record | None:
    """The record that the rest of AWS sees: it, or its policies, may be older than ``now``."""
    oldest: dict[str, Record | None] = {}
    for one in waiting:
        oldest.setdefault(one.what, one.before)
    known = oldest.get(_ITSELF[kind], now)
    if known is None or _POLICIES not in oldest or _ITSELF[kind] == _POLICIES:
        return known
    return msgspec.structs.replace(known, **_identity(oldest[_POLICIES], of=known))


def _unexpired(pending: _Pending, at: datetime) -> dict[Address, tuple[_Waiting, ...]]:
    left = {
        key: tuple(one for one in waiting if one.until > at) for key, waiting in pending.items()
    }
    return {address: waiting for address, waiting in left.items() if waiting}


def _members(record: Record | None, without: frozenset[str]) -> dict[str, Any] | None:
    if record is None:
        return None
    names = [name for name in record.__struct_fields__ if name not in without]
    return {name: getattr(record, name) for name in names}


def _identity(record: Record | None, of: Record | None = None) -> dict[str, Any]:
    """The record's ``_IDENTITY`` fields; without a record, those of ``of``, emptied."""
    if record is None and of is None:
        return {}
    if record is None:
        return {name: type(value)() for name, value in _identity(of).items()}
    return {name: getattr(record, name) for name in record.__struct_fields__ if name in _IDENTITY}


Handle = Callable[[HttpRequest], ApiResponse]
_PAUSES = 2  # for each resource of a stack


class Rehearsal:
    """A running rehearsal. It starts when it is created; ``end`` restores everything."""

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
        """End the delays: the account behaves as before the rehearsal."""
        self._unwatch()
        self._judge.seen, self._engine.pace, self._engine.failure = self._before

    def spreading(self) -> int:
        return self.lag.spreading(self._state.now())

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer the request, or with an error if a fault strikes it. Dropped: reset instead."""
        service = addressed_service(request)
        operation = "Unknown"
        with suppress(ApiFault):
            operation, _ = naming.name(service, request)
        kind = self.faults.next(f"{service}.{operation}")
        if not kind:
            return self._handle(request)
        if kind in AFTER:
            self._handle(request)
        if kind in (RESET_BEFORE, RESET_AFTER):
            raise Dropped
        fault = answer(service, kind, self.faults.struck[kind])
        return serialize.fault(service, fault, str(uuid.uuid4()), request)


class _Stacks:
    """Decides how slow stacks are, and which of their resources fail."""

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
        """Why the work on a resource fails; empty if it does not.

        A deletion fails once: the next try succeeds, as on AWS once the cause is removed.
        """
        names = {resource, kind, kind.rpartition("::")[2]}
        if verb == "CREATE" and names.intersection(self._spec.fail_stacks):
            return "Rehearsed: it could not be created."
        once = stack_id, resource
        fails = verb == "DELETE" and names.intersection(self._spec.fail_deletes)
        if fails and once not in self._failed:
            self._failed.add(once)
            return "Rehearsed: it could not be deleted."
        return ""


THROTTLE, ERROR, ERROR_AFTER = "throttle", "error", "error-after"
RESET_BEFORE, RESET_AFTER = "reset-before", "reset-after"
KINDS = (THROTTLE, ERROR, ERROR_AFTER, RESET_BEFORE, RESET_AFTER)
Kind = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(KINDS)})$")]
AFTER = frozenset({ERROR_AFTER, RESET_AFTER})
"""The kinds that strike after the call took effect."""

_THROTTLED: Mapping[str, ApiFault] = {
    "s3": ApiFault("SlowDown", "Please reduce your request rate."),
    "sts": ApiFault("ThrottlingException", "Rate exceeded"),
}
_OTHER_THROTTLED = ApiFault("Throttling", "Rate exceeded")


@dataclass(slots=True)
class Scripted:
    """A planned fault: at the ``at``-th matching call from now, and ``times`` in a row.

    ``call`` is ``service.Operation`` and may have wildcards (``s3.*``).
    """

    call: str
    kind: Kind
    at: Annotated[int, msgspec.Meta(ge=1)] = 1
    times: Annotated[int, msgspec.Meta(ge=1)] = 1

    def strikes(self, call: str) -> bool:
        """Whether the fault strikes this call; counts the call."""
        if not fnmatchcase(call, self.call):
            return False
        self.at -= 1
        return self.at <= 0

    @property
    def over(self) -> bool:
        return self.at <= 1 - self.times


class Faults:
    """Decides for each call whether a fault strikes. ``seen`` and ``struck`` count them."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._rates = (
            (THROTTLE, spec.throttle),
            (ERROR, spec.errors),
            (ERROR_AFTER, spec.errors_after),
            (RESET_BEFORE, spec.reset_before),
            (RESET_AFTER, spec.reset_after),
        )
        self._script: list[Scripted] = []
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def script(self, wanted: list[Scripted]) -> None:
        """Plan these faults, in place of earlier ones."""
        with self._lock:
            self._script = list(wanted)

    def next(self, call: str) -> str:
        """The kind of fault that strikes this call; empty if none does."""
        with self._lock:
            self.seen[call] += 1
            striking = [wanted.kind for wanted in self._script if wanted.strikes(call)]
            self._script = [wanted for wanted in self._script if not wanted.over]
            striking += [
                kind
                for kind, rate in self._rates
                if rate and share(self._spec.seed, kind, call, self.seen[call]) < rate
            ]
            if striking:
                self.struck[striking[0]] += 1
            return striking[0] if striking else ""


def answer(service: str, kind: str, number: int) -> ApiFault:
    """AWS's error for a fault of this kind; ``number`` alternates between server errors."""
    if kind == THROTTLE:
        return _THROTTLED.get(service, _OTHER_THROTTLED)
    return faults.unavailable() if number % 2 else faults.failure(service)
