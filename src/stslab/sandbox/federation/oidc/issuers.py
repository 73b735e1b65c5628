"""The OpenID Connect issuers that a lab can have tokens of, offline.

No network is reached, so the account stands in for whichever issuer a lab names: its own, or
one such as ``https://token.actions.githubusercontent.com``. Each issuer has keys of its own,
made when its first token is minted, and only tokens signed with them are valid.
"""

import secrets
from collections.abc import Mapping
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import certificates, tokens
from stslab.sandbox.state.identities import Issuer, SigningKey
from stslab.sandbox.state.snapshot import Transaction

JWKS_PATH = "/.well-known/jwks"
OWN_ISSUER = "https://oidc.stslab.example"
_HTTPS = "https://"
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
_ALGORITHMS = ("RS256", "ES256")
_MOST_ISSUERS = 1000


def named(tx: Transaction, url: str) -> Issuer:
    """The issuer of exactly this URL, made if need be."""
    found = tx.get(Issuer, "", url)
    if found is not None:
        return found
    if not url.startswith(_HTTPS) or len(url) <= len(_HTTPS) or set("?# ") & set(url):
        raise SandboxError(
            f"{url!r} is not the URL of an OpenID Connect issuer.",
            "It begins with https:// and has neither a query nor a fragment.",
        )
    if tx.count(Issuer, "") >= _MOST_ISSUERS:
        raise SandboxError(f"The sandbox stands in for {_MOST_ISSUERS} issuers at most.")
    made = Issuer(url=url)
    tx.put(made)
    return made


def mint(
    tx: Transaction,
    claims: tokens.Claims,
    *,
    seconds: int = 3600,
    issuer: str = OWN_ISSUER,
    algorithm: str = "RS256",
) -> str:
    """A token of the issuer with these claims; iss, iat, exp and jti are added if absent."""
    if algorithm not in _ALGORITHMS:
        raise SandboxError(f"Tokens are signed with {' or '.join(_ALGORITHMS)}.")
    signer = named(tx, issuer)
    key = signer.keys.get(algorithm)
    if key is None:
        key = _new_key(algorithm)
        tx.put(replace(signer, keys={**signer.keys, algorithm: key}))
    issued = int(tx.now().timestamp())
    standard = {"iss": issuer, "iat": issued, "exp": issued + seconds}
    filled = {**standard, "jti": secrets.token_hex(8), **claims}
    return tokens.sign(_private(key), algorithm, key.key_id, filled)


def jwks(issuer: Issuer) -> dict[str, list[dict[str, str]]]:
    return {"keys": [_jwk(key) for key in issuer.keys.values()]}


def public_key(issuer: Issuer, key_id: object) -> Mapping[str, str] | None:
    """The issuer's public key of this id, as a JSON Web Key, or None."""
    return next((_jwk(key) for key in issuer.keys.values() if key.key_id == key_id), None)


def configuration(issuer: Issuer) -> dict[str, object]:
    """What ``/.well-known/openid-configuration`` says of it (OpenID Connect Discovery)."""
    return {
        "issuer": issuer.url,
        "jwks_uri": f"{issuer.url.rstrip('/')}{JWKS_PATH}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(_ALGORITHMS),
        "claims_supported": ["aud", "exp", "iat", "iss", "jti", "sub"],
    }


def _new_key(algorithm: str) -> SigningKey:
    key = (
        rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return SigningKey(secrets.token_hex(8), algorithm, certificates.pem_of(key))


def _private(key: SigningKey) -> tokens.PrivateKey:
    return cast("tokens.PrivateKey", serialization.load_pem_private_key(key.pem, password=None))


def _jwk(key: SigningKey) -> dict[str, str]:
    return tokens.public_jwk(_private(key), key.algorithm, key.key_id)
