"""Which access keys there are, who signs with each, when, and what a session's may not call."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from stslab.policy import Principal
from stslab.sandbox.api import faults, identifiers, policies
from stslab.sandbox.api.model import ApiFault, ApiRequest, Caller, KeyRecord
from stslab.sandbox.api.services import FORBIDDEN
from stslab.sandbox.signing.signature import UNSIGNED_ACTIONS
from stslab.sandbox.state.identities import AccessKey, LastUsed, Role, Session, User
from stslab.sandbox.state.snapshot import Account, View
from stslab.sandbox.state.state import Busy, Closed, State


def root_caller(account: Account, access_key_id: str = "") -> Caller:
    """The account's root user, whose user id is the account's."""
    principal = Principal.from_arn(account.root_arn, user_id=account.account)
    return Caller(principal, account.account, access_key_id, "Root", account.account)


def user_caller(user: User, access_key_id: str = "") -> Caller:
    principal = Principal.from_arn(user.arn, user_id=user.unique_id)
    return Caller(principal, user.account, access_key_id, "IAMUser", user.unique_id, user.name)


def lookup(view: View, access_key_id: str) -> KeyRecord | None:
    """The key of this id, active or not, expired or not.

    None where there is none, or where the role or user that it was issued for is gone.
    """
    account = view.get(Account, identifiers.account_of_key(access_key_id) or "", "")
    if account is None:
        return None
    key = view.get(AccessKey, account.account, access_key_id)
    if key is None:
        session = view.get(Session, account.account, access_key_id)
        return None if session is None else _of_session(view, session)
    user = view.get(User, key.account, key.user) if key.user else None
    if key.user and user is None:
        return None
    caller = user_caller(user, key.key) if user else root_caller(account, key.key)
    return KeyRecord(access_key_id, key.secret_access_key, caller, key.active)


def _of_session(view: View, session: Session) -> KeyRecord | None:
    found = issuer(view, session)
    if found is None and session.issuer_id != session.account:
        return None
    own = session.kind == "SessionToken"
    user = found if own and isinstance(found, User) else None
    principal = Principal.from_arn(
        user.arn if user else session.principal_arn,
        user_id=session.user_id,
        issuer="" if own else session.issuer_arn,
    )
    caller = Caller(
        principal,
        session.account,
        session.access_key_id,
        session.kind,
        session.user_id,
        user.name if user else "",
        session,
    )
    return KeyRecord(
        session.access_key_id,
        session.secret_access_key,
        caller,
        session_token=session.session_token,
        expires=session.expires,
    )


def issuer(view: View, session: Session) -> Role | User | None:
    """The role or user whose permissions the session has; None where it is gone, or is root."""
    if session.role_id:
        role = view.get(Role, session.account, session.role_name.lower())
        return role if role is not None and role.unique_id == session.role_id else None
    return policies.by_id(view, session.issuer_id)  # a user may have another name by now


_NEVER = frozenset({"GetSessionToken", "GetFederationToken"})
_ALWAYS = frozenset({"GetCallerIdentity", "GetScopedCredentials", "GetDelegatedAccessToken"})
_ONLY: Mapping[str, frozenset[str]] = {
    "SessionToken": _ALWAYS | {"AssumeRole", "GetWebIdentityToken"},
    "FederatedUser": _ALWAYS,
}
"""What of STS a kind of session may call, where that is not all but :data:`_NEVER`."""


def check_session(caller: Caller, service: str, operation: str) -> None:
    """Refuse, as AWS does, what temporary credentials may not call, whatever policies say.

    IAM User Guide, "Comparing AWS STS credentials" (Requesting temporary security credentials).
    """
    session = caller.session
    if session is None or operation in UNSIGNED_ACTIONS:
        return
    without_mfa = session.kind == "SessionToken" and session.mfa is None
    if service == "iam" and (session.kind == "FederatedUser" or without_mfa):
        raise ApiFault(
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
            FORBIDDEN,
        )
    if service != "sts":
        return
    if operation in _NEVER:
        raise faults.access_denied(f"Cannot call {operation} with session credentials")
    if operation not in _ONLY.get(session.kind, {operation}):
        raise faults.access_denied(
            f"User: {caller.principal.arn} is not authorized to perform: sts:{operation}"
        )


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
