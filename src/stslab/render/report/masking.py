"""Hides account ids, in everything that a report holds."""

import re
from typing import TypeVar

from msgspec.json import decode, encode

_ACCOUNT = re.compile(r"(?<!\w)\d{12}(?!\w)")
# The id of an account can be computed from that of a key, a user or a role.
_UNIQUE_ID = re.compile(r"\b(A(?:KI|SI|ID|RO|GP|NP)A)[A-Z2-7]{12,}\b")
_T = TypeVar("_T")


def masked(value: _T) -> _T:
    """The same with each account id, and each unique id that holds one, written in X."""
    text = _ACCOUNT.sub("X" * 12, encode(value).decode())
    return decode(_UNIQUE_ID.sub(r"\1XXXXXXXX", text), type=type(value))
