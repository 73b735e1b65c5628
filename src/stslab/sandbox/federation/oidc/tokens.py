"""Signs, reads and verifies JSON Web Tokens: RS256 and ES256 only (RFC 7515, 7518, 7519).

PyJWT is imported when it is first needed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

Claims = Mapping[str, Any]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class InvalidToken(Exception):  # noqa: N818 - the name says what happened
    """A text that is not a token, or a token whose signature is not its issuer's."""


@dataclass(frozen=True, slots=True)
class Token:
    """The parts of a token whose signature is not verified yet."""

    text: str = field(repr=False)
    header: Claims
    claims: Claims


def read(text: str) -> Token:
    """The parts of a token. InvalidToken: the text is not base64url of JSON objects."""
    from jwt import InvalidTokenError, PyJWS

    try:
        parts = PyJWS().decode_complete(text, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (InvalidTokenError, ValueError, RecursionError) as error:
        raise InvalidToken("not three parts of base64url and JSON") from error
    if not isinstance(claims, dict):
        raise InvalidToken("the claims are not a JSON object")
    return Token(text, parts["header"], claims)


def sign(key: PrivateKey, algorithm: str, key_id: str, claims: Claims) -> str:
    """A signed token with these claims; ``algorithm`` is RS256 or ES256, as the key is."""
    from jwt import PyJWS

    payload = json.dumps(claims, separators=(",", ":")).encode()
    return PyJWS().encode(payload, key, algorithm, headers={"kid": key_id})


def verify(token: Token, jwk: Mapping[str, str]) -> None:
    """Verify the token's signature with the issuer's public key, a JSON Web Key."""
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
