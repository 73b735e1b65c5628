"""Removes secrets from everything that is shown, logged or saved.

By key: values under the names that AWS's APIs use for secrets. By value: known secrets anywhere.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from stslab.structures import parts

HIDDEN = "********"
_SHORTEST = 8

SECRET_KEYS = frozenset(Path(__file__).with_name("redaction.txt").read_text("ascii").split())
"""The names of secrets in AWS's APIs, in lower case."""


_NAMED = re.compile(
    r"(?i)((?:secret|token|password)\w{0,200}['\"]?\s*[:=>]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,)}]+)"
)


def fingerprint(secret: str, token: str) -> str:
    """A hash that identifies credentials without revealing them."""
    return hashlib.sha256(f"{secret}\n{token}".encode()).hexdigest()


def is_secret_key(key: object) -> bool:
    """Whether the value of this key is a secret, for any spelling of the key."""
    return str(key).replace("_", "").replace("-", "").lower() in SECRET_KEYS


def redact(value: Any, secrets: Collection[str] = ()) -> Any:
    """``value`` without its secrets; structures are copied, tuples become lists."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if is_secret_key(key) and part else redact(part, secrets)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(part, secrets) for part in value]
    return redact_text(value, secrets) if isinstance(value, str) else value


def redact_text(text: str, secrets: Collection[str]) -> str:
    """``text`` without the known secrets."""
    for secret in secrets:
        if len(secret) >= _SHORTEST and secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_named(text: str) -> str:
    """``text`` without the values in ``secret=...``, ``"token": ...`` or ``<Secret>...``."""
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def secrets_in(value: Any) -> Iterator[str]:
    """The secrets in a response or in parameters, found by their keys."""
    for path, part in parts(value):
        if path and isinstance(part, str) and is_secret_key(path[-1]):
            yield part
