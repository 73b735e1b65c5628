"""Texts of requests as what they mean. Each raises ValueError for what it can't read."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LARGEST = 2**63


def integer(text: str) -> int:
    """A whole number of 64 bits, in decimal."""
    if not text.isascii() or len(text) > len(str(_LARGEST)) + 1:
        raise ValueError(text)
    number = int(text)
    if abs(number) > _LARGEST:
        raise ValueError(text)
    return number


def boolean(text: str) -> bool:
    """Whether it says so."""
    return text.lower() == "true"


def moment(text: str) -> datetime:
    """A time in ISO 8601 or as HTTP has them; in UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def words(text: str) -> list[str]:
    """What stands between commas."""
    return [word.strip() for word in text.split(",")]
