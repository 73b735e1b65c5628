"""Encoded authorization messages: what a denial says to those who may know why.

STS API Reference, "DecodeAuthorizationMessage". Encrypted and authenticated with a key of
the account's, so that a message can be neither read nor made up.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault

_NONCE = 12
_BOUND_TO = b"stslab authorization message"


def encode(key: bytes, message: Mapping[str, Any]) -> str:
    """The message, unreadable, as URL-safe text."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE)
    text = json.dumps(message, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(nonce + AESGCM(key).encrypt(nonce, text, _BOUND_TO)).decode()


def decode(key: bytes, encoded: str) -> str:
    """The JSON text of a message that :func:`encode` made with this key.

    Raises:
        ApiFault: InvalidAuthorizationMessageException.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = base64.urlsafe_b64decode(encoded)
        return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _BOUND_TO).decode()
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise ApiFault("InvalidAuthorizationMessageException", "Message is not valid") from error
