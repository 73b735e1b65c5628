"""Credentials as they come in a response, and whether they still serve."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stslab.runner.ports import Credentials


def credentials_in(found: Any) -> Credentials | None:
    """The credentials in a response's structure, or None where its secret is not there."""
    if not isinstance(found, Mapping) or not found.get("SecretAccessKey"):
        return None
    return Credentials(
        access_key_id=str(found.get("AccessKeyId", "")),
        secret_access_key=str(found["SecretAccessKey"]),
        session_token=str(found.get("SessionToken", "")),
        expiration=str(found.get("Expiration", "")),
    )


def has_expired(expiration: str, now: datetime) -> bool:
    """Whether credentials of this expiration (ISO 8601, or empty) are of no use any more."""
    try:
        return bool(expiration) and datetime.fromisoformat(expiration) <= now
    except (ValueError, TypeError):
        return True
