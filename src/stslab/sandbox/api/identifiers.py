"""New identifiers in AWS's formats: unique ids, access keys, secrets and session tokens.

As in AWS, an access key's id contains the account's id, which can be read even after the key was
deleted (IAM User Guide, "IAM identifiers").
"""

import base64
import hashlib
import secrets

TOOLBOX_PATH = "/authorization-details/"  # of IAM Toolbox, which speaks JSON
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_ACCOUNT_OFFSET = 1 << 39
_ACCOUNT_CHARS = slice(4, 12)
_PARITY_CHAR = 12
_KEY_LENGTH = 20
_TOKEN_PREFIX = "IQoJb3JpZ2luX2Vj"  # noqa: S105 - how all of AWS's session tokens begin
_SEAL = 16  # characters at the end, made from those before


def access_key_id(prefix: str, account: str, length: int = _KEY_LENGTH) -> str:
    """A new key id; ``prefix`` is AKIA (long-term) or ASIA (temporary)."""
    number = int(account)
    half = (number // 2 + _ACCOUNT_OFFSET).to_bytes(5, "big")
    parity = secrets.choice(_BASE32[16:] if number % 2 else _BASE32[:16])
    start = prefix + base64.b32encode(half).decode() + parity
    return start + "".join(secrets.choice(_BASE32) for _ in range(length - len(start)))


def unique_id(prefix: str, account: str) -> str:
    """A new unique id of 21 characters; ``prefix`` is AIDA, AROA, AGPA, ANPA or AIPA."""
    return access_key_id(prefix, account, _KEY_LENGTH + 1)


def secret_access_key() -> str:
    return base64.b64encode(secrets.token_bytes(30)).decode()


def authorization_id() -> str:
    """A new id of 25 characters for the details of a denied request."""
    return secrets.choice(_BASE36[1:15]) + "".join(secrets.choice(_BASE36) for _ in range(24))


def session_token(size: int) -> str:
    """A new random token of exactly ``size`` bytes, which tells whether it is whole."""
    wanted = size - len(_TOKEN_PREFIX) - _SEAL
    body = _TOKEN_PREFIX + base64.b64encode(secrets.token_bytes(wanted)).decode()[:wanted]
    return body + _seal(body)


def is_session_token(text: str) -> bool:
    """Whether it is a session's token, of any session, and no character of it was changed."""
    return text.startswith(_TOKEN_PREFIX) and text[-_SEAL:] == _seal(text[:-_SEAL])


def _seal(body: str) -> str:
    return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()[:_SEAL]


def account_of_key(key_id: str) -> str | None:
    """The account in an access key's id or in a unique id without its last character, or None."""
    if len(key_id) != _KEY_LENGTH or any(char not in _BASE32 for char in key_id[4:]):
        return None
    half = int.from_bytes(base64.b32decode(key_id[_ACCOUNT_CHARS]), "big") - _ACCOUNT_OFFSET
    account = half * 2 + int(_BASE32.index(key_id[_PARITY_CHAR]) >= len(_BASE32) // 2)
    return f"{account:012d}" if 0 <= account < 10**12 else None
