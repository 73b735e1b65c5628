"""AssumeRoleWithWebIdentity: a token of an OpenID Connect provider instead of a signature.

STS API Reference, same name; IAM User Guide, "Available keys for AWS OIDC federation".
"""

import re
from fnmatch import fnmatchcase

import msgspec

from stslab.policy import Principal, PrincipalKind, catalogue
from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiRequest, Keys
from stslab.sandbox.federation.oidc import certificates, issuers
from stslab.sandbox.federation.oidc.issuers import Claims
from stslab.sandbox.state.identities import Issuer, OidcProvider
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.sandbox.sts import sessions
from stslab.structures import listed

_TAGS = "https://aws.amazon.com/tags"
_TAG = f"{_TAGS}/principal_tags/"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
_ROLES = "https://aws.amazon.com/roles"
_ACTION = "AssumeRoleWithWebIdentity"
_KEYS = ("sub", "email", "amr", "azp")
_VARIABLE = re.compile(r"\$\{.*?\}")
_SKEW_SECONDS = 300
_TIME = re.compile(r"-?[0-9]{1,18}")
_SHARED = frozenset({"accounts.google.com", "cognito-identity.amazonaws.com"})  # need no provider
_OAUTH = {"graph.facebook.com": "IDPRejectedClaim", "www.amazon.com": "InvalidIdentityToken"}


def assume_role_with_web_identity(
    roles: sessions.RoleSessions, tx: Transaction, request: ApiRequest
) -> Answer:
    params = request.params
    if given := params.get("ProviderId"):
        raise sessions.fault("OAuth", code=_OAUTH.get(given, "AccessDenied"), provider=given)
    target = roles.target(tx, params["RoleArn"], "Request ARN is invalid")
    # The AWS CLI and the JavaScript SDK send a token file unchanged, with its last line feed.
    text = params["WebIdentityToken"].strip()
    host, provider, claims, audience = _verified(tx, text, target.account, request)
    name = provider.arn if provider else host
    wanted = sessions.RoleRequest(
        _ACTION,
        target,
        params["RoleSessionName"],
        _tags(claims),
        sessions.source_identity(claims.get(_SOURCE_IDENTITY)),
        _keys(host, claims, audience) | _authorized(claims, target.arn),
        Principal(PrincipalKind.PROVIDER, name, provider.account if provider else ""),
    )
    return roles.session(tx, request, wanted) | {
        "SubjectFromWebIdentityToken": str(claims["sub"]),
        "Audience": audience,
        "Provider": name,
    }


def _keys(host: str, claims: Claims, audience: str) -> Keys:
    values = {key: claims[key] for key in _KEYS if claims.get(key) is not None}
    for key in catalogue.condition_keys(f"sts:{_ACTION}"):
        provider, _, claim = key.partition(":")
        outer, _, inner = claim.partition("/")
        nested = claims.get(outer, {inner: claims.get(claim, claims.get(f"{outer}:{inner}"))})
        value = nested.get(inner) if isinstance(nested, dict) else claims.get(claim)  # Google nests
        if value is not None and fnmatchcase(host, _VARIABLE.sub("*", provider)):
            values[claim] = value
    values |= {"aud": audience, "oaud": claims["aud"]}
    return {
        f"{host}:{key}": [*map(str, value)] if isinstance(value, list) else str(value)
        for key, value in values.items()
    }


def _authorized(claims: Claims, role: str) -> Keys:
    """Whether the provider authorized the role. A token that lists others only is invalid."""
    given = claims.get(_ROLES)
    roles = listed(given.split(";") if isinstance(given, str) else given)
    if given is not None and role not in (str(one).strip() for one in roles):
        raise faults.invalid_token("The token does not authorize the requested role.")
    return {"sts:RoleAuthorizedByIdp": str(given is not None).lower()}


def _verified(
    view: View, text: str, account: str, request: ApiRequest
) -> tuple[str, OidcProvider | None, Claims, str]:
    """A token's issuer, its provider in IAM, and the claims and the audience, which are valid."""
    header, claims = issuers.read(text)
    issuer = str(_required(claims, "iss"))
    if "." not in issuer and "://" not in issuer:
        raise faults.invalid_token("Issuer must be a valid URL")
    host = issuer.removeprefix("https://")
    provider = view.get(OidcProvider, account, host)
    if provider is None and host not in _SHARED:
        raise certificates.unvalidated(log={"cause": "no provider"})
    known = view.get(Issuer, "", issuer)
    if known is not None and provider is not None:
        issuers.verify(view, issuer, provider.thumbprints)
    issuers.verify_token(text, issuers.public_key(known, header.get("kid")))
    _check_times(claims, request)
    _required(claims, "sub")
    audience = _audience(claims)
    if provider is not None and audience not in provider.client_ids:
        raise certificates.unvalidated(log={"cause": "audience"})
    return host, provider, claims, audience


def _check_times(claims: Claims, request: ApiRequest) -> None:
    now = int(request.now.timestamp())
    earliest, latest = now - _SKEW_SECONDS, now + _SKEW_SECONDS
    if earliest >= (expires := _time(claims, "exp")):
        raise sessions.fault("expired", now=earliest, end=expires)
    if (issued := _time(claims, "iat")) > latest:
        raise faults.invalid_token(f"Token issued in the future: {issued}")
    if "nbf" in claims and (starts := _time(claims, "nbf")) > latest:
        raise sessions.fault("too early", now=latest, start=starts)


def _time(claims: Claims, name: str) -> int:
    text = str(claims[name] if name in claims else _required(claims, name))  # null counts as given
    if not _TIME.fullmatch(text):
        raise faults.invalid_token("Invalid timestamp in token claims.")
    return int(text)


def _required(claims: Claims, name: str) -> object:
    if claims.get(name) is None:
        raise faults.invalid_token(f"Missing a required claim: {name}")
    return claims[name]


def _audience(claims: Claims) -> str:
    """The client that a token is for: the authorized party (azp), else the only audience."""
    audiences = listed(_required(claims, "aud"))
    if not audiences:
        raise faults.invalid_token("Claim is not allowed to be empty: aud")
    if len(audiences) > 1 and "azp" not in claims:
        raise sessions.fault("several audiences")
    return str(claims.get("azp", audiences[0]))


def _tags(claims: Claims) -> sessions.SessionTags:
    """The session tags, nested or each a claim (IAM User Guide, "Passing session tags")."""
    given = claims.get(_TAGS)
    nested = given if isinstance(given, dict) else {}
    try:  # by public records, a nested tag has one value, a text, in a list
        tags = msgspec.convert(nested.get("principal_tags", {}), dict[str, tuple[str]])
    except msgspec.ValidationError as error:
        raise sessions.fault("nested tags") from error
    every = {**claims, **{f"{_TAG}{key}": values for key, values in tags.items()}}
    own = [(name.removeprefix(_TAG), every[name]) for name in every if name.startswith(_TAG)]
    passed = [(key, str(one)) for key, values in own for one in listed(values)]
    transitive = nested.get("transitive_tag_keys", claims.get(f"{_TAGS}/transitive_tag_keys"))
    return sessions.tags_in(passed, map(str, listed(transitive)))
