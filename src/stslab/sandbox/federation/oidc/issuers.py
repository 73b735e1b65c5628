"""The OpenID Connect issuers whose tokens a lab can use, all of them simulated offline.

Any issuer can be named. Tokens are JSON Web Tokens, signed with RS256 (RFC 7515, 7519).
"""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.api import faults
from stslab.sandbox.federation.oidc import certificates
from stslab.sandbox.state import identities
from stslab.sandbox.state.identities import Authority, Issuer, IssuerServer, PublicAuthority
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.structures import mapped, text_or_json
from stslab.vocabulary import CERTIFICATES

Claims = Mapping[str, Any]
OWN_ISSUER = "https://oidc.stslab.example"
_HTTPS = "https://"
_ALGORITHM = "RS256"
_MOST_ISSUERS = 1000


def issuer_of(tx: Transaction, url: str) -> Issuer:
    """The issuer with exactly this URL, created if there is none. Raises SandboxError."""
    known = tx.get(Issuer, "", url)
    if known is not None:
        return known
    if not url.startswith(_HTTPS) or len(url) <= len(_HTTPS) or set("?# ") & set(url):
        says, fix = certificates.SAYS["no issuer"], certificates.SAYS["an issuer"]
        raise SandboxError(says.format(url), fix)
    if tx.count(Issuer, "") >= _MOST_ISSUERS:
        raise SandboxError(f"The embedded account can have {_MOST_ISSUERS} issuers at most.")
    made = Issuer(url=url)
    tx.put(made)
    return made


def mint(tx: Transaction, claims: Claims, *, seconds: int = 3600, issuer: str = OWN_ISSUER) -> str:
    """A token of the issuer with these claims; iss, iat, exp and jti are added if absent."""
    from jwt import PyJWS  # slow, as all of PyJWT

    signer = issuer_of(tx, issuer)
    key = signer.keys.get(_ALGORITHM)
    if key is None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key = identities.SigningKey(secrets.token_hex(8), _ALGORITHM, certificates.pem_of(private))
        tx.put(replace(signer, keys={**signer.keys, _ALGORITHM: key}))
    issued = int(tx.now().timestamp())
    standard = {"iss": issuer, "iat": issued, "exp": issued + seconds}
    filled = {**standard, "jti": secrets.token_hex(8), **claims}
    payload = json.dumps(filled, separators=(",", ":")).encode()
    return PyJWS().encode(payload, _private(key.pem), _ALGORITHM, headers={"kid": key.key_id})


def read(text: str) -> tuple[Claims, Claims]:
    """The header and the claims of a token, not verified yet. Raises InvalidIdentityToken."""
    from jwt import InvalidTokenError, PyJWS

    try:
        parts = PyJWS().decode_complete(text, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
        if isinstance(claims, dict):
            return parts["header"], mapped(claims, text_or_json, bool)  # "true", as in policies
    except (InvalidTokenError, ValueError, RecursionError):
        pass
    raise faults.invalid_token(certificates.SAYS["no JWT"])


def verify_token(text: str, jwk: Mapping[str, str]) -> None:
    """Verify a token's signature with a public key. Raises InvalidIdentityToken."""
    from jwt import PyJWK, PyJWS, PyJWTError

    try:
        PyJWS().decode(text, PyJWK(dict(jwk)), algorithms=[jwk["alg"]])
    except PyJWTError as error:
        raise faults.invalid_token(certificates.SAYS["other signature"]) from error


def jwks(issuer: Issuer) -> dict[str, list[dict[str, str]]]:
    from jwt.algorithms import RSAAlgorithm

    keys = []
    for key in issuer.keys.values():
        jwk = RSAAlgorithm.to_jwk(_private(key.pem).public_key(), as_dict=True)
        jwk.pop("key_ops", None)  # "use" says it, and RFC 7517 (4.3) wants one of the two
        keys.append({**jwk, "kid": key.key_id, "use": "sig", "alg": key.algorithm})
    return {"keys": keys}


def public_key(issuer: Issuer | None, key_id: object) -> Mapping[str, str]:
    """The key of the issuer with this id. Raises InvalidIdentityToken."""
    for key in jwks(issuer)["keys"] if issuer else ():
        if key["kid"] == key_id:
            return key
    raise certificates.unverifiable()


def configuration(issuer: Issuer) -> dict[str, object]:
    """The issuer's ``/.well-known/openid-configuration`` (OpenID Connect Discovery)."""
    return {
        "issuer": issuer.url,
        "jwks_uri": f"{issuer.url.rstrip('/')}/.well-known/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [_ALGORITHM],
        "claims_supported": ["aud", "exp", "iat", "iss", "jti", "sub"],
    }


@lru_cache(maxsize=64)
def _private(pem: bytes) -> rsa.RSAPrivateKey:
    """Cached, since reading an RSA key takes longer than signing with it."""
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(pem, password=None))


# -- the issuers' servers, and their certificates ------------------------------------------

_ROOT_NAME, _PUBLIC_NAME = "stslab sandbox trusted root", "stslab sandbox public CA"
_LONGEST = 253
_NAME = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_PORT = re.compile(r":[0-9]{1,5}$")
_PUBLIC = re.compile(
    r"token\.actions\.githubusercontent\.com|gitlab\.com|accounts\.google\.com|.+\.auth0\.com"
    r"|(?:.+\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
)
"""Hosts that AWS trusts by its root certificates (IAM User Guide, "Obtain the thumbprint ...")."""


def host_of(url: str) -> str:
    """The DNS name in an issuer's URL, in lower case; empty if it has none (an IP address)."""
    name = _PORT.sub("", url.removeprefix("https://").partition("/")[0]).lower()
    is_name = len(name) <= _LONGEST and _NAME.fullmatch(name) is not None
    return name if is_name and not name.rpartition(".")[2].isdigit() else ""


def reach(tx: Transaction, url: str) -> IssuerServer:
    """The server of this issuer; both are created if there are none."""
    issuer_of(tx, url)
    host = host_of(url)
    if not host:
        raise SandboxError(f"{url} has no host name that a certificate could be for.")
    return server_of(tx, host)


def server_of(tx: Transaction, host: str) -> IssuerServer:
    """The server of this host with its certificates, created if there is none."""
    kind = "trusted" if _PUBLIC.fullmatch(host) else "new-ca"
    return tx.get(IssuerServer, "", host) or change(tx, host, kind)


def change(tx: Transaction, host: str, kind: str) -> IssuerServer:
    """Give the server of this host other certificates; `stslab sandbox issuer` explains them."""
    if kind not in CERTIFICATES:
        known = ", ".join(CERTIFICATES)
        raise SandboxError(f"There is no kind of certificate {kind!r}.", f"Choose from: {known}.")
    if kind == "trusted":
        authority = _public_authority(tx)
    elif kind == "new-ca":
        authority = certificates.authority(f"CA of {host}", tx.now())
    else:
        authority = server_of(tx, host).authority
    forger = certificates.authority(f"CA of {host}", tx.now()) if kind == "forged" else None
    name = "elsewhere.stslab.example" if kind == "wrong-host" else host
    leaf = certificates.server(name, tx.now(), authority, forger)
    changed = IssuerServer(host=host, leaf=leaf, authority=authority)
    tx.put(changed)
    return changed


def verify(view: View, url: str, configured: Sequence[str]) -> None:
    """Verify the issuer's server by the ``configured`` thumbprints. Raises InvalidIdentityToken."""
    host = host_of(url)
    server = view.get(IssuerServer, "", host)
    if server is None:
        raise certificates.unverifiable()
    certificates.verify(host, server.chain, roots(view), configured, view.now())


def roots(view: View) -> tuple[bytes, ...]:
    """The roots that AWS trusts (PEM)."""
    public = view.get(PublicAuthority, "", "")
    return (public.root.pem,) if public else ()


def _public_authority(tx: Transaction) -> Authority:
    """The authority that signs for public hosts, created if there is none."""
    public = tx.get(PublicAuthority, "", "")
    if public is None:
        root = certificates.authority(_ROOT_NAME, tx.now(), below=1)
        below = certificates.authority(_PUBLIC_NAME, tx.now(), signed_by=root)
        public = PublicAuthority(root=root, below=below)
        tx.put(public)
    return public.below
