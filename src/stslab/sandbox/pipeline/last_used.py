"""When keys and roles were used last, noted to the minute.

IAM User Guide, "Refining permissions in AWS using last accessed information"; IAM API
Reference, "AccessKeyLastUsed" and "RoleLastUsed".
"""

import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.pipeline.callers import issuer
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
            if _to_put(self._state.snapshot, request) is not None:
                with self._state.transaction(wait=False) as tx:
                    used = _to_put(tx, request)
                    if used is not None:
                        tx.put(used)
            if len(self._minutes) >= _MOST_REMEMBERED:
                self._minutes.clear()
            self._minutes[use] = minute


def _to_put(view: View, request: ApiRequest) -> AccessKey | Role | None:
    """The record that is to say that it was used now, and doesn't."""
    caller, session = request.caller, request.caller.session
    used: AccessKey | Role | None = None
    if session is None:
        used = view.get(AccessKey, caller.account, caller.access_key_id)
    elif session.role_id:
        role = issuer(view, session)
        used = role if isinstance(role, Role) else None
    if used is None:
        return None
    now = LastUsed(request.now.replace(microsecond=0), request.region, request.service)
    before = used.last_used
    same = before is not None and (before.service, before.region) == (now.service, now.region)
    if before is not None and same and timedelta() <= request.now - before.at < _MINUTE:
        return None
    return msgspec.structs.replace(used, last_used=now)
