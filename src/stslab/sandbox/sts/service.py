"""The STS service: its two tables of operations, and the operations on no role."""

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

from stslab.sandbox.api import faults, identifiers, model
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.federation import saml
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.assume_role import AssumeRole, proved_mfa

_DEFAULT_SECONDS, _ROOT_SECONDS = 43200, 3600
_UNAVAILABLE: Mapping[str, str] = {
    "AssumeRoot": (  # neither account manages the other
        "AccessDenied: User: {caller.principal.arn} is not authorized to perform: sts:AssumeRoot "
        "on resource: {params[TargetPrincipal]}"
    ),
    "GetDelegatedAccessToken": (
        "ExpiredTradeInTokenException: The trade-in token provided in the request has expired and "
        "can no longer be exchanged for credentials. Request a new token and retry the operation."
    ),
    "GetScopedCredentials": (
        "InvalidAction: Could not find operation GetScopedCredentials for version 2011-06-15"
    ),
    "GetWebIdentityToken": (
        "OutboundWebIdentityFederationDisabledException: Outbound web identity federation is not "
        "enabled for account {caller.account}."
    ),
}
"""Operations that are always refused, and the error: its code and its message."""


class StsService:
    """The STS service. Operations that issue a session write; all others only read."""

    def __init__(self, assume: AssumeRole) -> None:
        self._assume = assume
        self.reads: model.Reads = {
            "DecodeAuthorizationMessage": self._decode_authorization_message,
            "GetAccessKeyInfo": self._get_access_key_info,
            "GetCallerIdentity": _get_caller_identity,
            **dict.fromkeys(_UNAVAILABLE, _unavailable),
        }
        self.writes: model.Writes = {
            "AssumeRole": assume,
            "AssumeRoleWithSAML": partial(_with_saml, assume),
            "AssumeRoleWithWebIdentity": partial(_with_web_identity, assume),
            "GetFederationToken": self._get_federation_token,
            "GetSessionToken": self._get_session_token,
        }

    def needs(self, _view: View, _request: ApiRequest) -> model.Needs:
        """No needs: each operation makes its own decisions.

        They involve trust policies or another account's role, or need no permission (IAM User
        Guide, "Comparing the AWS STS API operations").
        """
        return ()

    def _require(self, view: View, request: ApiRequest, need: model.Need) -> None:
        decision = self._assume.judge.decide(view, request, need)
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
        caller, proved = request.caller, proved_mfa(tx, request, self._assume.spend_mfa)
        least = int(request.params.get("MinimumSessionTokenSize", 0))
        _, answer = sessions.issue(
            tx,
            caller.account,
            request.now,
            sessions.Grant(_duration(request), least_token_size=least),
            kind="SessionToken",
            principal_arn=caller.principal.arn,
            user_id=caller.user_id,
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
            user_name=caller.user_name,
            mfa=request.now.replace(microsecond=0) if proved else None,
        )
        return answer

    def _get_federation_token(self, tx: Transaction, request: ApiRequest) -> Answer:
        """IAM User Guide, "Permissions for GetFederationToken"."""
        caller, params = request.caller, request.params
        arn = f"arn:aws:sts::{caller.account}:federated-user/{params['Name']}"
        tags = sessions.tags_of(params, None)
        for action in ("GetFederationToken", *(["TagSession"] if tags.all else [])):
            self._require(tx, request, model.Need(f"sts:{action}", arn, tags.context()))
        grant = sessions.Grant(
            _duration(request),
            sessions.session_policies(tx, caller.account, params, self._assume.managed_text),
            tags.all,
            int(params.get("MinimumSessionTokenSize", 0)),
            always_limited=True,
        )
        session, answer = sessions.issue(
            tx,
            caller.account,
            request.now,
            grant,
            kind="FederatedUser",
            principal_arn=arn,
            user_id=f"{caller.account}:{params['Name']}",
            issuer_arn=caller.principal.arn,
            issuer_id=caller.user_id,
            user_name=caller.user_name,
        )
        return answer | {"FederatedUser": {"FederatedUserId": session.user_id, "Arn": arn}}


def _duration(request: ApiRequest) -> int:
    """The duration in seconds. For the root user an hour is the default and the maximum."""
    seconds = int(request.params.get("DurationSeconds", _DEFAULT_SECONDS))
    return min(seconds, _ROOT_SECONDS) if request.caller.kind == "Root" else seconds


# These two need libraries for certificates and XML, which are imported at the first call.


def _with_saml(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    saml.require()
    from stslab.sandbox.sts.saml import assume_role_with_saml

    return assume_role_with_saml(assume, tx, request)


def _with_web_identity(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    from stslab.sandbox.sts.web_identity import assume_role_with_web_identity

    return assume_role_with_web_identity(assume, tx, request)


def _unavailable(_view: View, request: ApiRequest) -> NoReturn:
    """Refused as by sts.amazonaws.com, in an account without these features."""
    code, _, message = _UNAVAILABLE[request.operation].partition(": ")
    raise ApiFault(code, message.format(caller=request.caller, params=request.params))


def _get_caller_identity(_view: View, request: ApiRequest) -> Answer:
    """The caller. No policy can deny this call (STS API Reference, "GetCallerIdentity")."""
    caller = request.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.principal.arn}
