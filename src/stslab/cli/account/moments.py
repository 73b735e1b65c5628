"""Reads spans of time (``2h``, ``1d12h``) and moments (ISO 8601) as people write them."""

import re
from datetime import UTC, datetime, timedelta

from stslab.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(?:\d{1,7}[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def span(text: str) -> timedelta | None:
    """The span that ``text`` says, such as ``90s``, ``2h`` or ``1h30m``; or None."""
    if not _SPAN.fullmatch(text):
        return None
    parts = [timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)]
    return sum(parts, timedelta(0))


def moment(text: str) -> datetime | None:
    """The moment that ``text`` says in ISO 8601, UTC unless it says otherwise; or None."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def since(text: str, now: datetime) -> datetime:
    """The moment that ``text`` means: ISO 8601, or a span before ``now``.

    Raises:
        UsageError: it is neither.
    """
    ago = span(text)
    found = now - ago if ago is not None else moment(text)
    if found is None:
        raise UsageError(
            f"{text!r} is not a time.", "Use a span such as 10m or 2h, or 2030-01-31T12:00:00Z."
        )
    return found
