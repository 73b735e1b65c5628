"""The control verbs about changes: since a mark, or by hand in a run; and their undo."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.iam.users import new_key
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.server.control import ControlRequest, Reply
from stslab.sandbox.server.embedded import Inside
from stslab.sandbox.state import traces
from stslab.sandbox.state.buckets import Bucket, Object, Upload
from stslab.sandbox.state.identities import AccessKey, Session, User
from stslab.sandbox.state.snapshot import Address, Record, Snapshot, Transaction, View
from stslab.structures import beside
from stslab.vocabulary import LEARNER

_CALLED: Mapping[str, str] = beside(__file__, "called.yaml")
_PASSING = {"last_used": None, "credential_report": None, "mfa_tries": ()}
"""Fields that reading changes, or that no call can undo, with the value to compare them by."""


class Holder(Protocol):
    """The part of an account that the verbs need; see ``EmbeddedAccount``."""

    inside: Inside
    rehearsal: Rehearsal | None
    marked: Snapshot | None

    def rehearse(self, text: str | None) -> None: ...


def mark(account: Holder, _: ControlRequest) -> Reply:
    account.marked = account.inside.state.snapshot
    return {}


def changed(account: Holder, _: ControlRequest) -> Reply:
    """One sentence for each thing that is not as it was at the last ``mark``."""
    if account.marked is None:
        raise SandboxError("There is no mark to compare with.")
    sentences = []
    for difference in account.marked.differences(account.inside.state.snapshot):
        was, now = _lasting(difference.before), _lasting(difference.after)
        record = was or now
        if record and was != now:
            what = "is left" if was is None else "is gone" if now is None else "was changed"
            sentences.append(f"{_called(record)} {what}")
    return {"changed": sorted(sentences)}


def _lasting(record: Record | None) -> Record | None:
    """The record without passing fields; None if it does not count."""
    if record is None or record.table not in _CALLED:
        return None
    if getattr(record, "status", "") == "DELETE_COMPLETE":  # stacks are remembered
        return None
    passing = {name: none for name, none in _PASSING.items() if hasattr(record, name)}
    return msgspec.structs.replace(record, **passing)


def _called(record: Record) -> str:
    name = f"{_CALLED[record.table]} {getattr(record, 'name', '') or record.key}"
    return name if record.account in ("", LEARNER) else f"{name} of account {record.account}"


def run(account: Holder, request: ControlRequest) -> Reply:
    """The key of the run ``{"run": id}``, which begins, goes on with more ``keys``, or ``ends``.

    Without a run: of the one that was active last, if any.
    """
    wanted = str(request.body.get("run", ""))
    with account.inside.state.transaction() as tx:
        found = next((one for one in traces.runs(tx) if wanted in ("", one.run)), None)
        if request.body.get("ends"):
            _end(tx, found)
            return {}
        if wanted:
            found = _go_on(tx, wanted, found, [str(key) for key in request.body.get("keys", [])])
        key = tx.get(AccessKey, LEARNER, found.keys[0]) if found else None
        if found and key:
            shown = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
            return {"run": found.run, **shown}
        if wanted:
            raise SandboxError(f"The key of run {wanted} is gone.")
        return {}


def _end(tx: Transaction, ended: traces.Run | None) -> None:
    if ended:
        key = tx.get(AccessKey, LEARNER, ended.keys[0])
        for record in filter(None, (ended, key, *traces.traces(tx, ended.run))):
            tx.delete(record)


def _go_on(tx: Transaction, name: str, found: traces.Run | None, more: list[str]) -> traces.Run:
    """The run of this name, with ``more`` keys, as the one that was used last."""
    own = found.keys if found else (_new_key(tx),)
    last = next(iter(traces.runs(tx)), None)
    turn = last.turn if last else 0
    if last is None or last is not found:
        turn += 1
    now = traces.Run(run=name, turn=turn, keys=tuple(dict.fromkeys([*own, *more])))
    if now != found:
        tx.put(now)
    return now


def _new_key(tx: Transaction) -> str:
    """A new key of the administrator that IAM does not list."""
    administrator = tx.get(User, LEARNER, ADMINISTRATOR)
    if administrator is None or usable_key(tx, LEARNER, ADMINISTRATOR) is None:
        raise SandboxError("The administrator no longer has an active access key.")
    made = new_key(LEARNER, tx.now(), administrator)
    tx.put(made)
    return made.key


def restore(account: Holder, request: ControlRequest) -> Reply:
    """Undo what the learner did by hand in ``{"run": id, "own": [names], "only_look": bool}``.

    ``own``: accounts and names of what the run's journal undoes; it stays. ``kept``: somebody else
    changed it later. ``made``: all that was made by hand.
    """
    only_look = bool(request.body.get("only_look"))
    told = [str(one).lower() for one in request.body.get("own", [])]
    own = {*told, *(one.partition(" ")[2] for one in told)}  # a bucket has no account
    restored: list[str] = []
    kept: list[str] = []
    with account.inside.state.transaction() as tx:
        noted = traces.traces(tx, str(request.body.get("run", "")))
        handled = [_Handled.of(tx, trace) for trace in noted]
        going = {one.trace.of for one in handled if one.was is None}
        for one in handled:
            if one.is_as_before or one.names & own:
                continue
            keep = one.changed_since or (one.was is None and _in_use(tx, one.now, going))
            if one.called:
                (kept if keep else restored).append(one.called)
            if not keep and not only_look:
                one.restore(tx)
        for trace in () if only_look else noted:
            tx.delete(trace)
    return {
        "restored": restored,
        "kept": kept,
        "made": [one.called for one in handled if _lasting(one.now) and not _lasting(one.was)],
        "sessions": {
            one.left.access_key_id: {
                "by": one.trace.by,
                "expires": one.left.expires.isoformat(),
                "seconds": int((one.left.expires - one.left.issued).total_seconds()),
                "mfa": one.left.mfa is not None,
                "policies": [each.arn or each.document for each in one.left.session_policies or ()],
            }
            for one in handled
            if isinstance(one.left, Session)
        },
    }


class _Handled(NamedTuple):
    """A record that was changed by hand: before, right after, and now.

    ``names`` are its own and its stack's, after the account's id if it has one; in small letters.
    ``called`` is empty if it does not count. ``changed_since``: by somebody else.
    """

    trace: traces.Trace
    was: Record | None
    left: Record | None
    now: Record | None
    names: frozenset[str]
    called: str
    is_as_before: bool
    changed_since: bool

    @classmethod
    def of(cls, view: View, trace: traces.Trace) -> "_Handled":
        was, left, now = traces.read(trace.was), traces.read(trace.left), view.record(trace.of)
        stack = getattr(now or was or left, "stack_id", "")
        parts = (was, left, now, view.record(("stack", trace.of[1], stack)))
        told = (str(getattr(one, member, "")) for one in parts for member in ("name", "arn"))
        names = {trace.of[2], *told}
        full = frozenset(f"{trace.of[1]} {one}".strip().lower() for one in names if one)
        counts = _lasting(now) or _lasting(was)
        called = _called(counts) if counts else ""
        before, after, here = map(_lasting, (was, left, now)) if counts else (was, left, now)
        changed_since = here != after and (counts is not None or was is not None)
        return cls(trace, was, left, now, full, called, here == before, changed_since)

    def restore(self, tx: Transaction) -> None:
        if self.was is not None:
            tx.put(self.was)
        elif self.now is not None:
            tx.delete(self.now)


def _in_use(view: View, record: Record | None, going: set[Address]) -> bool:
    """Whether somebody else put something into a bucket that would go."""
    if not isinstance(record, Bucket):
        return False
    inside: list[Object | Upload] = [*view.everywhere(Object), *view.everywhere(Upload)]
    return any(one.bucket == record.key and one.address not in going for one in inside)
