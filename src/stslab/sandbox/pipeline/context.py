"""The global condition keys of a request: who calls, from where, when, through what.

IAM User Guide, "AWS global condition context keys", says which keys are there when: a key
that has no value for a request is not in its context at all.
"""

from collections.abc import Mapping
from datetime import datetime

from stslab.sandbox.api.model import ApiRequest, Caller
from stslab.sandbox.api.need import Keys, iso
from stslab.sandbox.state.identities import User
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import callers

_PRINCIPAL_TYPES: Mapping[str, str] = {
    "Root": "Account",
    "IAMUser": "User",
    "SessionToken": "User",
    "AssumedRole": "AssumedRole",
    "WebIdentityUser": "AssumedRole",
    "FederatedUser": "FederatedUser",
    "Anonymous": "Anonymous",
}
_TEMPORARY = frozenset({"AssumedRole", "SessionToken", "FederatedUser", "WebIdentityUser"})


def of_request(view: View, request: ApiRequest, resource_account: str | None) -> Keys:
    """The global condition keys of a request on something that ``resource_account`` owns.

    The sandbox stands for AWS's HTTPS endpoints, so ``aws:SecureTransport`` is true.
    """
    return {
        **_moment(request.now),
        **_network(request),
        **_principal(request.caller),
        **_tags(view, request.caller),
        **_session(request),
        "aws:RequestedRegion": request.region,
        "aws:ResourceAccount": resource_account or request.account,
    }


def _moment(now: datetime) -> Keys:
    return {"aws:CurrentTime": iso(now), "aws:EpochTime": str(int(now.timestamp()))}


def _network(request: ApiRequest) -> Keys:
    keys: Keys = {"aws:SecureTransport": "true", "aws:ViaAWSService": "false"}
    if request.via:
        keys["aws:ViaAWSService"] = "true"
        keys["aws:CalledVia"] = request.via
        keys["aws:CalledViaFirst"] = request.via[0]
        keys["aws:CalledViaLast"] = request.via[-1]
    else:
        keys["aws:SourceIp"] = request.http.source_ip
    for key, header in (("aws:UserAgent", "User-Agent"), ("aws:Referer", "Referer")):
        if value := request.http.header(header):
            keys[key] = value
    return keys


def _principal(caller: Caller) -> Keys:
    keys: Keys = {
        "aws:PrincipalType": _PRINCIPAL_TYPES.get(caller.kind, caller.kind),
        "aws:userid": caller.user_id or "anonymous",
        "aws:PrincipalIsAWSService": "false",
    }
    if caller.kind != "Anonymous":
        keys["aws:PrincipalArn"] = principal_arn(caller)
        keys["aws:PrincipalAccount"] = caller.account
    if _PRINCIPAL_TYPES.get(caller.kind) == "User":
        keys["aws:username"] = caller.user_name
    return keys


def principal_arn(caller: Caller) -> str:
    """The ARN that ``aws:PrincipalArn`` has: the role's for a role session."""
    session = caller.session
    return session.role_arn if session is not None and session.role_arn else caller.principal.arn


def _tags(view: View, caller: Caller) -> Keys:
    tags = dict(_own_tags(view, caller))
    if caller.session is not None:
        # A session tag stands before the role's tag of the same key, whatever its case.
        passed = dict(caller.session.tags)
        folded = {key.lower() for key in passed}
        tags = {key: value for key, value in tags.items() if key.lower() not in folded} | passed
    return {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}


def _own_tags(view: View, caller: Caller) -> Mapping[str, str]:
    if caller.session is not None and caller.session.role_id:
        role = callers.issuer(view, caller.session)
        return role.tags if role is not None else {}
    user = view.get(User, caller.account, caller.user_name.lower()) if caller.user_name else None
    return user.tags if user is not None else {}


def _session(request: ApiRequest) -> Keys:
    session = request.caller.session
    if session is None or request.caller.kind not in _TEMPORARY:
        return {}
    keys: Keys = {
        "aws:TokenIssueTime": iso(session.issued),
        "aws:MultiFactorAuthPresent": "false",
        **dict(session.provider_keys),
    }
    if session.mfa is not None:
        age = int((request.now - session.mfa).total_seconds())
        keys |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": str(max(age, 0))}
    if session.federated_provider:
        keys["aws:FederatedProvider"] = session.federated_provider
    if session.source_identity:
        keys["aws:SourceIdentity"] = session.source_identity
    return keys
