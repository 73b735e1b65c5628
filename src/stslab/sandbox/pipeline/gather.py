"""Which policies apply to a caller: the user's, the groups', the role's, the session's.

IAM User Guide, "Policies and permissions in IAM" and "Policy evaluation logic".
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stslab.policy import MalformedPolicy, NamedPolicy, Policies, PolicyKind, parse
from stslab.sandbox.api.model import Caller
from stslab.sandbox.saved.account import Account, World

_REMEMBERED = 4096
_parse = functools.lru_cache(maxsize=_REMEMBERED)(parse)

Named = tuple[NamedPolicy, ...]


def policies_of(world: World, caller: Caller) -> Policies:
    """The caller's identity-based policies, boundaries and session policies, as they are known.

    A user or role that is gone has no policies, and so no permissions.
    """
    account = world.accounts.get(caller.account)
    gatherer = _BY_KIND.get(caller.kind)
    now = Policies() if account is None or gatherer is None else gatherer(account, caller)
    return now if world.replica is None else world.replica.policies(caller, now)


def named(name: str, text: str, kind: PolicyKind) -> NamedPolicy:
    """The policy with this text; parsed once for each text.

    A document that the engine can't read denies everything; it was refused when it was put,
    so only a state that was changed outside the sandbox holds one.
    """
    try:
        return NamedPolicy(name, _parse(text, kind))
    except MalformedPolicy:
        return NamedPolicy(name, _parse(_denying(kind), kind))


def _denying(kind: PolicyKind) -> str:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    if kind is PolicyKind.RESOURCE:
        statement["Principal"] = "*"
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def user_named(account: Account, name: str, user_id: str = "") -> Any:
    """Moto's user of this name; None where it is gone, or another has its name now."""
    user = account.iam.users.get(name)
    return user if user is not None and user_id in ("", user.id) else None


def role_with_id(account: Account, role_id: str) -> Any:
    """Moto's role with this unique id; None where it is gone."""
    return account.iam.roles.get(role_id)


def role_named(account: Account, name: str) -> Any:
    """Moto's role of this name, or None."""
    return next((role for role in list(account.iam.roles.values()) if role.name == name), None)


def managed_text(account: Account, arn: str) -> str | None:
    """The default version's document of the managed policy, or None where there is none."""
    policy = account.iam.managed_policies.get(arn)
    if policy is None:
        return None
    for version in policy.versions:
        if version.is_default:
            return str(version.document)
    return None


def of_user(account: Account, user: Any) -> Policies:
    """The policies of moto's user and its groups, as they are."""
    if user is None:
        return Policies()
    identity = [*_attached(account, user, f"user {user.name}")]
    for group in list(account.iam.groups.values()):
        if user in group.users:
            identity += _attached(account, group, f"group {group.name}")
    boundary = account.user_boundaries.get(user.name)
    return Policies(identity=tuple(identity), boundaries=_boundary(account, boundary))


def of_role(account: Account, role: Any) -> Policies:
    """The policies of moto's role, as they are."""
    if role is None:
        return Policies()
    return Policies(
        identity=tuple(_attached(account, role, f"role {role.name}")),
        boundaries=_boundary(account, role.permissions_boundary_arn),
    )


def _root(account: Account) -> Policies:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": everything})
    return Policies(
        identity=(named(f"root user of {account.account_id}", text, PolicyKind.IDENTITY),)
    )


def _attached(account: Account, owner: Any, whose: str) -> Iterable[NamedPolicy]:
    for name, text in list(owner.policies.items()):
        yield named(f"inline policy {name} of {whose}", text, PolicyKind.IDENTITY)
    for arn in list(owner.managed_policies):
        text = managed_text(account, arn)
        if text is not None:
            yield named(f"managed policy {arn} of {whose}", text, PolicyKind.IDENTITY)


def _boundary(account: Account, arn: str | None) -> Named | None:
    if not arn:
        return None
    text = managed_text(account, arn)
    if text is None:
        return ()
    return (named(f"permissions boundary {arn}", text, PolicyKind.BOUNDARY),)


def _of_user(account: Account, caller: Caller) -> Policies:
    return of_user(account, user_named(account, caller.user_name, caller.user_id))


def _of_root(account: Account, _caller: Caller) -> Policies:
    return _root(account)


def _of_session(account: Account, caller: Caller) -> Policies:
    session = caller.session
    if session is None:
        return Policies()
    own = _issuer(account, session)
    if session.session_policies is None:
        return own
    return Policies(
        identity=own.identity,
        boundaries=own.boundaries,
        session=tuple(_session_policies(account, session)),
    )


def _issuer(account: Account, session: Any) -> Policies:
    if session.role_id:
        return of_role(account, role_with_id(account, session.role_id))
    if session.issuer_arn == account.root_arn:
        return _root(account)
    name = session.issuer_arn.rsplit("/", 1)[-1]
    return of_user(account, user_named(account, name, session.issuer_id))


def _session_policies(account: Account, session: Any) -> Iterable[NamedPolicy]:
    for passed in session.session_policies:
        current = managed_text(account, passed.arn) if passed.arn else None
        yield named(f"session policy {passed.name}", current or passed.document, PolicyKind.SESSION)


_BY_KIND: Mapping[str, Callable[[Account, Caller], Policies]] = {
    "Root": _of_root,
    "IAMUser": _of_user,
    "AssumedRole": _of_session,
    "FederatedUser": _of_session,
    "SessionToken": _of_session,
    "WebIdentityUser": _of_session,
}
