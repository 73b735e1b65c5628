"""JSON Web Tokens, signed and verified: RS256 and ES256, and no other (RFC 7515, 7518, 7519).

PyJWT is imported when a token is first made or read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

Claims = Mapping[str, Any]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class InvalidToken(Exception):  # noqa: N818 - the name says what happened
    """A text that is no token, or a token that its issuer did not sign."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart, its signature not yet verified."""

    text: str = field(repr=False)
    header: Claims
    claims: Claims


def read(text: str) -> Token:
    """The parts of a token; InvalidToken where it is not base64url and JSON objects."""
    from jwt import InvalidTokenError, PyJWS

    try:
        parts = PyJWS().decode_complete(text, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (InvalidTokenError, ValueError, RecursionError) as error:
        raise InvalidToken("not three parts of base64url and JSON") from error
    if not isinstance(claims, dict):
        raise InvalidToken("the claims are no JSON object")
    return Token(text, parts["header"], claims)


def sign(key: PrivateKey, algorithm: str, key_id: str, claims: Claims) -> str:
    """A token of these claims; ``algorithm`` is RS256 or ES256 and fits the key."""
    from jwt import PyJWS

    payload = json.dumps(claims, separators=(",", ":")).encode()
    return PyJWS().encode(payload, key, algorithm, headers={"kid": key_id})


def verify(token: Token, jwk: Mapping[str, str]) -> None:
    """Check the token's signature with the issuer's public key, a JSON Web Key."""
    from jwt import PyJWK, PyJWS, PyJWTError

    try:
        PyJWS().decode(token.text, PyJWK(dict(jwk)), algorithms=[jwk["alg"]])
    except PyJWTError as error:
        raise InvalidToken("the signature is not the issuer's") from error


def public_jwk(key: PrivateKey, algorithm: str, key_id: str) -> dict[str, str]:
    """The public half of ``key`` as a JSON Web Key."""
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    public = (
        RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        if isinstance(key, rsa.RSAPrivateKey)
        else ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    )
    public.pop("key_ops", None)  # "use" says it, and RFC 7517 (4.3) wants one of the two
    return {**public, "kid": key_id, "use": "sig", "alg": algorithm}
