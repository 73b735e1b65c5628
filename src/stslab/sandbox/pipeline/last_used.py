"""When keys and roles were used last, noted to the minute.

IAM User Guide, "Refining permissions in AWS using last accessed information"; IAM API
Reference, "AccessKeyLastUsed" and "RoleLastUsed".
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.state.identities import AccessKey, LastUsed, Role
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import Busy, Closed, State

_MINUTE = timedelta(minutes=1)
_MOST_REMEMBERED = 4096


class LastUses:
    """Notes uses in the state: of each key, service and region one a minute, which is a write.

    No request waits for that, or fails because it can't be saved: the next one is noted then.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._minutes: dict[tuple[str, str, str], datetime] = {}

    def note(self, request: ApiRequest) -> None:
        """Remember that the request's key, or its role, was used."""
        use = request.caller.access_key_id, request.service, request.region
        minute = request.now.replace(second=0, microsecond=0)
        if self._minutes.get(use) == minute:
            return
        with suppress(Busy, Closed, sqlite3.Error):
            if any(_stale(self._state.snapshot, request)):
                with self._state.transaction(wait=False) as tx:
                    for used in _stale(tx, request):
                        tx.put(used)
            self._remember(use, minute)

    def _remember(self, use: tuple[str, str, str], minute: datetime) -> None:
        if len(self._minutes) >= _MOST_REMEMBERED:
            self._minutes.clear()
        self._minutes[use] = minute


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
