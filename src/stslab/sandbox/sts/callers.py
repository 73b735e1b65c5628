"""Who signs with a session's key: the record that authentication asks for."""

from stslab.policy import Principal
from stslab.sandbox.api import identifiers, principals
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.state.identities import Role, User
from stslab.sandbox.state.sessions import Session
from stslab.sandbox.state.snapshot import View


def lookup(view: View, access_key_id: str) -> KeyRecord | None:
    """The session's key, expired or not.

    None where it is unknown, or where the role or user that it was issued for is gone.
    """
    account = identifiers.account_of_key(access_key_id) or ""
    session = view.get(Session, account, access_key_id)
    found = None if session is None else _caller(view, session)
    if session is None or found is None:
        return None
    return KeyRecord(
        access_key_id,
        session.secret_access_key,
        found,
        session_token=session.session_token,
        expires=session.expires,
    )


def issuer(view: View, session: Session) -> Role | User | None:
    """The role or user whose permissions the session has; None where it is gone, or is root."""
    if session.role_id:
        role = view.get(Role, session.account, session.role_name.lower())
        return role if role is not None and role.unique_id == session.role_id else None
    return principals.by_id(view, session.issuer_id)  # a user may have another name by now


def _caller(view: View, session: Session) -> Caller | None:
    found = issuer(view, session)
    if found is None and session.issuer_id != session.account:
        return None
    user = found if isinstance(found, User) and session.kind == "SessionToken" else None
    return Caller(
        Principal.from_arn(
            user.arn if user else session.principal_arn,
            user_id=session.user_id,
            issuer="" if session.kind == "SessionToken" else session.issuer_arn,
        ),
        session.account,
        session.access_key_id,
        session.kind,
        session.user_id,
        user.name if user else "",
        session,
    )
