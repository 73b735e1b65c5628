"""Who is calling, and whose a key is."""

from __future__ import annotations

from typing import Any

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.sts import faults
from stslab.sandbox.sts.ports import Judge

_FORBIDDEN = 403


class Identity:
    """GetCallerIdentity, GetAccessKeyInfo and DecodeAuthorizationMessage."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def get_caller_identity(self, request: ApiRequest) -> dict[str, Any]:
        """Say who calls: no policy can deny it (STS API Reference, "GetCallerIdentity")."""
        caller = request.caller
        return {
            "UserId": caller.user_id,
            "Account": caller.account,
            "Arn": caller.principal.arn,
        }

    def get_access_key_info(self, request: ApiRequest) -> dict[str, Any]:
        """Say which account a key belongs to, live, deleted or anyone's."""
        self._require(request, "sts:GetAccessKeyInfo")
        account = identifiers.account_of_key(request.params["AccessKeyId"])
        if account is None:
            raise ApiFault(
                "InvalidClientTokenId", "The access key ID provided is not valid.", _FORBIDDEN
            )
        return {"Account": account}

    def decode_authorization_message(self, request: ApiRequest) -> dict[str, Any]:
        """Refuse the message: none of the operations here encodes its denials."""
        self._require(request, "sts:DecodeAuthorizationMessage")
        raise ApiFault("InvalidAuthorizationMessageException", "Message is not valid")

    def _require(self, request: ApiRequest, action: str) -> None:
        decision = self._judge.decide(request, action, "*", context={})
        if not decision.allowed:
            raise faults.denied(decision)
