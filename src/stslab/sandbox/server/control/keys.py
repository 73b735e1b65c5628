"""What the sandbox knows of an access key, as whoever may control it asks; never its secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api.model import KeyStore
from stslab.sandbox.server.control.requests import Registry


def add_verbs(registry: Registry, keys: Callable[[], KeyStore]) -> None:
    """Answer ``key?id=…``: whether it is known, active and temporary, whose, and until when."""
    registry.add("key", lambda asked: _facts(keys(), asked.arguments.get("id", "")))


def _facts(keys: KeyStore, access_key_id: str) -> Mapping[str, Any]:
    record = keys.lookup(access_key_id)
    if record is None:
        return {"known": False}
    return {
        "known": True,
        "active": record.active,
        "temporary": bool(record.session_token),
        "owner": record.caller.principal.arn,
        "expires": record.expires.isoformat() if record.expires else "",
    }
