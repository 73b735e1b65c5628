"""AssumeRole, and the parts that the operations for federated users share with it.

Both the role's trust policy and the caller's policies decide (STS API Reference, "AssumeRole").
A call with tags also needs sts:TagSession, one with a source identity sts:SetSourceIdentity.
"""

import re

import msgspec

from stslab.policy import NamedPolicy, PolicyKind, Principal
from stslab.sandbox.api import faults, model, policies
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params
from stslab.sandbox.state.identities import Role, Session, User
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.sessions import SessionTags

_SET_SOURCE = "sts:SetSourceIdentity"
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d+):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII)
_HOUR = 3600
_LASTING = re.compile(
    r"aws:FederatedProvider|saml:(?:namequalifier|sub|sub_type)|(?!saml:).*:(?:amr|aud|sub)"
)
"""The condition keys of a federated user that its later requests also have."""
MFA = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
"""The condition keys of a call with an MFA code."""


class Target(msgspec.Struct, frozen=True):
    """The role that a call is for. ``role`` and ``trust`` are None if it does not exist.

    Deleted principals in the trust policy match nobody.
    """

    arn: str
    account: str
    name: str
    role: Role | None = None
    trust: NamedPolicy | None = None

    @classmethod
    def of(cls, view: View, arn: str, wrong: str = "") -> "Target":
        """The role with this ARN. Raises ValidationError, with the message ``wrong`` if given."""
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


class RoleRequest(msgspec.Struct, frozen=True):
    """A request for a session of a role: the operation, the role, and the session's properties.

    ``context`` are the condition keys of this operation only. ``principal`` is the federated
    user of a call that is not signed.
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
        further = (("sts:TagSession", self.tags.all), (_SET_SOURCE, self.source_identity))
        return (f"sts:{self.operation}", *(action for action, used in further if used))

    @property
    def keys(self) -> model.Keys:
        """The condition keys of this call, beside the global ones."""
        keys: model.Keys = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:
            keys["sts:SourceIdentity"] = self.source_identity
        # A transitive session tag overrides the role's own tag with the same key.
        passing = self.tags.passing
        for key, value in self.target.role.tags.items() if self.target.role else ():
            for kind in ("aws", "iam"):
                keys[f"{kind}:ResourceTag/{key}"] = passing.get(key.lower(), value)
        return keys | self.tags.context() | dict(self.context)


class AssumeRole(msgspec.Struct, frozen=True):
    """The operation AssumeRole, and the steps that the federated operations share with it."""

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
        wanted = RoleRequest(
            "AssumeRole",
            self.target(tx, params["RoleArn"]),
            params["RoleSessionName"],
            sessions.tags_of(params, calling),
            _source_identity(params, calling),
            context | (MFA if proved_mfa(tx, request, self.spend_mfa) else {}),
        )
        role = self.authorize(tx, request, wanted)
        chained = caller.kind in ("AssumedRole", "SessionToken")
        return self.issue(tx, request, wanted, role, chained=chained)

    def target(self, view: View, arn: str, wrong: str = "") -> Target:
        """The role with this ARN, as STS sees it (see :meth:`Judge.seen`)."""
        return Target.of(self.judge.seen(view), arn, wrong)

    def authorize(self, view: View, request: ApiRequest, wanted: RoleRequest) -> Role:
        """The role. Raises AccessDenied unless the policies allow every action of ``wanted``."""
        target = wanted.target
        for action in wanted.actions:
            need = model.Need(action, target.arn, wanted.keys, target.trust, target.account)
            decision = self.judge.decide(view, request, need, wanted.principal)
            if not decision.allowed:
                raise faults.access_denied(model.explained(request, decision, target.account))
            # In a chain of roles, the caller's own policies must also allow the source identity:
            # IAM User Guide, "Monitor and control actions taken with assumed roles".
            layers = decision.layers
            own = [layer.allows for layer in layers if layer.kind is PolicyKind.IDENTITY]
            if action == _SET_SOURCE and request.caller.session and own and not any(own):
                why = f" because no identity-based policy allows the {action} action"
                raise not_authorized(request, action, target.arn, why)
        if target.role is None:
            raise not_authorized(request, wanted.actions[0], target.arn)
        return target.role

    def authorize_federated(self, view: View, request: ApiRequest, wanted: RoleRequest) -> Role:
        """Like :meth:`authorize`, but the error gives no reason, as in AWS."""
        try:
            return self.authorize(view, request, wanted)
        except ApiFault as fault:
            message = f"Not authorized to perform sts:{wanted.operation}"
            raise faults.access_denied(message) from fault

    def issue(
        self,
        tx: Transaction,
        request: ApiRequest,
        wanted: RoleRequest,
        role: Role,
        *,
        chained: bool = False,
        at_most: int | None = None,
    ) -> sessions.Members:
        """Issue a session of the role, and return the answer.

        ``at_most`` limits the duration in seconds, whatever the request asks for.
        """
        params, account = request.params, wanted.target.account
        seconds = _duration(params, role, chained=chained)
        grant = sessions.Grant(
            seconds if at_most is None else min(seconds, at_most),
            sessions.session_policies(tx, account, params, self.managed_text),
            wanted.tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
        )
        session, members = sessions.issue(
            tx,
            account,
            request.now,
            grant,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wanted.session_name}",
            user_id=f"{role.unique_id}:{wanted.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.unique_id,
            role_name=role.name,
            transitive_tags=wanted.tags.all_transitive,
            source_identity=wanted.source_identity,
            provider_keys=tuple(
                (key, value)
                for key, value in wanted.context.items()
                if _LASTING.fullmatch(key) and isinstance(value, str)
            ),
        )
        user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
        identity = session.source_identity or None
        return members | {"AssumedRoleUser": user, "SourceIdentity": identity}


def proved_mfa(tx: Transaction, request: ApiRequest, spend: model.SpendMfa) -> bool:
    """Whether the request has an MFA code, which is verified. Raises AccessDenied."""
    caller, params = request.caller, request.params
    serial, code = params.get("SerialNumber"), params.get("TokenCode")
    if serial is None and code is None:
        return False
    spend(tx, tx.get(User, caller.account, caller.user_name.lower()), serial, code, request.now)
    return True


def not_authorized(request: ApiRequest, action: str, resource: str, why: str = "") -> ApiFault:
    """An AccessDenied that no policy decided, with the message of one that a policy decided."""
    return faults.access_denied(
        f"User: {request.caller.principal.arn} is not authorized to perform: {action} on "
        f"resource: {resource}{why}"
    )


def _source_identity(params: Params, calling: Session | None) -> str:
    """The source identity in the request, or that of the calling session, which stays the same."""
    inherited = calling.source_identity if calling is not None else ""
    identity = str(params.get("SourceIdentity") or inherited)
    if identity.lower().startswith(sessions.RESERVED):
        raise faults.invalid("The source identity prefix aws: is reserved.")
    if inherited and identity != inherited:
        raise faults.invalid("The source identity is already set for this assume role session")
    return identity


def _duration(params: Params, role: Role, *, chained: bool) -> int:
    """The session's duration in seconds: at most the role's maximum, and an hour in a chain.

    IAM User Guide, "Using IAM roles". A session of GetSessionToken also starts a chain:
    https://github.com/99designs/aws-vault/issues/263.
    """
    seconds = int(params.get("DurationSeconds", _HOUR))
    if seconds > role.max_session:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and seconds > _HOUR:
        raise faults.invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    return seconds
