"""AssumeRole: who may take a role on, and as whom.

Two policies decide at once: the role's trust policy and the caller's own (STS API Reference,
"AssumeRole"); sts:TagSession and sts:SetSourceIdentity are asked for where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stslab.policy import Decision, PolicyKind, Principal
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam.mfa import devices as mfa_devices
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts import faults, issuing, roles, session_policies, session_tags
from stslab.sandbox.sts.ports import Judge
from stslab.sandbox.sts.session_tags import SessionTags
from stslab.sandbox.sts.sessions import Session, SessionStore

_RESERVED = "aws:"
_SET_SOURCE = "sts:SetSourceIdentity"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a role: the operation, the session's name, tags, source identity.

    ``context`` are the condition keys of this call alone; ``principal`` is the web identity
    where the call is not signed.
    """

    operation: str
    target: roles.Target
    session_name: str
    tags: SessionTags
    source_identity: str
    context: Mapping[str, str | Sequence[str]]
    principal: Principal | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """All that must be allowed."""
        also = (("sts:TagSession", self.tags.all), (_SET_SOURCE, self.source_identity))
        return (f"sts:{self.operation}", *(action for action, used in also if used))

    @property
    def keys(self) -> dict[str, str | Sequence[str]]:
        """The condition keys that only this call fills."""
        keys: dict[str, str | Sequence[str]] = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:
            keys["sts:SourceIdentity"] = self.source_identity
        return (
            keys
            | self.target.tag_context(self.tags.passing)
            | self.tags.context()
            | dict(self.context)
        )


class AssumeRole:
    """The operation, and what the operations for federated identities share with it."""

    def __init__(self, world: World, judge: Judge, store: SessionStore) -> None:
        self._world = world
        self._judge = judge
        self._store = store

    def __call__(self, request: ApiRequest) -> dict[str, Any]:
        """Carry out AssumeRole."""
        caller, params = request.caller, request.params
        if caller.kind == "Root":
            raise faults.access_denied("Roles may not be assumed by root accounts.")
        calling = caller.session
        wish = Wish(
            "AssumeRole",
            roles.find(self._world, params["RoleArn"]),
            params["RoleSessionName"],
            session_tags.from_params(params, calling),
            _source_identity(params, calling),
            _external_id(params) | self._mfa(request),
        )
        self.authorize(request, wish)
        return self.issue(request, wish, chained=calling is not None and bool(calling.role_id))

    def authorize(self, request: ApiRequest, wish: Wish) -> None:
        """Raise AccessDenied unless trust and the caller's policies allow all of ``wish``."""
        trust_policy = wish.target.trust_policy(self._world)
        for action in wish.actions:
            decision = self._judge.decide(
                request,
                action,
                wish.target.arn,
                context=wish.keys,
                resource_policy=trust_policy,
                principal=wish.principal,
                resource_account=wish.target.account,
            )
            if not decision.allowed:
                raise faults.denied(decision)
            if action == _SET_SOURCE and request.caller.session is not None:
                _require_own_permission(request, action, wish, decision)
        if trust_policy is None:
            raise faults.access_denied(
                f"User: {request.caller.principal.arn} is not authorized to perform: "
                f"{wish.actions[0]} on resource: {wish.target.arn}"
            )

    def issue(
        self,
        request: ApiRequest,
        wish: Wish,
        *,
        chained: bool = False,
        at_most: int | None = None,
        **provider: Any,
    ) -> dict[str, Any]:
        """The session of the role, and the answer; ``provider`` are fields of the Session.

        ``at_most``: the seconds beyond which it does not last, whatever was asked for.
        """
        params, role = request.params, wish.target.role
        account = wish.target.account
        seconds = roles.duration(params, role, chained=chained)
        grant = issuing.Grant(
            seconds if at_most is None else min(seconds, at_most),
            session_policies.from_params(params, self._world.account(account).iam.managed_policies),
            wish.tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
        )
        session = issuing.issue(
            self._store,
            request,
            account,
            grant,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wish.session_name}",
            user_id=f"{role.id}:{wish.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.id,
            role_arn=role.arn,
            role_id=role.id,
            role_name=role.name,
            session_name=wish.session_name,
            transitive_tags=wish.tags.all_transitive,
            source_identity=wish.source_identity,
            chained=chained,
            **provider,
        )
        return _answer(session, grant)

    def _mfa(self, request: ApiRequest) -> dict[str, str]:
        params = request.params
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        iam = self._world.account(request.caller.account).iam
        user = iam.users.get(request.caller.user_name)
        if not mfa_devices.verified(iam, user, serial, code, request.now):
            return {}
        return {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}


def _require_own_permission(
    request: ApiRequest, action: str, wish: Wish, decision: Decision
) -> None:
    """In a chain of roles the trust policy alone does not let a source identity pass.

    IAM User Guide, "Monitor and control actions taken with assumed roles".
    """
    own = [layer for layer in decision.layers if layer.kind is PolicyKind.IDENTITY]
    if own and not any(layer.allows for layer in own):
        raise faults.access_denied(
            f"User: {request.caller.principal.arn} is not authorized to perform: {action} on "
            f"resource: {wish.target.arn} because no identity-based policy allows the {action} "
            "action"
        )


def _answer(session: Session, grant: issuing.Grant) -> dict[str, Any]:
    user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
    members = issuing.answer(session, grant) | {"AssumedRoleUser": user}
    if session.source_identity:
        members["SourceIdentity"] = session.source_identity
    return members


def _external_id(params: Mapping[str, Any]) -> dict[str, str]:
    given = params.get("ExternalId")
    return {} if given is None else {"sts:ExternalId": given}


def _source_identity(params: Mapping[str, Any], calling: Session | None) -> str:
    """The one asked for, or the calling session's, which can't be changed."""
    inherited = calling.source_identity if calling is not None else ""
    asked = str(params.get("SourceIdentity") or inherited)
    if asked.lower().startswith(_RESERVED):
        raise faults.invalid("The source identity prefix aws: is reserved.")
    if inherited and asked != inherited:
        raise faults.access_denied(
            "The source identity of a session can't be changed when it assumes another role."
        )
    return asked
