"""Reads the embedded account's verdict on a call that was not made."""

from collections.abc import Mapping
from typing import Any

from stslab.lesson.ports import GateReading, Verdict
from stslab.policy.vocabulary import Gate


def of(told: Mapping[str, Any]) -> Verdict:
    """The verdict in what the account answers to ``would``."""
    gates = tuple(
        GateReading(Gate(one["gate"]), one["says"], one["decided"], tuple(one["policies"]))
        for one in told["gates"]
    )
    by = tuple(map(Gate, told["by"]))
    return Verdict(told["allowed"], by, tuple(told["keys"]), gates, told["documents"])
