"""JSON Web Tokens, signed and verified: RS256 and ES256, and no other (RFC 7515, 7518, 7519)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

_COORDINATE = 32
_PARTS = 3

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class InvalidToken(Exception):  # noqa: N818 - the name says what happened
    """A text that is no token, or a token that its issuer did not sign."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart, its signature not yet verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def read(text: str) -> Token:
    """The parts of a token.

    Raises:
        InvalidToken: it is not three parts of base64url, the first two JSON objects.
    """
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise InvalidToken("not three parts")
    try:
        header, claims = (json.loads(_decode(part)) for part in parts[:2])
        signature = _decode(parts[2])
    except (ValueError, RecursionError) as error:
        raise InvalidToken("not base64url of JSON") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise InvalidToken("not JSON objects")
    return Token(header, claims, ".".join(parts[:2]).encode(), signature)


def sign(key: PrivateKey, algorithm: str, key_id: str, claims: Mapping[str, Any]) -> str:
    """A token of these claims; ``algorithm`` is RS256 or ES256 and fits the key."""
    header = {"alg": algorithm, "kid": key_id, "typ": "JWT"}
    signed = f"{_encode(_json(header))}.{_encode(_json(claims))}"
    signature = _SIGNERS[algorithm](key, signed.encode())
    return f"{signed}.{_encode(signature)}"


def verify(token: Token, jwk: Mapping[str, Any]) -> None:
    """Check the token's signature with the issuer's public key, a JSON Web Key.

    Raises:
        InvalidToken: the algorithm is not the key's, or the signature is not the token's.
    """
    if token.header.get("alg") != jwk["alg"]:
        raise InvalidToken("the algorithm is not the key's")
    try:
        _VERIFIERS[jwk["alg"]](jwk, token)
    except (InvalidSignature, ValueError) as error:
        raise InvalidToken("the signature is not the issuer's") from error


def public_jwk(key: PrivateKey, algorithm: str, key_id: str) -> dict[str, str]:
    """The public half of ``key`` as a JSON Web Key."""
    common = {"kid": key_id, "use": "sig", "alg": algorithm}
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **common}
    point = key.public_key().public_numbers()
    x, y = (_encode(value.to_bytes(_COORDINATE, "big")) for value in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **common}


def _sign_rsa(key: Any, data: bytes) -> bytes:
    signature: bytes = key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return signature


def _sign_ec(key: Any, data: bytes) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def _verify_rsa(jwk: Mapping[str, Any], token: Token) -> None:
    key = rsa.RSAPublicNumbers(_integer(jwk["e"]), _integer(jwk["n"])).public_key()
    key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())


def _verify_ec(jwk: Mapping[str, Any], token: Token) -> None:
    if len(token.signature) != 2 * _COORDINATE:
        raise InvalidSignature
    x, y = _integer(jwk["x"]), _integer(jwk["y"])
    r, s = token.signature[:_COORDINATE], token.signature[_COORDINATE:]
    signature = utils.encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(signature, token.signed, ec.ECDSA(hashes.SHA256()))


_SIGNERS: Mapping[str, Callable[[Any, bytes], bytes]] = {"RS256": _sign_rsa, "ES256": _sign_ec}
_VERIFIERS: Mapping[str, Callable[[Mapping[str, Any], Token], None]] = {
    "RS256": _verify_rsa,
    "ES256": _verify_ec,
}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _number(value: int) -> str:
    return _encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _integer(text: str) -> int:
    return int.from_bytes(_decode(text), "big")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(text) from error
