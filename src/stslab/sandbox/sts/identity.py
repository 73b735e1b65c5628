"""Who is calling, whose a key is, and what an encoded denial says."""

from typing import NoReturn

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Judge
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import faults

_FORBIDDEN = 403


def get_caller_identity(_view: View, request: ApiRequest) -> Answer:
    """Say who calls: no policy can deny it (STS API Reference, "GetCallerIdentity")."""
    caller = request.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.principal.arn}


def get_access_key_info(judge: Judge, view: View, request: ApiRequest) -> Answer:
    """Say which account a key belongs to, live, deleted or anyone's."""
    _require(judge, view, request, "sts:GetAccessKeyInfo")
    account = identifiers.account_of_key(request.params["AccessKeyId"])
    if account is None:
        raise ApiFault(
            "InvalidClientTokenId", "The access key ID provided is not valid.", _FORBIDDEN
        )
    return {"Account": account}


def decode_authorization_message(judge: Judge, view: View, request: ApiRequest) -> NoReturn:
    """Refuse: no service here encodes its denials, as EC2 does (API Reference, same name)."""
    _require(judge, view, request, "sts:DecodeAuthorizationMessage")
    raise ApiFault("InvalidAuthorizationMessageException", "Message is not valid")


def _require(judge: Judge, view: View, request: ApiRequest, action: str) -> None:
    decision = judge.decide(view, request, action, "*", context={})
    if not decision.allowed:
        raise faults.denied(decision)
