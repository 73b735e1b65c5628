"""Keeps secrets and bulk out of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"
_LONGEST = 4096
_MOST = 50  # items of a list
_SECRET_PARTS = ("secret", "password", "token", "assertion", "ssecustomerkey", "privatekey", "seed")
# Names that hold one of these words and no secret.
_HARMLESS = frozenset(
    {"continuationtoken", "nexttoken", "clientrequesttoken", "nextcontinuationtoken"}
)


def redacted(value: Any, name: str = "") -> Any:
    """``value`` as JSON holds it, without secrets, and without what is very long."""
    if isinstance(value, Mapping):
        return {str(key): redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(inner, name) for inner in value[:_MOST]]
    if _is_secret(name):
        return HIDDEN
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = f"({len(value)} bytes)" if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _is_secret(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "").lower()
    return plain not in _HARMLESS and any(part in plain for part in _SECRET_PARTS)
