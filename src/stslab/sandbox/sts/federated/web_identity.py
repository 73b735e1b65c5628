"""AssumeRoleWithWebIdentity: a token of an OpenID Connect provider in place of a signature.

STS API Reference, "AssumeRoleWithWebIdentity"; IAM User Guide, "Create a role for OpenID
Connect federation" and "Available keys for AWS OIDC federation".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stslab.policy import Principal
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.federation.oidc import issuers, servers, tokens
from stslab.sandbox.federation.oidc.verification import NotVerified, UnknownAuthority
from stslab.sandbox.state.identities import Role
from stslab.sandbox.state.providers import Issuer, OidcProvider
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction
from stslab.sandbox.sts import faults, roles, session_tags
from stslab.sandbox.sts.assume_role import AssumeRole, Wish

_OPERATION = "AssumeRoleWithWebIdentity"
_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
_GITHUB = "token.actions.githubusercontent.com"
_KEYS = ("sub", "email", "amr")
_GITHUB_KEYS = (
    "actor",
    "actor_id",
    "environment",
    "enterprise_id",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "workflow",
)
_UNVERIFIABLE = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
_MISMATCHED = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
_NO_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
_SKEW_SECONDS = 300


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Whom a valid token vouches for, and the provider in IAM that AWS trusts it for."""

    provider_arn: str
    issuer: str
    claims: Mapping[str, Any]
    audience: str

    @property
    def keys(self) -> dict[str, str | list[str]]:
        """The condition keys that the token fills, named after the provider."""
        host = self.issuer.removeprefix("https://")
        wanted = (*_KEYS, *_GITHUB_KEYS) if host == _GITHUB else _KEYS
        filled = {key: self.claims[key] for key in wanted if key in self.claims}
        filled["aud"] = self.claims.get("azp", self.audience)
        if "azp" in self.claims:
            filled["oaud"] = self.audience
        return {f"{host}:{key}": _texts(value) for key, value in filled.items()}


def assume_role_with_web_identity(
    assume: AssumeRole, tx: Transaction, request: ApiRequest
) -> Answer:
    """Carry out AssumeRoleWithWebIdentity, which nobody signs."""
    params = request.params
    target = assume.target(tx, params["RoleArn"])
    identity = _identify(tx, params["WebIdentityToken"], target.account, request)
    wish = _wish(params, target, identity)
    answer = assume.issue(
        tx,
        request,
        wish,
        _authorized(assume, tx, request, wish),
        federated_provider=identity.provider_arn,
        provider_keys=tuple(
            (key, value) for key, value in identity.keys.items() if isinstance(value, str)
        ),
    )
    return answer | {
        "SubjectFromWebIdentityToken": identity.claims["sub"],
        "Audience": identity.audience,
        "Provider": identity.issuer,
    }


def _authorized(assume: AssumeRole, view: View, request: ApiRequest, wish: Wish) -> Role:
    try:
        return assume.authorize(view, request, wish)
    except ApiFault as fault:
        raise faults.access_denied(f"Not authorized to perform sts:{_OPERATION}") from fault


def _identify(view: View, text: str, account: str, request: ApiRequest) -> WebIdentity:
    token = _read(text)
    issuer = str(token.claims.get("iss", ""))
    provider = view.get(OidcProvider, account, issuer.removeprefix("https://").rstrip("/"))
    if provider is None:
        raise faults.invalid_token(f"No OpenIDConnect provider found in your account for {issuer}")
    _verify(token, _key(view, token, issuer, provider.thumbprints))
    _check_times(token.claims, request)
    if not token.claims.get("sub"):
        raise faults.invalid_token("Missing a required claim: sub")
    audience = _audience(token.claims, provider.client_ids)
    return WebIdentity(provider.arn, issuer, token.claims, audience)


def _key(
    view: View, token: tokens.Token, issuer: str, thumbprints: Sequence[str]
) -> Mapping[str, str]:
    """The key that signed the token, from the issuer's server, if that is believed."""
    known = view.get(Issuer, "", issuer)
    if known is None:
        raise faults.invalid_token(_UNVERIFIABLE)
    try:
        servers.verify(view, issuer, thumbprints)
    except UnknownAuthority as error:
        raise faults.invalid_token(_MISMATCHED) from error
    except NotVerified as error:
        raise faults.invalid_token(_UNVERIFIABLE) from error
    key = issuers.public_key(known, token.header.get("kid"))
    if key is None:
        raise faults.invalid_token(_UNVERIFIABLE)
    return key


def _verify(token: tokens.Token, key: Mapping[str, str]) -> None:
    try:
        tokens.verify(token, key)
    except tokens.InvalidToken as error:
        raise faults.invalid_token(
            "The ID Token provided is not valid: its signature is not the identity provider's"
        ) from error


def _wish(params: Mapping[str, Any], target: roles.Target, identity: WebIdentity) -> Wish:
    principal = Principal.federated(identity.provider_arn, target.account)
    provider: dict[str, str | Sequence[str]] = {"aws:FederatedProvider": identity.provider_arn}
    return Wish(
        _OPERATION,
        target,
        params["RoleSessionName"],
        _tags(identity.claims),
        str(identity.claims.get(_SOURCE_IDENTITY, "")),
        provider | identity.keys,
        principal,
    )


def _read(text: str) -> tokens.Token:
    try:
        return tokens.read(text)
    except tokens.InvalidToken as error:
        raise faults.invalid_token(_NO_JWT) from error


def _check_times(claims: Mapping[str, Any], request: ApiRequest) -> None:
    now = int(request.now.timestamp())
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    starts = _time(claims, "nbf") if "nbf" in claims else issued
    if now >= expires:
        raise ApiFault(
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the expiration date/time "
            f"{expires}",
        )
    if max(issued, starts) > now + _SKEW_SECONDS:
        raise faults.invalid_token("The ID Token provided is not yet valid")


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise faults.invalid_token(f"Missing a required claim: {name}")
    try:
        return int(value)
    except (OverflowError, ValueError) as error:
        raise faults.invalid_token(f"The claim {name} is not a time") from error


def _audience(claims: Mapping[str, Any], clients: Sequence[str]) -> str:
    given = claims.get("aud")
    audiences = given if isinstance(given, list) else [given]
    for audience in audiences:
        if isinstance(audience, str) and audience in clients:
            return audience
    raise faults.invalid_token("Incorrect token audience")


def _tags(claims: Mapping[str, Any]) -> session_tags.SessionTags:
    """The session tags in the token (IAM User Guide, "Passing session tags in AWS STS")."""
    given = claims.get(_TAGS)
    if not isinstance(given, dict):
        return session_tags.SessionTags()
    principal = given.get("principal_tags", {})
    transitive = given.get("transitive_tag_keys", [])
    if not isinstance(principal, dict) or not isinstance(transitive, list):
        raise faults.invalid_token(f"The claim {_TAGS} is not valid")
    passed = tuple((key, _single(value)) for key, value in principal.items())
    return session_tags.checked(passed, map(str, transitive), None)


def _single(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    if len(values) != 1:
        raise faults.invalid_token("A session tag has one value")
    return str(values[0])


def _texts(value: Any) -> str | list[str]:
    return [str(item) for item in value] if isinstance(value, list) else str(value)
