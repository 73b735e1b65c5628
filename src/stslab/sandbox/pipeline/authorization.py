"""Finds the owner of an access key, and asks the policy engine what that caller may do."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from msgspec.structs import replace

from stslab.policy import Decision, NamedPolicy, Policies, PolicyKind, Principal, Request, authorize
from stslab.sandbox.api import faults, identifiers, policies
from stslab.sandbox.api.model import ApiRequest, Caller, KeyRecord, Keys, Need, iso
from stslab.sandbox.iam import lookups
from stslab.sandbox.signing.signature import UNSIGNED_ACTIONS
from stslab.sandbox.state.identities import AccessKey, Identity, LastUsed, Role, Session, User
from stslab.sandbox.state.snapshot import Account, View
from stslab.sandbox.state.state import Busy, Closed, State
from stslab.vocabulary import LATEST


def caller_of(owner: User | Account, access_key_id: str = "") -> Caller:
    """The user as a caller, or the account's root user."""
    if isinstance(owner, User):
        return Caller(Principal.from_arn(owner.arn, user_id=owner.unique_id), access_key_id)
    return Caller(Principal.from_arn(owner.root_arn, user_id=owner.account), access_key_id)


def lookup(view: View, access_key_id: str) -> KeyRecord | None:
    """The key, even if inactive or expired; None: there is none, or its owner was deleted."""
    account = view.get(Account, identifiers.account_of_key(access_key_id) or "", "")
    if account is None:
        return None
    key = view.get(AccessKey, account.account, access_key_id)
    if key is None:
        session = view.get(Session, account.account, access_key_id)
        return None if session is None else _of_session(view, session)
    owner = view.get(User, key.account, key.user) if key.user else account
    if owner is None:
        return None
    return KeyRecord(caller_of(owner, key.key), key.secret_access_key, key.active)


def _of_session(view: View, session: Session) -> KeyRecord | None:
    owner = issuer(view, session)
    if owner is None and session.issuer_id != session.account:
        return None
    own, arn = session.kind == "SessionToken", owner.arn if owner else session.issuer_arn
    principal = Principal.from_arn(
        arn if own else session.principal_arn,
        user_id=session.user_id,
        issuer="" if own else arn,
    )
    return KeyRecord(
        Caller(principal, session.access_key_id, session),
        session.secret_access_key,
        session_token=session.session_token,
        expires=session.expires,
    )


def issuer(view: View, session: Session) -> Role | User | None:
    """The role or user whose permissions the session has; None if deleted, or the root user."""
    if session.role_name:
        role = view.get(Role, session.account, session.role_name.lower())
        return role if role is not None and role.unique_id == session.issuer_id else None
    return policies.by_id(view, session.issuer_id)  # a user may have another name by now


_NEVER = frozenset({"GetSessionToken", "GetFederationToken"})
_ALWAYS = frozenset({"GetCallerIdentity", "GetScopedCredentials", "GetDelegatedAccessToken"})
_ONLY: Mapping[str, frozenset[str]] = {
    "SessionToken": _ALWAYS | {"AssumeRole", "GetWebIdentityToken"},
    "FederatedUser": _ALWAYS,
}
"""The STS operations that such a session may call; others: all but :data:`_NEVER`."""


def check_session(caller: Caller, service: str, operation: str) -> None:
    """Refuse what they may never call (IAM User Guide, "Comparing AWS STS credentials")."""
    session = caller.session
    if session is None or operation in UNSIGNED_ACTIONS:
        return
    without_mfa = session.kind == "SessionToken" and session.mfa is None
    if service == "iam" and (session.kind == "FederatedUser" or without_mfa):
        raise faults.invalid_client_token()
    if service == "sts" and operation in _NEVER:
        raise faults.access_denied(f"Cannot call {operation} with session credentials")
    if service == "sts" and operation not in _ONLY.get(session.kind, {operation}):
        raise faults.access_denied(
            f"User: {caller.principal.arn} is not authorized to perform: sts:{operation}"
        )


_MOST_REMEMBERED = 4096


class LastUses:
    """Saves when each access key or role was last used, at most once a minute.

    A request does not wait for that, or fail if it can't be saved: the next one tries again.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._minutes: dict[tuple[str, str, str], datetime] = {}

    def note(self, request: ApiRequest) -> None:
        caller, session = request.caller, request.caller.session
        minute = request.now.replace(second=0, microsecond=0)
        by = session.issuer_id if session else caller.access_key_id
        use = by, request.service, request.region
        if self._minutes.get(use) == minute:
            return
        now = LastUsed(request.now.replace(microsecond=0), request.region, request.service)
        try:
            with self._state.transaction(wait=False) as tx:
                key = tx.get(AccessKey, caller.account, caller.access_key_id)
                used = key or (issuer(tx, session) if session else None)
                if used is not None and not isinstance(used, User):
                    tx.put(replace(used, last_used=now))
        except (Busy, Closed, sqlite3.Error):
            return
        if len(self._minutes) >= _MOST_REMEMBERED:
            self._minutes.clear()
        self._minutes[use] = minute


# -- decisions, for the pipeline and the services -------------------------------------------------


class PolicyJudge:
    """Decides whether requests are allowed, and notes the decisions in them for the log.

    ``seen`` returns the state of IAM that the rest of AWS sees; in a rehearsal, an older one.
    """

    def __init__(self) -> None:
        self.seen: Callable[[View], View] = lambda view: view

    def decide(
        self, view: View, request: ApiRequest, need: Need, principal: Principal | None = None
    ) -> Decision:
        """``principal``: who asks by a token or an assertion; the signer does not count then."""
        seen, caller = self.seen(view), request.caller
        own = Policies() if principal else _policies_of(seen, caller)
        keys = principal.keys if principal else _principal(seen, caller) | _session(request)
        asked = Request(
            principal or caller.principal,
            need.action,
            need.resource,
            {**_circumstances(request, need.resource_account), **keys, **need.context},
            need.resource_account,
        )
        decision = authorize(asked, replace(own, resource=need.resource_policy))
        request.decisions.append(decision)
        return decision


# -- the caller's identity-based policies, boundaries and session policies ------------------

_EVERYTHING = json.dumps(
    {"Version": LATEST, "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)


def _policies_of(view: View, caller: Caller) -> Policies:
    session = caller.session
    if caller.kind == "Root" or (session and session.issuer_id == session.account):
        root = policies.named(f"root user of {caller.account}", _EVERYTHING, PolicyKind.IDENTITY)
        own = Policies(identity=(root,))
    elif session is not None:
        own = _policies_of_owner(view, issuer(view, session))
    else:
        user = view.get(User, caller.account, caller.user_name.lower())
        own = _policies_of_owner(view, user if user and user.unique_id == caller.user_id else None)
    if session is None or session.session_policies is None:
        return own
    passed = []
    for one in session.session_policies:
        text = (one.arn and lookups.managed_text(view, session.account, one.arn)) or one.document
        passed.append(policies.named(f"session policy {one.name}", text, PolicyKind.SESSION))
    return replace(own, session=tuple(passed))


def _policies_of_owner(view: View, owner: User | Role | None) -> Policies:
    if owner is None:  # it was deleted
        return Policies()
    groups = lookups.groups_of(view, owner) if isinstance(owner, User) else []
    identity = tuple(policy for holder in (owner, *groups) for policy in _own(view, holder))
    boundaries: tuple[NamedPolicy, ...] | None = None
    if owner.boundary:
        text = lookups.managed_text(view, owner.account, owner.boundary)
        name = f"permissions boundary {owner.boundary}"
        boundaries = () if text is None else (policies.named(name, text, PolicyKind.BOUNDARY),)
    return Policies(identity=identity, boundaries=boundaries)


def _own(view: View, owner: Identity) -> Iterator[NamedPolicy]:
    whose = f"{owner.table} {owner.name}"
    for name, text in owner.inline.items():
        yield policies.named(f"inline policy {name} of {whose}", text, PolicyKind.IDENTITY)
    for arn in owner.attached:
        managed = lookups.managed_text(view, owner.account, arn)
        if managed is not None:
            yield policies.named(f"managed policy {arn} of {whose}", managed, PolicyKind.IDENTITY)


# -- the global condition keys: who calls, from where, when, through what -------------------


def _circumstances(request: ApiRequest, resource_account: str | None) -> Keys:
    """The global condition keys: IAM User Guide, "AWS global condition context keys"."""
    keys: Keys = {
        "aws:CurrentTime": iso(request.now),
        "aws:EpochTime": str(int(request.now.timestamp())),
        "aws:SecureTransport": "true",  # as at AWS's own endpoints
        "aws:ViaAWSService": "true" if request.via else "false",
    }
    if request.via:
        keys["aws:CalledVia"] = request.via
        keys["aws:CalledViaFirst"], keys["aws:CalledViaLast"] = request.via[0], request.via[-1]
    if request.http.source_ip:  # else it is a service's own call, which is in no caller's range
        keys["aws:SourceIp"] = request.http.source_ip
    for key, header in (("aws:UserAgent", "User-Agent"), ("aws:Referer", "Referer")):
        if value := request.http.header(header):
            keys[key] = value
    keys["aws:RequestedRegion"] = request.region
    keys["aws:ResourceAccount"] = resource_account or request.account
    return keys


def _principal(view: View, caller: Caller) -> Keys:
    """A session tag replaces the role's or user's tag with the same key, whatever its case."""
    session, user = caller.session, caller.user_name.lower()
    passed = dict(session.tags) if session else {}
    folded = {key.lower() for key in passed}
    owner = issuer(view, session) if session else view.get(User, caller.account, user)
    own = owner.tags.items() if owner is not None else ()
    tags = {key: value for key, value in own if key.lower() not in folded} | passed
    tagged = {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}
    return {**caller.principal.keys, **tagged}


def _session(request: ApiRequest) -> Keys:
    """A service makes its calls for a user with temporary credentials, which are without MFA."""
    session = request.caller.session
    if session is None and request.via:
        return {"aws:TokenIssueTime": iso(request.now), "aws:MultiFactorAuthPresent": "false"}
    if session is None:
        return {}
    keys: Keys = {"aws:TokenIssueTime": iso(session.issued), **dict(session.provider_keys)}
    if session.mfa is not None:
        age = int((request.now - session.mfa).total_seconds())
        keys |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": str(max(age, 0))}
    elif session.kind != "FederatedUser" and not session.provider_keys:
        keys["aws:MultiFactorAuthPresent"] = "false"  # federated identities have no such key
    if session.source_identity:
        keys["aws:SourceIdentity"] = session.source_identity
    return keys
