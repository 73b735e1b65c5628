"""The control verbs about changes: since a mark, or by hand in a run; and their undo."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.identifiers import LEARNER
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.server.control import Answer, ControlRequest
from stslab.sandbox.server.embedded import Inside
from stslab.sandbox.state import traces
from stslab.sandbox.state.buckets import Bucket, Object, Upload
from stslab.sandbox.state.identities import AccessKey, Session
from stslab.sandbox.state.snapshot import Record, Snapshot, Transaction, View
from stslab.sandbox.state.traces import Run, Trace

_CALLED: Mapping[str, str] = {
    "access-key": "access key",
    "account": "account",
    "bucket": "S3 bucket",
    "group": "IAM group",
    "instance-profile": "instance profile",
    "managed-policy": "IAM policy",
    "mfa-device": "MFA device",
    "object": "object",
    "oidc-provider": "OIDC provider",
    "role": "IAM role",
    "saml-provider": "SAML provider",
    "stack": "CloudFormation stack",
    "upload": "unfinished upload",
    "user": "IAM user",
}
"""What each table's records are called. Other tables don't count: sessions end by themselves."""
_PASSING = {"last_used": None, "credential_report": None}
"""Fields that reading changes, or that no call can undo, with the value to compare them by."""


class Holder(Protocol):
    """The part of an account that the verbs need; see ``EmbeddedAccount``."""

    inside: Inside
    rehearsal: Rehearsal | None
    marked: Snapshot | None

    def rehearse(self, text: str | None) -> None: ...


def mark(account: Holder, _: ControlRequest) -> Answer:
    account.marked = account.inside.state.snapshot
    return {}


def changed(account: Holder, _: ControlRequest) -> Answer:
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


def run(account: Holder, request: ControlRequest) -> Answer:
    """The key of the run ``{"run": id}``, which begins, goes on with more ``keys``, or ``ends``.

    Without a run: of the one that was active last, if any.
    """
    wanted, keys = str(request.body.get("run", "")), request.body.get("keys", [])
    with account.inside.state.transaction() as tx:
        known = traces.runs(tx)
        found = next((one for one in known if wanted in ("", one.run)), None)
        if request.body.get("ends"):
            if found is not None:
                ended = tx.get(AccessKey, LEARNER, found.keys[0])
                for record in filter(None, (found, ended, *traces.traces(tx, found.run))):
                    tx.delete(record)
            return {}
        if not wanted:
            key = found and tx.get(AccessKey, LEARNER, found.keys[0])
            return _shown(found, key) if found and key else {}
        own = found.keys if found else (_new_key(tx),)
        turn = known[0].turn + (known[0] is not found) if known else 1
        made = Run(run=wanted, turn=turn, keys=tuple(dict.fromkeys([*own, *map(str, keys)])))
        if made != found:
            tx.put(made)
        return _shown(made, tx.get(AccessKey, LEARNER, own[0]))


def _shown(found: Run, key: AccessKey | None) -> Answer:
    if key is None:
        raise SandboxError(f"The key of run {found.run} is gone.")
    shown = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
    return {"run": found.run, **shown}


def _new_key(tx: Transaction) -> str:
    """A new key of the administrator that IAM does not list."""
    usable = usable_key(tx, LEARNER, ADMINISTRATOR)
    if usable is None:
        raise SandboxError("The administrator no longer has an active access key.")
    made = msgspec.structs.replace(
        usable,
        access_key_id=identifiers.access_key_id("AKIA", LEARNER),
        secret_access_key=identifiers.secret_access_key(),
        created=tx.now(),
    )
    tx.put(made)
    return made.key


def restore(account: Holder, request: ControlRequest) -> Answer:
    """Undo what the learner did by hand in ``{"run": id, "own": [names], "only_look": bool}``.

    ``own``: accounts and names of what the run's journal undoes; it stays. ``kept``: somebody else
    changed it later. ``made``: all that was made by hand.
    """
    body, look = request.body, bool(request.body.get("only_look"))
    told = [str(one).lower() for one in body.get("own", [])]
    own = {*told, *(one.partition(" ")[2] for one in told)}  # a bucket has no account
    answer: dict[str, list[str]] = {"restored": [], "kept": [], "made": []}
    with account.inside.state.transaction() as tx:
        noted = traces.traces(tx, str(body.get("run", "")))
        hands = [_Handled.of(tx, trace) for trace in noted]
        going = {one.trace.of for one in hands if one.was is None}
        for one in hands:
            was, left, now = map(_lasting, (one.was, one.left, one.now))
            record = now or was  # None if it does not count
            called = _called(record) if record else ""
            if now and not was:
                answer["made"].append(called)
            is_as_before = now == was if record else one.now == one.was
            if is_as_before or one.names & own:
                continue
            others = one.was is not None and one.now != one.left
            changed_since = now != left if record else others
            keep = changed_since or (one.was is None and _in_use(tx, one.now, going))
            if called:
                answer["kept" if keep else "restored"].append(called)
            if keep or look:
                continue
            if one.was is not None:
                tx.put(one.was)
            elif one.now is not None:
                tx.delete(one.now)
        for trace in () if look else noted:
            tx.delete(trace)
    sessions = {
        one.left.access_key_id: {
            "by": one.trace.by,
            "expires": one.left.expires.isoformat(),
            "seconds": int((one.left.expires - one.left.issued).total_seconds()),
            "mfa": one.left.mfa is not None,
        }
        for one in hands
        if isinstance(one.left, Session)
    }
    return {**answer, "sessions": sessions}


class _Handled(NamedTuple):
    """A record that was changed by hand: before, right after, and now.

    ``names`` are its own and its stack's, after the account's id if it has one; in small letters.
    """

    trace: Trace
    was: Record | None
    left: Record | None
    now: Record | None
    names: frozenset[str]

    @classmethod
    def of(cls, view: View, trace: Trace) -> "_Handled":
        was, left, now = traces.read(trace.was), traces.read(trace.left), view.record(trace.of)
        stack = getattr(now or was or left, "stack_id", "")
        parts = (was, left, now, view.record(("stack", trace.of[1], stack)))
        names = {trace.of[2], *(str(getattr(one, "name", "")) for one in parts)}
        full = (f"{trace.of[1]} {one}".strip().lower() for one in names if one)
        return cls(trace, was, left, now, frozenset(full))


def _in_use(view: View, record: Record | None, going: set[tuple[str, str, str]]) -> bool:
    """Whether somebody else put something into a bucket that would go."""
    if not isinstance(record, Bucket):
        return False
    inside: list[Object | Upload] = [*view.everywhere(Object), *view.everywhere(Upload)]
    return any(
        one.bucket == record.key and (one.table, one.account, one.key) not in going
        for one in inside
    )
