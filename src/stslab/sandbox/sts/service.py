"""The STS service: all operations but those with a token or an assertion."""

import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from stslab.policy import PrincipalKind
from stslab.sandbox.api import faults, identifiers, model
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Params
from stslab.sandbox.federation import saml
from stslab.sandbox.state.identities import Session, User
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.sessions import RoleSessions
from stslab.structures import beside

_DEFAULT_SECONDS, _HOUR = 43200, 3600
_MFA = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
"""The condition keys of a call with an MFA code."""
_UNAVAILABLE: Mapping[str, str] = beside(__file__, "unavailable.yaml")


class StsService:
    """The STS service. Operations that issue a session write; all others only read."""

    def __init__(
        self, judge: model.Judge, managed_text: model.ManagedText, spend_mfa: model.SpendMfa
    ) -> None:
        first = {"judge": judge, "managed_text": managed_text, "spend_mfa": spend_mfa}
        roles, here = RoleSessions(judge, managed_text), [sys.modules[__name__]]
        unavailable: model.Reads = dict.fromkeys(_UNAVAILABLE, _unavailable)
        self.reads: model.Reads = {**unavailable, **model.handlers(here, "view", "request")}
        self.writes: model.Writes = model.handlers(here, "tx", "request", roles=roles, **first)

    def needs(self, _view: View, request: ApiRequest) -> model.Needs:
        """Most decide themselves: IAM User Guide, "Comparing the AWS STS API operations"."""
        params, action = request.params, f"sts:{request.operation}"
        if request.operation != "GetWebIdentityToken":
            simple = request.operation in ("DecodeAuthorizationMessage", "GetAccessKeyInfo")
            return [model.Need(action, "*")] if simple else ()
        if params["SigningAlgorithm"] not in ("ES384", "RS256"):
            raise sessions.fault("algorithm")
        tags, arn = sessions.tags_of(params, None, aws=True), f"arn:aws:sts::{request.account}:self"
        keys: model.Keys = {
            "sts:DurationSeconds": str(params.get("DurationSeconds", 300)),
            "sts:IdentityTokenAudience": params["Audience"],
            "sts:SigningAlgorithm": params["SigningAlgorithm"],
        }
        wanted = {action: keys, **({"sts:TagGetWebIdentityToken": {}} if tags.all else {})}
        return [model.Need(one, arn, wanted[one] | tags.context()) for one in wanted]


def get_session_token(spend_mfa: model.SpendMfa, tx: Transaction, request: ApiRequest) -> Answer:
    """Needs no permission (IAM User Guide, "Permissions for GetSessionToken")."""
    caller, proved = request.caller, _proved_mfa(spend_mfa, tx, request)
    return _issued_by_caller(
        tx,
        request,
        kind="SessionToken",
        principal_arn=caller.principal.arn,
        user_id=caller.user_id,
        mfa=request.now.replace(microsecond=0) if proved else None,
    )


def get_federation_token(
    judge: model.Judge, managed_text: model.ManagedText, tx: Transaction, request: ApiRequest
) -> Answer:
    """IAM User Guide, "Permissions for GetFederationToken"."""
    caller, params = request.caller, request.params
    arn = f"arn:aws:sts::{caller.account}:federated-user/{params['Name']}"
    tags = sessions.tags_of(params, None)
    for action in ("GetFederationToken", *(["TagSession"] if tags.all else [])):
        need = model.Need(f"sts:{action}", arn, tags.context())
        if not (decision := judge.decide(tx, request, need)).allowed:
            raise faults.access_denied(decision.message)
    user_id = f"{caller.account}:{params['Name']}"
    answer = _issued_by_caller(
        tx,
        request,
        kind="FederatedUser",
        policies=sessions.session_policies(tx, caller.account, params, managed_text),
        tags=tags.all,
        principal_arn=arn,
        user_id=user_id,
    )
    return answer | {"FederatedUser": {"FederatedUserId": user_id, "Arn": arn}}


def assume_role(
    roles: RoleSessions, spend_mfa: model.SpendMfa, tx: Transaction, request: ApiRequest
) -> Answer:
    params, calling = request.params, request.caller.session
    if request.caller.principal.kind is PrincipalKind.ROOT:
        raise faults.access_denied("Roles may not be assumed by root accounts.")
    if params.get("ProvidedContexts"):
        raise model.unsupported("sts", "AssumeRole with ProvidedContexts")
    context = {"sts:ExternalId": params["ExternalId"]} if "ExternalId" in params else {}
    wanted = sessions.RoleRequest(
        "AssumeRole",
        roles.target(tx, params["RoleArn"]),
        params["RoleSessionName"],
        sessions.tags_of(params, calling),
        _source_identity(params, calling),
        context | (_MFA if _proved_mfa(spend_mfa, tx, request) else {}),
    )
    return roles.session(tx, request, wanted)


def _proved_mfa(spend_mfa: model.SpendMfa, tx: Transaction, request: ApiRequest) -> bool:
    """Whether the request has an MFA code, which is verified. Raises AccessDenied."""
    caller, params = request.caller, request.params
    serial, code = params.get("SerialNumber"), params.get("TokenCode")
    if given := serial is not None or code is not None:
        user = tx.get(User, caller.account, caller.user_name.lower())
        spend_mfa(tx, user, serial, code, request.now)
    return given


# The libraries for certificates and XML are imported at the first call that needs them.


def assume_role_with_saml(roles: RoleSessions, tx: Transaction, request: ApiRequest) -> Answer:
    saml.require()
    from stslab.sandbox.sts.saml import assume_role_with_saml

    return assume_role_with_saml(roles, tx, request)


def assume_role_with_web_identity(
    roles: RoleSessions, tx: Transaction, request: ApiRequest
) -> Answer:
    from stslab.sandbox.sts import web_identity

    return web_identity.assume_role_with_web_identity(roles, tx, request)


def _issued_by_caller(tx: Transaction, request: ApiRequest, **who: Any) -> Answer:
    """A session of the caller's. For the root user an hour is the default and the maximum."""
    caller = request.caller
    seconds = int(request.params.get("DurationSeconds", _DEFAULT_SECONDS))
    seconds = min(seconds, _HOUR) if caller.kind == "Root" else seconds
    who |= {"issuer_arn": caller.principal.arn, "issuer_id": caller.user_id}
    return sessions.issue(tx, request, caller.account, seconds, **who)[1]


def _unavailable(_view: View, request: ApiRequest) -> NoReturn:
    target = str(request.params.get("TargetPrincipal"))  # a root user, or the id of its account
    account = target.removeprefix("arn:aws:iam::").removesuffix(":root")
    raise faults.worded(_UNAVAILABLE, request.operation, caller=request.caller, target=account)


def get_access_key_info(_view: View, request: ApiRequest) -> Answer:
    """The account that a key belongs to, even if it is another account's or was deleted."""
    account = identifiers.account_of_key(request.params["AccessKeyId"])
    if account is None:
        raise ApiFault("InvalidClientTokenId", "The access key ID provided is not valid.")
    return {"Account": account}


def get_caller_identity(_view: View, request: ApiRequest) -> Answer:
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
