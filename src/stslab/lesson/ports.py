"""What a lesson needs of an account. Where a target can't tell, the answer is unknown."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stslab.vocabulary import Gate


class GateReading(msgspec.Struct, frozen=True):
    """What one gate said of a request."""

    gate: Gate
    says: str  # ``allows``, ``denies`` (a Deny matched) or ``does not allow``
    decided: bool  # the request is refused because of it, perhaps among others
    policies: tuple[Mapping[str, Any], ...] = ()  # that it read: ``{policy, statements}``


class Verdict(msgspec.Struct, frozen=True):
    """What the account decides of a request. ``allowed`` is None where it can't tell."""

    allowed: bool | None
    by: tuple[Gate, ...] = ()  # the gates that refuse
    keys: tuple[str, ...] = ()  # the condition keys because of which
    gates: tuple[GateReading, ...] = ()  # all that were asked, in order, or would be
    documents: Mapping[str, Any] = msgspec.field(default_factory=dict)  # by the policies' names
    fault: str = ""  # the error with which a rule of the service answers what the gates allow


UNKNOWN = Verdict(None)


Decide = Callable[[str, str, str, Mapping[str, Any]], Verdict]
"""Decides a request without making it: what the account would answer an identity, a profile of the
run, to a service's operation with these parameters."""


Event = Mapping[str, Any]  # A request as the account's log has it, with CloudTrail's names


def called(event: Event) -> str:
    """The request's ``service.Operation``, as in iam.CreateUser."""
    return f"{str(event['eventSource']).partition('.')[0]}.{event['eventName']}"


def is_own(event: Event) -> bool:
    """Whether stslab itself made it, and not somebody by hand."""
    return str(event.get("userAgent", "")).endswith("stslab")
