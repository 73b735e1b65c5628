"""The lesson's port to the account: verdicts on calls that are not made, and logged requests."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stslab.vocabulary import Gate


class GateReading(msgspec.Struct, frozen=True):
    """How one gate decided a request."""

    gate: Gate
    says: str  # ``allows``, ``denies`` (a Deny matched) or ``does not allow``
    decided: bool  # it is one of the gates that refuse the request
    policies: tuple[Mapping[str, Any], ...] = ()  # its policies: ``{policy, statements}``


class Verdict(msgspec.Struct, frozen=True):
    """The account's decision on a request. ``allowed`` is None if it can't tell."""

    allowed: bool | None
    by: tuple[Gate, ...] = ()  # the gates that refuse
    keys: tuple[str, ...] = ()  # the condition keys that decided
    gates: tuple[GateReading, ...] = ()  # all gates that read the request, in order
    documents: Mapping[str, Any] = msgspec.field(default_factory=dict)  # policies by name
    fault: str = ""  # error code if the gates allow it, but a rule of the service refuses


UNKNOWN = Verdict(None)


Decide = Callable[[str, str, str, Mapping[str, Any]], Verdict]
"""Decides a call without making it: (profile of the run, service, operation, parameters)."""


Event = Mapping[str, Any]  # a request in the account's log, with CloudTrail's field names


def called(event: Event) -> str:
    """The request's operation, as in ``iam.CreateUser``."""
    return f"{str(event['eventSource']).partition('.')[0]}.{event['eventName']}"


def is_own(event: Event) -> bool:
    """Whether stslab made the request, not the learner by hand."""
    return str(event.get("userAgent", "")).endswith("stslab")
