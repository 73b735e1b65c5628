"""AssumeRoleWithWebIdentity: a token of an OpenID Connect provider instead of a signature.

STS API Reference, "AssumeRoleWithWebIdentity"; IAM User Guide, "Create a role for OpenID
Connect federation" and "Available keys for AWS OIDC federation".
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from stslab.policy import Principal, catalogue
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Keys
from stslab.sandbox.federation.oidc import issuers, tokens
from stslab.sandbox.federation.oidc.certificates import NotVerified, UnknownAuthority
from stslab.sandbox.state.identities import Issuer, OidcProvider
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.sandbox.sts.assume_role import AssumeRole, RoleRequest
from stslab.structures import listed

_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
_ACTION = "AssumeRoleWithWebIdentity"
_KEYS = ("sub", "email", "amr", "azp")
_VARIABLE = re.compile(r"\$\{.*?\}")
_UNVERIFIABLE = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
_MISMATCHED = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
_NO_JWT = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)
_SKEW_SECONDS = 300
_OAUTH = {"graph.facebook.com": "IDPRejectedClaim", "www.amazon.com": "InvalidIdentityToken"}


class WebIdentity(NamedTuple):
    """The user of a valid token, and the provider in IAM that it comes from."""

    provider_arn: str
    issuer: str
    claims: tokens.Claims
    audience: str

    def keys(self) -> Keys:
        """The condition keys from the token, which begin with the provider's name."""
        host = self.issuer.removeprefix("https://")
        values = {key: self.claims[key] for key in _KEYS if key in self.claims}
        for key in catalogue.condition_keys(f"sts:{_ACTION}"):
            provider, _, claim = key.partition(":")
            outer, _, inner = claim.partition("/")
            nested = self.claims.get(outer)  # as Google's google/organization_number is
            value = nested.get(inner) if isinstance(nested, dict) else self.claims.get(claim)
            if value is not None and fnmatchcase(host, _VARIABLE.sub("*", provider)):
                values[claim] = value
        values["aud"] = self.claims.get("azp", self.audience)
        if "azp" in self.claims:
            values["oaud"] = self.audience
        return {
            f"{host}:{key}": [*map(str, value)] if isinstance(value, list) else str(value)
            for key, value in values.items()
        }


def assume_role_with_web_identity(
    assume: AssumeRole, tx: Transaction, request: ApiRequest
) -> Answer:
    params = request.params
    if given := params.get("ProviderId"):
        raise ApiFault(
            _OAUTH.get(given, "AccessDenied"),
            f"The token is not an OAuth 2.0 access token of {given}. An OpenID Connect token is "
            "sent without ProviderId.",
        )
    target = assume.target(tx, params["RoleArn"], "Request ARN is invalid")
    # The AWS CLI and the JavaScript SDK send a token file unchanged, with its last line feed.
    identity = _identify(tx, params["WebIdentityToken"].strip(), target.account, request)
    provider = identity.provider_arn
    wanted = RoleRequest(
        _ACTION,
        target,
        params["RoleSessionName"],
        _tags(identity.claims),
        str(identity.claims.get(_SOURCE_IDENTITY, "")),
        {"aws:FederatedProvider": provider, **identity.keys()},
        Principal.federated(provider, target.account),
    )
    role = assume.authorize_federated(tx, request, wanted)
    return assume.issue(tx, request, wanted, role) | {
        "SubjectFromWebIdentityToken": str(identity.claims["sub"]),
        "Audience": identity.audience,
        "Provider": provider,
    }


def _identify(view: View, text: str, account: str, request: ApiRequest) -> WebIdentity:
    try:
        token = tokens.read(text)
    except tokens.InvalidToken as error:
        raise faults.invalid_token(_NO_JWT) from error
    issuer = str(token.claims.get("iss", ""))
    if "." not in issuer and "://" not in issuer:
        raise faults.invalid_token("Issuer must be a valid URL")
    provider = view.get(OidcProvider, account, issuer.removeprefix("https://"))
    if provider is None:
        raise faults.invalid_token(f"No OpenIDConnect provider found in your account for {issuer}")
    try:
        tokens.verify(token, _key(view, token, issuer, provider.thumbprints))
    except tokens.InvalidToken as error:
        raise faults.invalid_token(
            "The ID Token provided is not valid: its signature is not the identity provider's"
        ) from error
    _check_times(token.claims, request)
    if token.claims.get("sub") is None:
        raise faults.invalid_token("Missing a required claim: sub")
    audiences = [name for name in listed(token.claims.get("aud")) if name in provider.client_ids]
    if not audiences:
        raise faults.invalid_token("Incorrect token audience")
    return WebIdentity(provider.arn, issuer, token.claims, audiences[0])


def _key(
    view: View, token: tokens.Token, issuer: str, thumbprints: Sequence[str]
) -> Mapping[str, str]:
    """The public key for a token, from the issuer's server. Raises InvalidIdentityToken."""
    known = view.get(Issuer, "", issuer)
    if known is None:
        raise faults.invalid_token(_UNVERIFIABLE)
    try:
        issuers.verify(view, issuer, thumbprints)
    except UnknownAuthority as error:
        raise faults.invalid_token(_MISMATCHED) from error
    except NotVerified as error:
        raise faults.invalid_token(_UNVERIFIABLE) from error
    key = issuers.public_key(known, token.header.get("kid"))
    if key is None:
        raise faults.invalid_token(_UNVERIFIABLE)
    return key


def _check_times(claims: tokens.Claims, request: ApiRequest) -> None:
    now = int(request.now.timestamp())
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    starts = _time(claims, "nbf") if "nbf" in claims else issued
    if now >= expires + _SKEW_SECONDS:
        raise ApiFault(
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the expiration date/time "
            f"{expires}",
        )
    if max(issued, starts) > now + _SKEW_SECONDS:
        raise faults.invalid_token("The ID Token provided is not yet valid")


def _time(claims: tokens.Claims, name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise faults.invalid_token(f"Missing a required claim: {name}")
    try:
        return int(value)
    except (OverflowError, ValueError) as error:
        raise faults.invalid_token(f"The claim {name} is not a time") from error


def _tags(claims: tokens.Claims) -> sessions.SessionTags:
    """The session tags in the token (IAM User Guide, "Passing session tags in AWS STS")."""
    given = claims.get(_TAGS)
    if not isinstance(given, dict):
        return sessions.SessionTags()
    principal = given.get("principal_tags", {})
    transitive = given.get("transitive_tag_keys", [])
    if not isinstance(principal, dict) or not isinstance(transitive, list):
        raise faults.invalid_token(f"The claim {_TAGS} is not valid")
    values = {key: listed(value) for key, value in principal.items()}
    if any(len(several) != 1 for several in values.values()):
        raise faults.invalid_token("A session tag has one value")
    passed = tuple((key, str(value)) for key, (value,) in values.items())
    return sessions.checked_tags(passed, map(str, transitive), None)
