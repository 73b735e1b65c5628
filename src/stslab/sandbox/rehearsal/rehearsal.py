"""A rehearsal of one account: delays IAM's changes, slows stacks down, and makes calls fail.

Until the rest of AWS sees a change, requests are decided by the older state. IAM itself answers
with the newest (IAM User Guide, "Changes that I make are not always immediately visible").
"""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple

import msgspec

from stslab.sandbox.api import faults, serialize
from stslab.sandbox.api.model import ApiFault, ApiResponse, Dropped, HttpRequest
from stslab.sandbox.cloudformation.stacks.engine import Engine
from stslab.sandbox.pipeline import naming
from stslab.sandbox.pipeline.pipeline import Pipeline
from stslab.sandbox.rehearsal.spec import Span, Spec, parse, share
from stslab.sandbox.signing.signature import addressed_service
from stslab.sandbox.state.identities import AccessKey, Group, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import TABLES, Address, Record, Snapshot, Transaction, View

_KEYS, _USERS, _ROLES, _POLICIES = "keys", "users", "roles", "policies"  # the Spec's delays
_IDENTITY = frozenset({"inline", "attached", "boundary", "groups", "tags"})  # what decides requests
_UNNOTICED = frozenset({"last_used", "access_keys", "mfa_devices", "login"})  # by no decision
_ITSELF = {AccessKey: _KEYS, User: _USERS, Role: _ROLES, Group: _POLICIES, ManagedPolicy: _POLICIES}
"""The delay for a change of such a record, except for its ``_IDENTITY`` fields."""


class _Waiting(NamedTuple):
    """A change that spreads: until then the rest of AWS sees ``before``, None if it was new."""

    address: Address
    until: datetime
    what: str
    before: Record | None


class Lag:
    """Remembers older records as long as the rest of AWS still sees them."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._changes: Counter[str] = Counter()
        self._waiting: Sequence[_Waiting] = ()

    def notice(self, before: Snapshot, after: Snapshot) -> None:
        """Begin to spread the changes between two snapshots. Called for one after the other."""
        at = after.now()
        waiting = self._unexpired(at)
        for was, now in before.differences(after):
            record = now or was
            if record is None or type(record) not in _ITSELF:
                continue
            for what, fields in _parts(type(record)):
                if any(getattr(was, each, None) != getattr(now, each, None) for each in fields):
                    self._changes[what] += 1
                    delay: Span = getattr(self._spec, what)
                    seconds = delay.at(share(self._spec.seed, what, self._changes[what]))
                    ends = at + timedelta(seconds=seconds)
                    waiting.append(_Waiting(record.address, ends, what, was))
        self._waiting = waiting  # in one step: other threads read it

    def seen(self, view: View) -> View:
        """The state that the rest of AWS sees at the view's time, in any thread."""
        oldest: dict[Address, dict[str, Record | None]] = {}
        for one in self._unexpired(view.now()):
            oldest.setdefault(one.address, {}).setdefault(one.what, one.before)
        if not oldest:
            return view
        fork = Transaction(view)
        for address, before in oldest.items():
            now = view.record(address)
            known = _known(TABLES[address[0]], now, before)
            if known is not None:
                fork.put(known)
            elif now is not None:
                fork.delete(now)
        return fork

    def spreading(self, at: datetime) -> int:
        return len(self._unexpired(at))

    def _unexpired(self, at: datetime) -> list[_Waiting]:
        return [one for one in self._waiting if one.until > at]


def _parts(kind: type[Record]) -> Iterator[tuple[str, set[str]]]:
    """What spreads by itself, with its fields: a record, and the policies of a user or role."""
    itself, names = _ITSELF[kind], set(kind.__struct_fields__) - _UNNOTICED
    policies = names & _IDENTITY if itself in (_USERS, _ROLES) else set()
    yield itself, names - policies
    if policies:
        yield _POLICIES, policies


def _known(
    kind: type[Record], now: Record | None, oldest: Mapping[str, Record | None]
) -> Record | None:
    """The record that the rest of AWS sees: it, or its policies, may be older than ``now``."""
    known = oldest.get(_ITSELF[kind], now)
    if known is None or _POLICIES not in oldest or _ITSELF[kind] == _POLICIES:
        return known
    older, names = oldest[_POLICIES], _IDENTITY & {*kind.__struct_fields__}
    if older is None:  # the record is new: nobody sees its policies yet
        policies = {name: type(getattr(known, name))() for name in names}
    else:
        policies = {name: getattr(older, name) for name in names}
    return msgspec.structs.replace(known, **policies)


_PAUSES = 2  # for each resource of a stack


class Rehearsal:
    """A running rehearsal. It starts when it is created; ``end`` restores everything."""

    def __init__(self, text: str, pipeline: Pipeline, engine: Engine) -> None:
        self.text = text
        self._spec = spec = parse(text)
        self.faults, self.lag = Faults(spec), Lag(spec)
        self._judge, self._engine, self._handle = pipeline.judge, engine, pipeline.handle
        self._pauses = 0
        self._failed: set[tuple[str, str]] = set()  # deletions
        self._before = self._judge.seen, engine.pace, engine.failure
        self._unwatch = pipeline.state.watch(self.lag.notice)
        pace = engine.pace if spec.slow_stacks == Span() else self._pace
        self._judge.seen, engine.pace, engine.failure = self.lag.seen, pace, self._failure

    def end(self) -> None:
        self._unwatch()
        self._judge.seen, self._engine.pace, self._engine.failure = self._before

    def handle(self, request: HttpRequest) -> ApiResponse:
        """Answer the request, or with an error if a fault strikes it. Dropped: reset instead."""
        service = addressed_service(request)
        operation = "Unknown"
        with suppress(ApiFault):
            operation, _ = naming.name(service, request)
        kind = self.faults.next(f"{service}.{operation}")
        if not kind:
            return self._handle(request)
        if kind.endswith("-after"):
            self._handle(request)
        if kind.startswith("reset-"):
            raise Dropped
        if kind == "throttle":
            fault = _THROTTLED.get(service, _OTHER_THROTTLED)
        else:  # AWS's two server errors, in turn
            odd = self.faults.struck[kind] % 2
            fault = faults.unavailable() if odd else faults.failure(service)
        return serialize.fault(service, fault, str(uuid.uuid4()), request)

    def _pace(self) -> float:
        self._pauses += 1
        return self._spec.slow_stacks.at(share(self._spec.seed, "stack", self._pauses)) / _PAUSES

    def _failure(self, stack_id: str, resource: str, kind: str, verb: str) -> str:
        """Why the work on a resource fails, or "". A deletion fails once, and then succeeds."""
        names = {resource, kind, kind.rpartition("::")[2]}
        once = (stack_id, resource)
        if verb == "CREATE" and names.intersection(self._spec.fail_stacks):
            return "Rehearsed: it could not be created."
        fails = verb == "DELETE" and names.intersection(self._spec.fail_deletes)
        if fails and once not in self._failed:
            self._failed.add(once)
            return "Rehearsed: it could not be deleted."
        return ""


KINDS: Mapping[str, str] = {
    "throttle": "throttle",
    "error": "errors",
    "error-after": "errors_after",
    "reset-before": "reset_before",
    "reset-after": "reset_after",
}
"""Each kind of fault, and its rate in the settings. ``-after``: after the call took effect."""
Kind = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(KINDS)})$")]
_THROTTLED: Mapping[str, ApiFault] = {
    "s3": ApiFault("SlowDown", "Please reduce your request rate."),
    "sts": ApiFault("ThrottlingException", "Rate exceeded"),
}
_OTHER_THROTTLED = ApiFault("Throttling", "Rate exceeded")


class Scripted(msgspec.Struct):
    """A planned fault: at the ``at``-th matching call from now, and ``times`` in a row."""

    call: str  # service.Operation, which may have wildcards (s3.*)
    kind: Kind
    at: Annotated[int, msgspec.Meta(ge=1)] = 1
    times: Annotated[int, msgspec.Meta(ge=1)] = 1

    def strikes(self, call: str) -> bool:
        """Whether the fault strikes this call; counts the call."""
        if not fnmatchcase(call, self.call):
            return False
        self.at -= 1
        return self.at <= 0


class Faults:
    """Decides for each call whether a fault strikes. ``calls`` and ``struck`` count them."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._script: list[Scripted] = []
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def script(self, wanted: list[Scripted]) -> None:
        """Plan these faults, in place of earlier ones."""
        with self._lock:
            self._script = list(wanted)

    def next(self, call: str) -> str:
        """The kind of fault that strikes this call; empty if none does."""
        spec = self._spec
        with self._lock:
            self.calls[call] += 1
            striking = [wanted.kind for wanted in self._script if wanted.strikes(call)]
            self._script = [wanted for wanted in self._script if wanted.at > 1 - wanted.times]
            striking += [
                kind
                for kind, setting in KINDS.items()
                if share(spec.seed, kind, call, self.calls[call]) < getattr(spec, setting)
            ]
            if striking:
                self.struck[striking[0]] += 1
            return striking[0] if striking else ""
