"""The identity providers that a lab can have tokens of, offline.

The sandbox reaches no network, so it stands in for whichever issuer a lab names: its own, or
one such as ``https://token.actions.githubusercontent.com``. Each issuer has keys of its own,
made when its first token is minted, and only tokens signed with them are valid.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from stslab.errors import SandboxError
from stslab.sandbox.federation.oidc import tokens
from stslab.sandbox.saved.tables import Table

JWKS_PATH = "/.well-known/jwks"
OWN_ISSUER = "https://oidc.stslab.example"
_HTTPS = "https://"
_RSA_BITS = 2048
_RSA_EXPONENT = 65537
_ALGORITHMS = ("RS256", "ES256")
_MOST_ISSUERS = 1000


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key of an issuer, as PEM."""

    key_id: str
    algorithm: str
    pem: bytes = field(repr=False)

    @classmethod
    def new(cls, algorithm: str) -> SigningKey:
        """A fresh key for RS256 or ES256."""
        key = (
            rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
            if algorithm == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return cls(secrets.token_hex(8), algorithm, pem)

    @property
    def private(self) -> Any:
        """The key, ready to sign."""
        return serialization.load_pem_private_key(self.pem, password=None)

    @property
    def jwk(self) -> dict[str, str]:
        """Its public half, as a JSON Web Key."""
        return tokens.public_jwk(self.private, self.algorithm, self.key_id)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An identity provider: its URL and its keys, one for each algorithm it was asked for."""

    url: str
    keys: dict[str, SigningKey] = field(default_factory=dict)

    def jwks(self) -> dict[str, Any]:
        """Its JSON Web Key Set (RFC 7517)."""
        return {"keys": [key.jwk for key in list(self.keys.values())]}

    def configuration(self) -> dict[str, Any]:
        """What ``/.well-known/openid-configuration`` says of it (OpenID Connect Discovery)."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url.rstrip('/')}{JWKS_PATH}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(_ALGORITHMS),
            "claims_supported": ["aud", "exp", "iat", "iss", "jti", "sub"],
        }

    def key_for(self, key_id: object) -> Mapping[str, Any] | None:
        """The public key of this id, or None."""
        return next((key.jwk for key in self.keys.values() if key.key_id == key_id), None)


class Issuers:
    """Every issuer that somebody needed; part of what the account saves."""

    def __init__(self) -> None:
        self._issuers: Table[str, Issuer] = Table()

    def find(self, url: str) -> Issuer | None:
        """The issuer of exactly this URL, or None where nobody needed it yet."""
        return self._issuers.get(url)

    def get(self, url: str) -> Issuer:
        """The issuer of this URL, made if need be.

        Raises:
            SandboxError: the URL is no issuer's, or there are too many.
        """
        if not url.startswith(_HTTPS) or len(url) <= len(_HTTPS) or set("?# ") & set(url):
            raise SandboxError(
                f"{url!r} is not the URL of an OpenID Connect issuer.",
                "It begins with https:// and has neither a query nor a fragment.",
            )
        if url not in self._issuers and len(self._issuers) >= _MOST_ISSUERS:
            raise SandboxError(f"The sandbox stands in for {_MOST_ISSUERS} issuers at most.")
        if url not in self._issuers:
            self._issuers[url] = Issuer(url)
        return self._issuers[url]

    def mint(
        self,
        claims: Mapping[str, Any],
        now: datetime,
        *,
        seconds: int = 3600,
        issuer: str = OWN_ISSUER,
        algorithm: str = "RS256",
    ) -> str:
        """A token of the issuer with these claims; iss, iat, exp and jti are added if absent.

        Raises:
            SandboxError: the issuer or the algorithm can't be had.
        """
        if algorithm not in _ALGORITHMS:
            raise SandboxError(f"Tokens are signed with {' or '.join(_ALGORITHMS)}.")
        signer = self.get(issuer)
        if algorithm not in signer.keys:
            signer.keys[algorithm] = SigningKey.new(algorithm)
            self._issuers.touch(issuer)
        key = signer.keys[algorithm]
        issued = int(now.timestamp())
        standard = {"iss": issuer, "iat": issued, "exp": issued + seconds}
        filled = {**standard, "jti": secrets.token_hex(8), **claims}
        return tokens.sign(key.private, algorithm, key.key_id, filled)
