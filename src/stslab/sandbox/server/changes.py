"""What changed in the account: since a moment, or by a learner's hand in a run, and back again."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

import msgspec

from stslab.errors import SandboxError
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.identifiers import LEARNER
from stslab.sandbox.pipeline.accounts import ADMINISTRATOR, usable_key
from stslab.sandbox.rehearsal.rehearsal import Rehearsal
from stslab.sandbox.server.control import ControlRequest, Said
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
"""What counts: sessions end by themselves, and nothing else can be made by a call."""
_PASSING = {"last_used": None, "credential_report": None}
"""Members that looking changes, or that no call can undo."""


class Holder(Protocol):
    """What has an account, one after another; see ``EmbeddedAccount``."""

    inside: Inside
    rehearsal: Rehearsal | None
    marked: Snapshot | None

    def rehearse(self, text: str | None) -> None: ...


def mark(account: Holder, _: ControlRequest) -> Said:
    account.marked = account.inside.state.snapshot
    return {}


def changed(account: Holder, _: ControlRequest) -> Said:
    """Tell what is not as it was when ``mark`` was last asked for."""
    if account.marked is None:
        raise SandboxError("Nothing was marked.")
    return {"changed": sorted(_sentences(account.marked, account.inside.state.snapshot))}


def _sentences(before: Snapshot, after: Snapshot) -> Iterator[str]:
    for difference in before.differences(after):
        was, now = _lasting(difference.before), _lasting(difference.after)
        record = was or now
        if record and was != now:
            what = "is left" if was is None else "is gone" if now is None else "was changed"
            yield f"{_called(record)} {what}"


def _lasting(record: Record | None) -> Record | None:
    """The record as far as it counts; None where it does not."""
    if record is None or record.table not in _CALLED:
        return None
    if getattr(record, "status", "") == "DELETE_COMPLETE":  # stacks are remembered
        return None
    passing = {name: none for name, none in _PASSING.items() if hasattr(record, name)}
    return msgspec.structs.replace(record, **passing)


def _called(record: Record) -> str:
    name = f"{_CALLED[record.table]} {getattr(record, 'name', '') or record.key}"
    return name if record.account in ("", LEARNER) else f"{name} of account {record.account}"


def run(account: Holder, asked: ControlRequest) -> Said:
    """The key of the run ``{"run": id, "keys": [ids]}``, which begins or has its turn again.

    ``keys`` are further keys that are its own. Without a run: that of the last turn, if any.
    ``{"run": id, "ends": true}`` ends it.
    """
    wanted, keys = str(asked.body.get("run", "")), asked.body.get("keys", [])
    with account.inside.state.transaction() as tx:
        known = traces.runs(tx)
        found = next((one for one in known if wanted in ("", one.run)), None)
        if asked.body.get("ends"):
            _end(tx, found)
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


def _shown(found: Run, key: AccessKey | None) -> Said:
    if key is None:
        raise SandboxError(f"The key of run {found.run} is gone.")
    shown = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
    return {"run": found.run, **shown}


def _new_key(tx: Transaction) -> str:
    """A key of the administrator that is not among those that IAM lists."""
    usable = usable_key(tx, LEARNER, ADMINISTRATOR)
    if usable is None:
        raise SandboxError("The administrator has no active access key any more.")
    made = msgspec.structs.replace(
        usable,
        access_key_id=identifiers.access_key_id("AKIA", LEARNER),
        secret_access_key=identifiers.secret_access_key(),
        created=tx.now(),
    )
    tx.put(made)
    return made.key


def _end(tx: Transaction, ended: Run | None) -> None:
    if ended is None:
        return
    key = tx.get(AccessKey, LEARNER, ended.keys[0])
    for record in (ended, key, *traces.traces(tx, ended.run)):
        if record is not None:
            tx.delete(record)


def restore(account: Holder, asked: ControlRequest) -> Said:
    """What the learner did by hand in ``{"run": id, "own": [names], "only_look": bool}``, undone.

    ``own`` is what the run's journal undoes: it is left to that. ``restored`` was put back as it
    was before; ``kept`` was changed since by somebody else, and stays. ``made`` is all that was
    made by hand, but for ``sessions``.
    """
    body, look = asked.body, bool(asked.body.get("only_look"))
    own = {str(one).lower() for one in body.get("own", [])}
    told: dict[str, list[str]] = {"restored": [], "kept": [], "made": []}
    with account.inside.state.transaction() as tx:
        noted = traces.traces(tx, str(body.get("run", "")))
        hands = [_Handled.of(tx, trace) for trace in noted]
        going = {one.trace.of for one in hands if one.was is None}
        for one in hands:
            if one.made:
                told["made"].append(one.called)
            if one.is_as_before or one.names & own:
                continue
            keep = one.changed_since or (one.was is None and _in_use(tx, one.now, going))
            if one.called:
                told["kept" if keep else "restored"].append(one.called)
            if not keep and not look:
                _put_back(tx, one)
        for trace in () if look else noted:
            tx.delete(trace)
    given = {
        one.left.access_key_id: {
            "by": one.trace.by,
            "expires": one.left.expires.isoformat(),
            "seconds": int((one.left.expires - one.left.issued).total_seconds()),
            "mfa": one.left.mfa is not None,
        }
        for one in hands
        if isinstance(one.left, Session)
    }
    return {**told, "sessions": given}


class _Handled(NamedTuple):
    """A record that was changed by hand: before, as it was left, and now.

    ``names`` are its own, and that of the stack that it hangs on.
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
        return cls(trace, was, left, now, frozenset(one.lower() for one in names if one))

    @property
    def called(self) -> str:
        """What people call it; nothing for what does not count."""
        record = _lasting(self.now) or _lasting(self.was)
        return _called(record) if record else ""

    @property
    def made(self) -> bool:
        """Whether it is there by hand alone."""
        return bool(_lasting(self.now)) and not _lasting(self.was)

    @property
    def is_as_before(self) -> bool:
        """Whether there is nothing to undo."""
        same = _lasting(self.now) == _lasting(self.was) if self.called else False
        return same or self.now == self.was

    @property
    def changed_since(self) -> bool:
        """Whether somebody else changed it after the learner did."""
        if self.called:
            return _lasting(self.now) != _lasting(self.left)
        return self.was is not None and self.now != self.left


def _put_back(tx: Transaction, one: _Handled) -> None:
    if one.was is not None:
        tx.put(one.was)
    elif one.now is not None:
        tx.delete(one.now)


def _in_use(view: View, record: Record | None, going: set[tuple[str, str, str]]) -> bool:
    """Whether somebody else put something into a bucket that would go."""
    if not isinstance(record, Bucket):
        return False
    inside: list[Object | Upload] = [*view.everywhere(Object), *view.everywhere(Upload)]
    return any(
        one.bucket == record.key and (one.table, one.account, one.key) not in going
        for one in inside
    )
