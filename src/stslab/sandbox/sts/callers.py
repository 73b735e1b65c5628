"""Who signs with a session's key: the record that authentication asks for."""

from __future__ import annotations

from typing import Any

from stslab.policy import Principal
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts.sessions import Session, SessionStore


class SessionKeys:
    """The keys of all sessions whose role, or user, still is the one that they were issued for."""

    def __init__(self, world: World, store: SessionStore) -> None:
        self._world = world
        self._store = store

    def lookup(self, access_key_id: str) -> KeyRecord | None:
        """The session's key, expired or not; None where it is unknown or its issuer is gone."""
        session = self._store.find(access_key_id)
        if session is None or session.account not in self._world.accounts:
            return None
        issuer = self._issuer(session)
        if issuer is None:
            return None
        return KeyRecord(
            access_key_id,
            session.secret_access_key,
            _caller(session, issuer),
            session_token=session.session_token,
            expires=session.expires,
        )

    def _issuer(self, session: Session) -> Any:
        """Moto's role or user, found by its unique id; the account for the root user."""
        account = self._world.account(session.account)
        if session.role_id:
            return account.iam.roles.get(session.role_id)
        if session.issuer_id == session.account:
            return account
        users = account.iam.users
        named = users.get(session.user_name)
        if named is not None and named.id == session.issuer_id:
            return named
        return next((user for user in list(users.values()) if user.id == session.issuer_id), None)


def _caller(session: Session, issuer: Any) -> Caller:
    is_user = bool(session.user_name) and session.kind == "SessionToken"
    arn = issuer.arn if is_user else session.principal_arn
    made_by = "" if session.kind == "SessionToken" else session.issuer_arn
    return Caller(
        Principal.from_arn(arn, user_id=session.user_id, issuer=made_by),
        session.account,
        session.access_key_id,
        session.kind,
        session.user_id,
        issuer.name if is_user else "",
        session,
    )
