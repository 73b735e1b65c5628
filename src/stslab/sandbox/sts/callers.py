"""Who signs with a session's key: the record that authentication asks for."""

from __future__ import annotations

from stslab.policy import Principal
from stslab.sandbox.api import identifiers, principals
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.state.identities import Role, User
from stslab.sandbox.state.sessions import Session
from stslab.sandbox.state.settings import Account
from stslab.sandbox.state.snapshot import View


def lookup(view: View, access_key_id: str) -> KeyRecord | None:
    """The session's key, expired or not.

    None where it is unknown, or where the role or user that it was issued for is gone.
    """
    account = identifiers.account_of_key(access_key_id) or ""
    session = view.get(Session, account, access_key_id)
    issuer = None if session is None else _issuer(view, session)
    if session is None or issuer is None:
        return None
    return KeyRecord(
        access_key_id,
        session.secret_access_key,
        _caller(session, issuer),
        session_token=session.session_token,
        expires=session.expires,
    )


def _issuer(view: View, session: Session) -> Role | User | Account | None:
    """Whose policies the session has, still with its unique id; the account for the root user."""
    account = session.account
    if session.issuer_id == account:
        return view.get(Account, account, "")
    found = (
        view.get(Role, account, session.role_name.lower())
        if session.role_id
        else view.get(User, account, session.user_name.lower())
    )
    if found is not None and found.unique_id == session.issuer_id:
        return found
    return principals.by_id(view, session.issuer_id)  # a user may have another name by now


def _caller(session: Session, issuer: Role | User | Account) -> Caller:
    user = issuer if isinstance(issuer, User) and session.kind == "SessionToken" else None
    made_by = "" if session.kind == "SessionToken" else session.issuer_arn
    arn = user.arn if user else session.principal_arn
    return Caller(
        Principal.from_arn(arn, user_id=session.user_id, issuer=made_by),
        session.account,
        session.access_key_id,
        session.kind,
        session.user_id,
        user.name if user else "",
        session,
    )
