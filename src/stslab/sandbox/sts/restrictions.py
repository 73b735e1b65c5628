"""What temporary credentials may not call, whatever their policies say.

IAM User Guide, "Comparing AWS STS credentials" (Requesting temporary security credentials).
"""

from stslab.sandbox.api.model import ApiFault, Caller
from stslab.sandbox.signing.signature import UNSIGNED_ACTIONS
from stslab.sandbox.sts import faults

_TOKEN_MAKERS = frozenset({"GetSessionToken", "GetFederationToken"})
_WITH_SESSION_TOKEN = frozenset({"AssumeRole", "GetCallerIdentity", "GetScopedCredentials"})
_WITH_FEDERATION_TOKEN = frozenset(
    {"GetCallerIdentity", "GetScopedCredentials", "GetDelegatedAccessToken"}
)
_FORBIDDEN = 403


def check(caller: Caller, service: str, operation: str) -> None:
    """Refuse a call that the caller's kind of credentials can't make.

    Raises:
        ApiFault: as AWS does: AccessDenied from STS, InvalidClientTokenId from IAM.
    """
    if caller.session is None or operation in UNSIGNED_ACTIONS:
        return
    if service == "iam" and _kept_from_iam(caller):
        raise ApiFault(
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
            _FORBIDDEN,
        )
    if service == "sts":
        _check_sts(caller, operation)


def _kept_from_iam(caller: Caller) -> bool:
    session = caller.session
    if session is None:
        return False
    return session.kind == "FederatedUser" or (
        session.kind == "SessionToken" and session.mfa is None
    )


def _check_sts(caller: Caller, operation: str) -> None:
    if operation in _TOKEN_MAKERS:
        raise faults.access_denied(f"Cannot call {operation} with session credentials")
    allowed = {"SessionToken": _WITH_SESSION_TOKEN, "FederatedUser": _WITH_FEDERATION_TOKEN}.get(
        caller.session.kind if caller.session is not None else ""
    )
    if allowed is not None and operation not in allowed:
        raise faults.access_denied(
            f"User: {caller.principal.arn} is not authorized to perform: sts:{operation}"
        )
