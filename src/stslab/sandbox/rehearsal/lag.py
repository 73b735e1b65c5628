"""IAM as the rest of AWS sees it: a change takes time until it is known everywhere.

Until then requests are judged by what was there before: a new key is unknown, a new role can't
be assumed, a policy that was changed or removed still holds (IAM User Guide, "Troubleshoot
IAM", "Changes that I make are not always immediately visible"). IAM's own answers are always
the newest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from stslab.sandbox.rehearsal.spec import Span, Spec, share
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

_KEYS, _USERS, _ROLES, _POLICIES = "key", "user", "role", "policies"
_IDENTITY = frozenset({"inline", "attached", "boundary", "groups"})
"""The members of a user or role by which its policies are found."""
_UNNOTICED = frozenset({"last_used", "access_keys", "mfa_devices", "login"})
"""Members that nothing is judged by."""
_ITSELF = {AccessKey: _KEYS, User: _USERS, Role: _ROLES, Group: _POLICIES, ManagedPolicy: _POLICIES}
"""How long a change of such a record takes, but for the members of its identity."""


class _Waiting(NamedTuple):
    """What is known until a moment: the record before a change of what is named, or None."""

    until: datetime
    what: str
    before: Record | None


_Pending = Mapping[Address, tuple[_Waiting, ...]]


class Lag:
    """Remembers older records for as long as the rest of AWS goes by them.

    :meth:`notice` comes after each change, one at a time; :meth:`seen` may come at any time.
    """

    def __init__(self, spec: Spec) -> None:
        self._seed = spec.seed
        self._delays: Mapping[str, Span] = {
            _KEYS: spec.keys,
            _USERS: spec.users,
            _ROLES: spec.roles,
            _POLICIES: spec.policies,
        }
        self._changes: Counter[str] = Counter()
        self._pending: _Pending = {}

    def notice(self, before: Snapshot, after: Snapshot) -> None:
        """Let what differs between two snapshots spread."""
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
        """What the rest of AWS knows at the view's moment."""
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
        """How many changes are not known everywhere yet."""
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
        seconds = self._delays[what].at(share(self._seed, what, self._changes[what]))
        return at + timedelta(seconds=seconds)


def _known(kind: type[Record], now: Record | None, waiting: tuple[_Waiting, ...]) -> Record | None:
    """The record as the rest of AWS knows it: it, or its policies, may be older than ``now``."""
    oldest: dict[str, Record | None] = {}
    for one in waiting:
        oldest.setdefault(one.what, one.before)
    known = oldest.get(_ITSELF[kind], now)
    if known is None or _POLICIES not in oldest or _ITSELF[kind] == _POLICIES:
        return known
    return msgspec.structs.replace(known, **_identity(oldest[_POLICIES], of=known))


def _unexpired(pending: _Pending, at: datetime) -> dict[Address, tuple[_Waiting, ...]]:
    found = {}
    for address, waiting in pending.items():
        left = tuple(one for one in waiting if one.until > at)
        if left:
            found[address] = left
    return found


def _members(record: Record | None, without: frozenset[str]) -> dict[str, Any] | None:
    if record is None:
        return None
    names = [name for name in record.__struct_fields__ if name not in without]
    return {name: getattr(record, name) for name in names}


def _identity(record: Record | None, of: Record | None = None) -> dict[str, Any]:
    """The members by which policies are found; empty ones, as ``of`` has them, of no record."""
    if record is None and of is None:
        return {}
    if record is None:
        return {name: type(value)() for name, value in _identity(of).items()}
    return {name: getattr(record, name) for name in record.__struct_fields__ if name in _IDENTITY}
