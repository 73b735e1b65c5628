"""AssumeRole: who may take a role on, and as whom.

Two policies decide at once: the role's trust policy and the caller's own (STS API Reference,
"AssumeRole"); sts:TagSession and sts:SetSourceIdentity are asked for where they are used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stslab.policy import Decision, PolicyKind, Principal
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Judge, ManagedText, VerifyMfa
from stslab.sandbox.state.identities import Role, User
from stslab.sandbox.state.sessions import Session
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import faults, issuing, roles, session_policies, session_tags
from stslab.sandbox.sts.session_tags import SessionTags

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


@dataclass(frozen=True, slots=True)
class AssumeRole:
    """The operation, and what the operations for federated identities share with it."""

    judge: Judge
    managed_text: ManagedText
    verify_mfa: VerifyMfa

    def __call__(self, tx: Transaction, request: ApiRequest) -> Answer:
        """Carry out AssumeRole."""
        caller, params = request.caller, request.params
        if caller.kind == "Root":
            raise faults.access_denied("Roles may not be assumed by root accounts.")
        calling = caller.session
        wish = Wish(
            "AssumeRole",
            self.target(tx, params["RoleArn"]),
            params["RoleSessionName"],
            session_tags.from_params(params, calling),
            _source_identity(params, calling),
            _external_id(params) | self._mfa(tx, request),
        )
        role = self.authorize(tx, request, wish)
        chained = calling is not None and bool(calling.role_id)
        return self.issue(tx, request, wish, role, chained=chained)

    def target(self, view: View, arn: str) -> roles.Target:
        """The role of this ARN as it is known by now."""
        return roles.find(self.judge.seen(view), arn)

    def authorize(self, view: View, request: ApiRequest, wish: Wish) -> Role:
        """The role, where trust and the caller's policies allow all of ``wish``.

        Raises:
            ApiFault: AccessDenied.
        """
        for action in wish.actions:
            decision = self.judge.decide(
                view,
                request,
                action,
                wish.target.arn,
                context=wish.keys,
                resource_policy=wish.target.trust,
                principal=wish.principal,
                resource_account=wish.target.account,
            )
            if not decision.allowed:
                raise faults.denied(decision)
            if action == _SET_SOURCE and request.caller.session is not None:
                _require_own_permission(request, action, wish, decision)
        if wish.target.role is None:
            raise faults.access_denied(
                f"User: {request.caller.principal.arn} is not authorized to perform: "
                f"{wish.actions[0]} on resource: {wish.target.arn}"
            )
        return wish.target.role

    def issue(
        self,
        tx: Transaction,
        request: ApiRequest,
        wish: Wish,
        role: Role,
        *,
        chained: bool = False,
        at_most: int | None = None,
        federated_provider: str = "",
        provider_keys: tuple[tuple[str, str], ...] = (),
    ) -> dict[str, Any]:
        """The session of the role, and the answer.

        ``at_most``: the seconds beyond which it does not last, whatever was asked for.
        """
        params, account = request.params, wish.target.account
        seconds = roles.duration(params, role, chained=chained)
        grant = issuing.Grant(
            seconds if at_most is None else min(seconds, at_most),
            session_policies.from_params(tx, account, params, self.managed_text),
            wish.tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
        )
        session = issuing.issue(
            tx,
            account,
            request.now,
            grant,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wish.session_name}",
            user_id=f"{role.unique_id}:{wish.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.unique_id,
            role_arn=role.arn,
            role_id=role.unique_id,
            role_name=role.name,
            session_name=wish.session_name,
            transitive_tags=wish.tags.all_transitive,
            source_identity=wish.source_identity,
            chained=chained,
            federated_provider=federated_provider,
            provider_keys=provider_keys,
        )
        return _answer(session, grant)

    def _mfa(self, tx: Transaction, request: ApiRequest) -> dict[str, str]:
        caller, params = request.caller, request.params
        user = tx.get(User, caller.account, caller.user_name.lower())
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        if not self.verify_mfa(tx, user, serial, code, request.now):
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
