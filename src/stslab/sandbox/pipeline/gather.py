"""Which policies apply to a caller: the user's, the groups', the role's, the session's.

IAM User Guide, "Policies and permissions in IAM" and "Policy evaluation logic".
"""

import json
from collections.abc import Callable, Iterable, Mapping

from stslab.policy import NamedPolicy, Policies, PolicyKind
from stslab.sandbox.api.model import Caller
from stslab.sandbox.api.policies import named
from stslab.sandbox.iam import lookups
from stslab.sandbox.state.identities import Identity, Role, User
from stslab.sandbox.state.sessions import Session, SessionPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import callers


def policies_of(view: View, caller: Caller) -> Policies:
    """The caller's identity-based policies, boundaries and session policies.

    A user or role that is gone has no policies, and so no permissions.
    """
    gatherer = _BY_KIND.get(caller.kind)
    return Policies() if gatherer is None else gatherer(view, caller)


def of_user(view: View, user: User | None) -> Policies:
    """The policies of the user and its groups."""
    if user is None:
        return Policies()
    identity = [*_own(view, user, f"user {user.name}")]
    for group in lookups.groups_of(view, user):
        identity += _own(view, group, f"group {group.name}")
    return Policies(identity=tuple(identity), boundaries=_boundary(view, user))


def of_role(view: View, role: Role | None) -> Policies:
    """The policies of the role."""
    if role is None:
        return Policies()
    identity = tuple(_own(view, role, f"role {role.name}"))
    return Policies(identity=identity, boundaries=_boundary(view, role))


def _of_root(_view: View, caller: Caller) -> Policies:
    return _root(caller.account)


def _root(account: str) -> Policies:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": everything})
    return Policies(identity=(named(f"root user of {account}", text, PolicyKind.IDENTITY),))


def _own(view: View, owner: Identity, whose: str) -> Iterable[NamedPolicy]:
    for name, text in owner.inline.items():
        yield named(f"inline policy {name} of {whose}", text, PolicyKind.IDENTITY)
    for arn in owner.attached:
        managed = lookups.managed_text(view, owner.account, arn)
        if managed is not None:
            yield named(f"managed policy {arn} of {whose}", managed, PolicyKind.IDENTITY)


def _boundary(view: View, owner: User | Role) -> tuple[NamedPolicy, ...] | None:
    if not owner.boundary:
        return None
    text = lookups.managed_text(view, owner.account, owner.boundary)
    if text is None:
        return ()
    return (named(f"permissions boundary {owner.boundary}", text, PolicyKind.BOUNDARY),)


def _of_user(view: View, caller: Caller) -> Policies:
    user = view.get(User, caller.account, caller.user_name.lower())
    return of_user(view, user if user and user.unique_id == caller.user_id else None)


def _of_session(view: View, caller: Caller) -> Policies:
    session = caller.session
    if session is None:
        return Policies()
    own = _issuer(view, session)
    if session.session_policies is None:
        return own
    passed = tuple(_session_policy(view, session, one) for one in session.session_policies)
    return Policies(identity=own.identity, boundaries=own.boundaries, session=passed)


def _issuer(view: View, session: Session) -> Policies:
    if session.issuer_id == session.account:
        return _root(session.account)
    issuer = callers.issuer(view, session)
    return of_role(view, issuer) if isinstance(issuer, Role) else of_user(view, issuer)


def _session_policy(view: View, session: Session, passed: SessionPolicy) -> NamedPolicy:
    current = lookups.managed_text(view, session.account, passed.arn) if passed.arn else None
    name = f"session policy {passed.name}"
    return named(name, current or passed.document, PolicyKind.SESSION)


_BY_KIND: Mapping[str, Callable[[View, Caller], Policies]] = {
    "Root": _of_root,
    "IAMUser": _of_user,
    "AssumedRole": _of_session,
    "FederatedUser": _of_session,
    "SessionToken": _of_session,
    "WebIdentityUser": _of_session,
}
