"""Which access keys there are, who signs with each, and what a session's may not call."""

from collections.abc import Mapping

from stslab.policy import Principal
from stslab.sandbox.api import faults, identifiers, policies
from stslab.sandbox.api.model import ApiFault, Caller, KeyRecord
from stslab.sandbox.api.services import FORBIDDEN, Judge
from stslab.sandbox.signing.signature import UNSIGNED_ACTIONS
from stslab.sandbox.state.identities import AccessKey, Role, Session, User
from stslab.sandbox.state.settings import Account
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State


class Keys:
    """Every access key of a state, as the rest of AWS knows it by now."""

    def __init__(self, state: State, judge: Judge) -> None:
        self._state = state
        self._judge = judge

    def lookup(self, access_key_id: str) -> KeyRecord | None:
        """See :func:`lookup`."""
        return lookup(self._judge.seen(self._state.snapshot), access_key_id)


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
_ONLY: Mapping[str, frozenset[str]] = {
    "SessionToken": frozenset({"AssumeRole", "GetCallerIdentity", "GetScopedCredentials"}),
    "FederatedUser": frozenset(
        {"GetCallerIdentity", "GetScopedCredentials", "GetDelegatedAccessToken"}
    ),
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
