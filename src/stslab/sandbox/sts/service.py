"""The STS service: all operations but those with a token or an assertion."""

import re
from collections.abc import Iterator, Mapping
from typing import NoReturn, cast

import msgspec

from stslab.policy import NamedPolicy, PolicyKind, Principal, PrincipalKind, catalogue
from stslab.sandbox.api import faults, identifiers, model, policies
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params
from stslab.sandbox.federation import saml
from stslab.sandbox.state.identities import Role, Session, User
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.sessions import SessionTags
from stslab.structures import beside

_SET_SOURCE = "sts:SetSourceIdentity"
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d+):role(/(?:[\x21-\x7e]*/)?)([\w+=,.@-]{1,64})", re.ASCII)
_DEFAULT_SECONDS, _HOUR, _MOST = 43200, 3600, 43200
_LASTING = re.compile(r"saml:(?:namequalifier|sub|sub_type)|(?!saml:).*:(?:amr|aud|sub)")
"""The condition keys of a federated user that its later requests also have."""
_MFA = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
"""The condition keys of a call with an MFA code."""
_UNAVAILABLE: Mapping[str, str] = beside(__file__, "unavailable.yaml")


class Target(msgspec.Struct, frozen=True):
    """The role that a call is for. ``role`` and ``trust`` are None if it does not exist."""

    arn: str
    account: str
    name: str
    role: Role | None = None
    trust: NamedPolicy | None = None


class RoleRequest(msgspec.Struct, frozen=True):
    """A request for a session of a role.

    ``context`` are the condition keys of this operation only. ``principal`` is the federated
    user of a call that is not signed.
    """

    operation: str
    target: Target
    session_name: str
    tags: SessionTags
    source_identity: str
    context: model.Keys
    principal: Principal | None = None

    def keys(self, action: str) -> model.Keys:
        """The condition keys of one of this call's actions, beside the global ones."""
        keys: model.Keys = {"sts:RoleSessionName": self.session_name}
        if self.source_identity:
            keys["sts:SourceIdentity"] = self.source_identity
        if self.target.role:
            # A transitive session tag overrides the role's own tag with the same key.
            passing = {key.lower() for key in self.tags.transitive}
            over = {key.lower(): value for key, value in self.tags.all if key.lower() in passing}
            own = self.target.role.tags.items()
            tags = {key: over.get(key.lower(), value) for key, value in own}
            keys |= model.resource_tags(tags, "iam")
        keys |= self.tags.context() | self.context
        return {key: one for key, one in keys.items() if catalogue.may_have(action, key)}

    def lasting(self) -> Iterator[tuple[str, str | tuple[str, ...]]]:
        """The condition keys of a federated user that the session's requests have too."""
        if self.principal is not None:
            yield "aws:FederatedProvider", self.principal.arn
        for key, value in self.context.items():
            if _LASTING.fullmatch(key):
                yield key, value if isinstance(value, str) else tuple(value)


class StsService:
    """The STS service. Operations that issue a session write; all others only read."""

    def __init__(
        self, judge: model.Judge, managed_text: model.ManagedText, spend_mfa: model.SpendMfa
    ) -> None:
        self._judge, self._managed_text, self._spend_mfa = judge, managed_text, spend_mfa
        self.reads: model.Reads = {
            "DecodeAuthorizationMessage": self._decode_authorization_message,
            "GetAccessKeyInfo": self._get_access_key_info,
            "GetCallerIdentity": _get_caller_identity,
            **dict.fromkeys(_UNAVAILABLE, _unavailable),
        }
        self.writes: model.Writes = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithSAML": self._assume_role_with_saml,
            "AssumeRoleWithWebIdentity": self._assume_role_with_web_identity,
            "GetFederationToken": self._get_federation_token,
            "GetSessionToken": self._get_session_token,
        }

    def needs(self, _view: View, _request: ApiRequest) -> model.Needs:
        return ()  # each decides itself: IAM User Guide, "Comparing the AWS STS API operations"

    def _require(self, view: View, request: ApiRequest, need: model.Need) -> None:
        decision = self._judge.decide(view, request, need)
        if not decision.allowed:
            raise faults.access_denied(model.explained(request, decision, None))

    def _get_access_key_info(self, view: View, request: ApiRequest) -> Answer:
        """The account that a key belongs to, even if it is another account's or was deleted."""
        self._require(view, request, model.Need("sts:GetAccessKeyInfo", "*"))
        account = identifiers.account_of_key(request.params["AccessKeyId"])
        if account is None:
            raise ApiFault("InvalidClientTokenId", "The access key ID provided is not valid.")
        return {"Account": account}

    def _decode_authorization_message(self, view: View, request: ApiRequest) -> NoReturn:
        """Refused: only services like EC2 encode their denials (API Reference, same name)."""
        self._require(view, request, model.Need("sts:DecodeAuthorizationMessage", "*"))
        raise ApiFault("InvalidAuthorizationMessageException", "Message is not valid")

    def _get_session_token(self, tx: Transaction, request: ApiRequest) -> Answer:
        """Needs no permission (IAM User Guide, "Permissions for GetSessionToken")."""
        caller, proved = request.caller, self._proved_mfa(tx, request)
        _, answer = sessions.issue(
            tx,
            request,
            caller.account,
            _own_duration(request),
            kind="SessionToken",
            principal_arn=caller.principal.arn,
            user_id=caller.user_id,
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
            mfa=request.now.replace(microsecond=0) if proved else None,
        )
        return answer

    def _get_federation_token(self, tx: Transaction, request: ApiRequest) -> Answer:
        """IAM User Guide, "Permissions for GetFederationToken"."""
        caller, params = request.caller, request.params
        arn = f"arn:aws:sts::{caller.account}:federated-user/{params['Name']}"
        tags, managed_text = sessions.tags_of(params, None), self._managed_text
        for action in ("GetFederationToken", *(["TagSession"] if tags.all else [])):
            self._require(tx, request, model.Need(f"sts:{action}", arn, tags.context()))
        session, answer = sessions.issue(
            tx,
            request,
            caller.account,
            _own_duration(request),
            policies=sessions.session_policies(tx, caller.account, params, managed_text),
            tags=tags.all,
            always_limited=True,
            kind="FederatedUser",
            principal_arn=arn,
            user_id=f"{caller.account}:{params['Name']}",
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
        )
        return answer | {"FederatedUser": {"FederatedUserId": session.user_id, "Arn": arn}}

    def _assume_role(self, tx: Transaction, request: ApiRequest) -> Answer:
        params, calling = request.params, request.caller.session
        if request.caller.principal.kind is PrincipalKind.ROOT:
            raise faults.access_denied("Roles may not be assumed by root accounts.")
        if params.get("ProvidedContexts"):
            raise model.unsupported("sts", "AssumeRole with ProvidedContexts")
        context = {"sts:ExternalId": params["ExternalId"]} if "ExternalId" in params else {}
        wanted = RoleRequest(
            "AssumeRole",
            self.target(tx, params["RoleArn"]),
            params["RoleSessionName"],
            sessions.tags_of(params, calling),
            _source_identity(params, calling),
            context | (_MFA if self._proved_mfa(tx, request) else {}),
        )
        return self.session(tx, request, wanted)

    def target(self, view: View, arn: str, wrong: str = "") -> Target:
        """The role with this ARN. Raises ValidationError, with the message ``wrong`` if given."""
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise faults.invalid(wrong or f"{arn} is invalid")
        account, _, name = match.groups()
        seen = self._judge.seen(view)
        role = seen.get(Role, account, name.lower())
        if role is None or role.arn != arn:
            return Target(arn, account, name)
        text = policies.with_arns(role.trust, seen)
        trust = policies.named(f"trust policy of role {name}", text, PolicyKind.TRUST)
        return Target(arn, account, name, role, trust)

    def _proved_mfa(self, tx: Transaction, request: ApiRequest) -> bool:
        """Whether the request has an MFA code, which is verified. Raises AccessDenied."""
        caller, params = request.caller, request.params
        serial, code = params.get("SerialNumber"), params.get("TokenCode")
        if serial is None and code is None:
            return False
        user = tx.get(User, caller.account, caller.user_name.lower())
        self._spend_mfa(tx, user, serial, code, request.now)
        return True

    def session(
        self, tx: Transaction, request: ApiRequest, wanted: RoleRequest, at_most: int = _MOST
    ) -> sessions.Members:
        """Issue a session of the role, of ``at_most`` seconds, and return the answer.

        Raises AccessDenied unless the policies allow every action.
        """
        federated = wanted.principal is not None
        try:
            role = self._authorized(tx, request, wanted)
        except ApiFault as fault:
            if not federated:
                raise
            message = f"Not authorized to perform sts:{wanted.operation}"
            raise faults.access_denied(message) from fault  # without a reason
        chained = not federated and request.caller.kind in ("AssumedRole", "SessionToken")
        account = wanted.target.account
        session, members = sessions.issue(
            tx,
            request,
            account,
            min(_duration(request.params, role, chained=chained), at_most),
            policies=sessions.session_policies(tx, account, request.params, self._managed_text),
            tags=wanted.tags.all,
            kind="AssumedRole",
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{wanted.session_name}",
            user_id=f"{role.unique_id}:{wanted.session_name}",
            issuer_arn=role.arn,
            issuer_id=role.unique_id,
            role_name=role.name,
            transitive_tags=wanted.tags.transitive,
            source_identity=wanted.source_identity,
            provider_keys=tuple(wanted.lasting()),
        )
        user = {"AssumedRoleId": session.user_id, "Arn": session.principal_arn}
        return members | {"AssumedRoleUser": user, "SourceIdentity": wanted.source_identity or None}

    def _authorized(self, view: View, request: ApiRequest, wanted: RoleRequest) -> Role:
        target = wanted.target
        further = (("sts:TagSession", wanted.tags.all), (_SET_SOURCE, wanted.source_identity))
        actions = [f"sts:{wanted.operation}", *(action for action, used in further if used)]
        for action in actions:
            keys = wanted.keys(action)
            need = model.Need(action, target.arn, keys, target.trust, target.account)
            decision = self._judge.decide(view, request, need, wanted.principal)
            if not decision.allowed:
                raise faults.access_denied(model.explained(request, decision, target.account))
            # In a chain of roles, the caller's own policies must also allow the source identity:
            # IAM User Guide, "Monitor and control actions taken with assumed roles".
            own = [layer.allows for layer in decision.layers if layer.kind is PolicyKind.IDENTITY]
            if action == _SET_SOURCE and request.caller.session and own and not any(own):
                raise faults.access_denied(
                    f"User: {request.caller.principal.arn} is not authorized to perform: {action} "
                    f"on resource: {target.arn} because no identity-based policy allows the "
                    f"{action} action"
                )
        return cast("Role", target.role)  # one that does not exist trusts nobody

    # The libraries for certificates and XML are imported at the first call that needs them.

    def _assume_role_with_saml(self, tx: Transaction, request: ApiRequest) -> Answer:
        saml.require()
        from stslab.sandbox.sts.saml import assume_role_with_saml

        return assume_role_with_saml(self, tx, request)

    def _assume_role_with_web_identity(self, tx: Transaction, request: ApiRequest) -> Answer:
        from stslab.sandbox.sts.web_identity import assume_role_with_web_identity

        return assume_role_with_web_identity(self, tx, request)


def _own_duration(request: ApiRequest) -> int:
    """For the root user an hour is the default and the maximum."""
    seconds = int(request.params.get("DurationSeconds", _DEFAULT_SECONDS))
    return min(seconds, _HOUR) if request.caller.kind == "Root" else seconds


def _unavailable(_view: View, request: ApiRequest) -> NoReturn:
    code, _, message = _UNAVAILABLE[request.operation].partition(": ")
    raise ApiFault(code, message.format(caller=request.caller, params=request.params))


def _get_caller_identity(_view: View, request: ApiRequest) -> Answer:
    """The caller. No policy can deny this call (STS API Reference, "GetCallerIdentity")."""
    caller = request.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.principal.arn}


def _source_identity(params: Params, calling: Session | None) -> str:
    """The source identity in the request, or that of the calling session, which stays the same."""
    inherited = calling.source_identity if calling is not None else ""
    identity = str(params.get("SourceIdentity") or inherited)
    if inherited and identity != inherited:
        raise faults.invalid("The source identity is already set for this assume role session")
    return identity


def _duration(params: Params, role: Role, *, chained: bool) -> int:
    """At most the role's maximum, and an hour in a chain (IAM User Guide, "Using IAM roles").

    A session of GetSessionToken also starts one: https://github.com/99designs/aws-vault/issues/263.
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
