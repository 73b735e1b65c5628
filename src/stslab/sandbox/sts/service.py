"""The whole Security Token Service, as two tables of operations."""

from functools import partial
from typing import NoReturn

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.need import Needs
from stslab.sandbox.api.services import Judge, ManagedText, Reads, VerifyMfa, Writes
from stslab.sandbox.federation import saml
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import faults
from stslab.sandbox.sts.assume_role import AssumeRole
from stslab.sandbox.sts.tokens import Tokens

_FORBIDDEN = 403


class StsService:
    """Every operation of STS. What issues a session writes; whatever else there is, reads."""

    def __init__(self, judge: Judge, managed_text: ManagedText, verify_mfa: VerifyMfa) -> None:
        assume = AssumeRole(judge, managed_text, verify_mfa)
        tokens = Tokens(judge, managed_text, verify_mfa)
        self.reads: Reads = {
            "AssumeRoot": _assume_root,
            "DecodeAuthorizationMessage": partial(_decode_authorization_message, judge),
            "GetAccessKeyInfo": partial(_get_access_key_info, judge),
            "GetCallerIdentity": _get_caller_identity,
            "GetWebIdentityToken": _outbound_federation_disabled,
        }
        self.writes: Writes = {
            "AssumeRole": assume,
            "AssumeRoleWithSAML": partial(_with_saml, assume),
            "AssumeRoleWithWebIdentity": partial(_with_web_identity, assume),
            "GetFederationToken": tokens.get_federation_token,
            "GetSessionToken": tokens.get_session_token,
        }

    def needs(self, _view: View, _request: ApiRequest) -> Needs:
        """Nothing that the pipeline could ask: each operation asks its own questions.

        They go to trust policies too, concern a role that may be another account's, or are
        about no permission at all (IAM User Guide, "Comparing the AWS STS API operations").
        """
        return ()


# Few ask for these two, and they need certificates and XML: imported when somebody does.


def _with_saml(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    saml.require()
    from stslab.sandbox.sts.federated.saml import assume_role_with_saml

    return assume_role_with_saml(assume, tx, request)


def _with_web_identity(assume: AssumeRole, tx: Transaction, request: ApiRequest) -> Answer:
    from stslab.sandbox.sts.federated.web_identity import assume_role_with_web_identity

    return assume_role_with_web_identity(assume, tx, request)


def _assume_root(_view: View, request: ApiRequest) -> NoReturn:
    """Nobody can: neither account manages the other (STS API Reference, "AssumeRoot")."""
    raise faults.access_denied(
        f"User: {request.caller.principal.arn} is not authorized to perform: sts:AssumeRoot on "
        f"resource: {request.params['TargetPrincipal']}"
    )


def _outbound_federation_disabled(_view: View, request: ApiRequest) -> NoReturn:
    raise ApiFault(
        "OutboundWebIdentityFederationDisabledException",
        f"Outbound web identity federation is not enabled for account {request.caller.account}.",
        _FORBIDDEN,
    )


def _get_caller_identity(_view: View, request: ApiRequest) -> Answer:
    """Say who calls: no policy can deny it (STS API Reference, "GetCallerIdentity")."""
    caller = request.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.principal.arn}


def _get_access_key_info(judge: Judge, view: View, request: ApiRequest) -> Answer:
    """Say which account a key belongs to, live, deleted or anyone's."""
    _require(judge, view, request, "sts:GetAccessKeyInfo")
    account = identifiers.account_of_key(request.params["AccessKeyId"])
    if account is None:
        raise ApiFault(
            "InvalidClientTokenId", "The access key ID provided is not valid.", _FORBIDDEN
        )
    return {"Account": account}


def _decode_authorization_message(judge: Judge, view: View, request: ApiRequest) -> NoReturn:
    """Refuse: no service here encodes its denials, as EC2 does (API Reference, same name)."""
    _require(judge, view, request, "sts:DecodeAuthorizationMessage")
    raise ApiFault("InvalidAuthorizationMessageException", "Message is not valid")


def _require(judge: Judge, view: View, request: ApiRequest, action: str) -> None:
    decision = judge.decide(view, request, action, "*", context={})
    if not decision.allowed:
        raise faults.denied(decision)
