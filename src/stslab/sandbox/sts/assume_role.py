"""AssumeRole: who may take a role on, and as whom.

Two policies decide at once: the role's trust policy and the caller's own (STS API Reference,
"AssumeRole"); sts:TagSession and sts:SetSourceIdentity are asked for where they are used.
"""

import re

import msgspec

from stslab.policy import NamedPolicy, PolicyKind, Principal
from stslab.sandbox.api import faults, model, policies
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params
from stslab.sandbox.state.identities import Role, Session, User
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import issuing
from stslab.sandbox.sts.issuing import SessionTags

_SET_SOURCE = "sts:SetSourceIdentity"
_ROLE_ARN = re.compile(
    r"arn:aws:iam::(\d{12}):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII
)
_HOUR = 3600
MFA = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
"""The condition keys of a call that came with an MFA code."""


class Target(msgspec.Struct, frozen=True):
    """A role's ARN taken apart; ``role`` and ``trust`` are None where there is no such role.

    A deleted principal in its trust policy is no principal at all.
    """

    arn: str
    account: str
    name: str
    role: Role | None = None
    trust: NamedPolicy | None = None

    @classmethod
    def of(cls, view: View, arn: str, wrong: str = "") -> "Target":
        """The target, or a ValidationError: that the ARN is invalid, or what is ``wrong``."""
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise faults.invalid(wrong or f"{arn} is invalid")
        account, _, name = match.groups()
        role = view.get(Role, account, name.lower())
        if role is None or role.arn != arn:
            return cls(arn, account, name)
        text = policies.with_arns(role.trust, view)
        trust = policies.named(f"trust policy of role {name}", text, PolicyKind.TRUST)
        return cls(arn, account, name, role, trust)


class Wish(msgspec.Struct, frozen=True):
    """What is asked of a role: the operation, the session's name, tags, source identity.

    ``context`` are the condition keys of this call alone; ``principal`` is the web identity
    where the call is not signed.
    """

    operation: str
    target: Target
    session_name: str
    tags: SessionTags
    source_identity: str
    context: model.Context
    principal: Principal | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        also = (("sts:TagSession", self.tags.all), (_SET_SOURCE, self.source_identity))
        return (f"sts:{self.operation}", *(action for action, used in also if used))

    @property
    def keys(self) -> model.Keys:
        """The condition keys that only this call fills."""
        keys: model.Keys = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:
            keys["sts:SourceIdentity"] = self.source_identity
        # A transitive session tag stands before the role's own tag of the same key.
        passing = self.tags.passing
        for key, value in self.target.role.tags.items() if self.target.role else ():
            for kind in ("aws", "iam"):
                keys[f"{kind}:ResourceTag/{key}"] = passing.get(key.lower(), value)
        return keys | self.tags.context() | dict(self.context)


class AssumeRole(msgspec.Struct, frozen=True):
    """The operation, and what the operations for federated identities share with it."""

    judge: model.Judge
    managed_text: model.ManagedText
    spend_mfa: model.SpendMfa

    def __call__(self, tx: Transaction, request: ApiRequest) -> Answer:
        caller, params = request.caller, request.params
        if caller.kind == "Root":
            raise faults.access_denied("Roles may not be assumed by root accounts.")
        if params.get("ProvidedContexts"):
            raise model.unsupported("sts", "AssumeRole with ProvidedContexts")
        calling = caller.session
        context = {"sts:ExternalId": params["ExternalId"]} if "ExternalId" in params else {}
        wish = Wish(
            "AssumeRole",
            self.target(tx, params["RoleArn"]),
            params["RoleSessionName"],
            issuing.tags_of(params, calling),
            _source_identity(params, calling),
            context | (MFA if proved_mfa(tx, request, self.spend_mfa) else {}),
        )
        role = self.authorize(tx, request, wish)
        chained = caller.kind in ("AssumedRole", "SessionToken")
        return self.issue(tx, request, wish, role, chained=chained)

    def target(self, view: View, arn: str, wrong: str = "") -> Target:
        """The role of this ARN as the rest of AWS knows it by now."""
        return Target.of(self.judge.seen(view), arn, wrong)

    def authorize(self, view: View, request: ApiRequest, wish: Wish) -> Role:
        """The role, where trust and the caller's policies allow all of ``wish``."""
        target = wish.target
        for action in wish.actions:
            need = model.Need(action, target.arn, wish.keys, target.trust, target.account)
            decision = self.judge.decide(view, request, need, wish.principal)
            if not decision.allowed:
                raise faults.access_denied(model.explained(request, decision, target.account))
            # In a chain of roles the trust policy alone does not let a source identity pass: IAM
            # User Guide, "Monitor and control actions taken with assumed roles".
            own = [one.allows for one in decision.layers if one.kind is PolicyKind.IDENTITY]
            if action == _SET_SOURCE and request.caller.session and own and not any(own):
                why = f" because no identity-based policy allows the {action} action"
                raise not_authorized(request, action, target.arn, why)
        if target.role is None:
            raise not_authorized(request, wish.actions[0], target.arn)
        return target.role

    def authorize_federated(self, view: View, request: ApiRequest, wish: Wish) -> Role:
        """Like :meth:`authorize`; AWS tells an identity provider's user no reason."""
        try:
            return self.authorize(view, request, wish)
        except ApiFault as fault:
            raise faults.access_denied(f"Not authorized to perform sts:{wish.operation}") from fault

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
    ) -> issuing.Members:
        """The session of the role, and the answer.

        ``at_most``: the seconds beyond which it does not last, whatever was asked for.
        """
        params, account = request.params, wish.target.account
        seconds = _duration(params, role, chained=chained)
        grant = issuing.Grant(
            seconds if at_most is None else min(seconds, at_most),
            issuing.session_policies(tx, account, params, self.managed_text),
            wish.tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
        )
        session, members = issuing.issue(
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
        user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
        members |= {"AssumedRoleUser": user}
        if session.source_identity:
            members["SourceIdentity"] = session.source_identity
        return members


def proved_mfa(tx: Transaction, request: ApiRequest, spend: model.SpendMfa) -> bool:
    """Whether an MFA code came along; it is right, and spent."""
    caller, params = request.caller, request.params
    serial, given = params.get("SerialNumber"), params.get("TokenCode")
    if serial is None and given is None:
        return False
    spend(tx, tx.get(User, caller.account, caller.user_name.lower()), serial, given, request.now)
    return True


def not_authorized(request: ApiRequest, action: str, resource: str, why: str = "") -> ApiFault:
    """AccessDenied that no policy decided, in the words of those that one does."""
    return faults.access_denied(
        f"User: {request.caller.principal.arn} is not authorized to perform: {action} on "
        f"resource: {resource}{why}"
    )


def _source_identity(params: Params, calling: Session | None) -> str:
    """The one asked for, or the calling session's, which can't be changed."""
    inherited = calling.source_identity if calling is not None else ""
    asked = str(params.get("SourceIdentity") or inherited)
    if asked.lower().startswith(issuing.RESERVED):
        raise faults.invalid("The source identity prefix aws: is reserved.")
    if inherited and asked != inherited:
        raise faults.access_denied(
            "The source identity of a session can't be changed when it assumes another role."
        )
    return asked


def _duration(params: Params, role: Role, *, chained: bool) -> int:
    """The seconds that the session lasts: the role's maximum at most, one hour in a chain.

    IAM User Guide, "Using IAM roles". Credentials of GetSessionToken begin one, too: see
    https://github.com/99designs/aws-vault/issues/263.
    """
    asked = int(params.get("DurationSeconds", _HOUR))
    if asked > role.max_session:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and asked > _HOUR:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    return asked
