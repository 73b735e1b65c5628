"""What a lesson needs of an account. Where a target can't tell, the answer is unknown."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from stslab.policy.vocabulary import Gate


class GateReading(msgspec.Struct, frozen=True):
    """What one gate said of a request.

    ``says`` is ``allows``, ``denies`` (a Deny matched) or ``does not allow``. ``decided``: the
    request is refused because of it, perhaps among others. ``policies`` are the policies that it
    read, as the decision tells them: ``{"policy": name, "statements": [...]}``.
    """

    gate: Gate
    says: str
    decided: bool
    policies: tuple[Mapping[str, Any], ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What the account decides of a request. ``allowed`` is None where it can't tell.

    ``by`` are the gates that refuse, ``keys`` the condition keys because of which. ``gates`` are
    all that were asked, in their order; those that would be, where the signature is refused.
    ``documents`` are the texts of the policies that have a say, by their names. ``fault`` is the
    code of the error with which a rule of the service answers what the gates allow.
    """

    allowed: bool | None
    by: tuple[Gate, ...] = ()
    keys: tuple[str, ...] = ()
    gates: tuple[GateReading, ...] = ()
    documents: Mapping[str, Any] = msgspec.field(default_factory=dict)
    fault: str = ""


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
