"""Reads the settings of a rehearsal, such as ``seed=7,keys=3s,roles=2..6s,throttle=0.05``.

A delay is a time, or a range from which each change gets its own. A rate is a share of calls,
from 0 to 1. What is not named does not happen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from stslab.errors import UsageError
from stslab.structures import beside, said

BARE = (
    "seed=1,keys=1..3s,users=1..3s,roles=1..4s,policies=1..4s,throttle=0.05,errors=0.02,"
    "errors-after=0.01,reset-before=0.01,reset-after=0.01,slow-stacks=1s"
)
"""The settings of a rehearsal if none are given."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?(ms|s)")
_LONGEST, _MOST_DIGITS = 600.0, 18
_NAMES = re.compile(r"[A-Za-z0-9:+]+")
_says = partial(beside, __file__, "refused.yaml")


class Span(msgspec.Struct, frozen=True):
    """A delay from ``low`` to ``high`` seconds."""

    low: float = 0.0
    high: float = 0.0

    def at(self, share: float) -> float:
        """The seconds at this share (0 to 1) of the way."""
        return self.low + (self.high - self.low) * share


class Spec(msgspec.Struct, frozen=True):
    """The settings of a rehearsal: delays in seconds, and rates from 0 to 1."""

    seed: int = 1
    keys: Span = msgspec.field(default_factory=Span)  # how long changes of these take to spread
    users: Span = msgspec.field(default_factory=Span)
    roles: Span = msgspec.field(default_factory=Span)
    policies: Span = msgspec.field(default_factory=Span)
    throttle: float = 0.0
    errors: float = 0.0
    errors_after: float = 0.0
    reset_before: float = 0.0
    reset_after: float = 0.0
    slow_stacks: Span = msgspec.field(default_factory=Span)
    fail_stacks: tuple[str, ...] = ()  # logical ids or types of resources
    fail_deletes: tuple[str, ...] = ()


def parse(text: str) -> Spec:
    """The settings that ``text`` describes; blank text is :data:`BARE`. Raises UsageError."""
    values: dict[str, Any] = {}
    for part in filter(None, re.split(r"[,\s]+", text.strip() or BARE)):
        name, equals, value = part.partition("=")
        read = _READERS.get(name)
        if read is None or not equals:
            raise UsageError(*said(_says(), "setting", name=name, known=", ".join(_READERS)))
        values[name.replace("-", "_")] = read(name, value)
    return Spec(**values)


def _span(name: str, value: str) -> Span:
    match = _SPAN.fullmatch(value)
    if match is None:
        raise UsageError(f"{name}={value} is not a time.", f"Write {name}=3s or {name}=2..6s.")
    unit = 0.001 if match[3] == "ms" else 1.0
    low, high = float(match[1]) * unit, float(match[2] or match[1]) * unit
    if not low <= high <= _LONGEST:
        raise UsageError(f"{name}={value} goes backwards, or is over ten minutes.")
    return Span(low, high)


def _rate(name: str, value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise UsageError(f"{name}={value} is not a rate (0 to 1).", f"Write {name}=0.05 for 5 %.")
    return rate


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > _MOST_DIGITS:
        raise UsageError(f"{name}={value[:30]} is not a whole number of up to 18 digits.")
    return int(value)


def _names(name: str, value: str) -> tuple[str, ...]:
    if not _NAMES.fullmatch(value):
        raise UsageError(*said(_says(), "names", name=name, value=value))
    return tuple(filter(None, value.split("+")))


_BY_TYPE: Mapping[str, Callable[[str, str], Any]] = {
    "int": _number,
    "Span": _span,
    "float": _rate,
    "tuple[str, ...]": _names,
}
_READERS = {name.replace("_", "-"): _BY_TYPE[kind] for name, kind in Spec.__annotations__.items()}


_BYTES = 7
_RANGE = float(1 << (8 * _BYTES))


def share(seed: int, *what: object) -> float:
    """A pseudo-random number from 0 to less than 1, determined by the seed and ``what``."""
    text = "\0".join(map(str, (seed, *what)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_BYTES).digest()) / _RANGE
