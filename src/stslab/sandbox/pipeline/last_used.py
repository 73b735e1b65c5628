"""When keys and roles were used last, noted to the minute.

IAM User Guide, "Refining permissions in AWS using last accessed information"; IAM API
Reference, "AccessKeyLastUsed" and "RoleLastUsed".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.state.identities import AccessKey, LastUsed, Role
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State

_MINUTE = timedelta(minutes=1)


def note(state: State, request: ApiRequest) -> None:
    """Remember that the request's key, or its role, was used: rarely a write."""
    if not any(_stale(state.snapshot, request)):
        return
    with state.transaction() as tx:
        for used in _stale(tx, request):
            tx.put(used)


def _stale(view: View, request: ApiRequest) -> Iterator[AccessKey | Role]:
    """The records that are to say that they were used now, and don't."""
    for thing in _used(view, request):
        before = thing.last_used
        if before is None or _differs(before, request):
            now = LastUsed(request.now.replace(microsecond=0), request.region, request.service)
            yield msgspec.structs.replace(thing, last_used=now)


def _used(view: View, request: ApiRequest) -> Iterator[AccessKey | Role]:
    caller = request.caller
    session = caller.session
    if session is None:
        key = view.get(AccessKey, caller.account, caller.access_key_id)
        if key is not None:
            yield key
    elif session.role_name:
        role = view.get(Role, session.account, session.role_name.lower())
        if role is not None and role.unique_id == session.role_id:
            yield role


def _differs(before: LastUsed, request: ApiRequest) -> bool:
    if (before.service, before.region) != (request.service, request.region):
        return True
    return not timedelta() <= request.now - before.at < _MINUTE
