"""What the log knows of what is no longer there: who deleted it, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stslab.sandbox.pipeline.log_file import Event

_WHAT: Mapping[str, str] = {
    "DeleteAccessKey": "The access key was deleted",
    "UpdateAccessKey": "The access key was made inactive",
    "DeleteRole": "The role {0} was deleted",
}


def key(events: Iterable[Event], access_key_id: str) -> str:
    """How an access key came to be of no use any more; nothing where the log does not tell.

    ``events`` are the log's, the last one first.
    """
    return _told(events, ("DeleteAccessKey", "UpdateAccessKey"), "AccessKeyId", access_key_id)


def role(events: Iterable[Event], name: str) -> str:
    """How a role came to be gone; nothing where the log does not tell."""
    return _told(events, ("DeleteRole",), "RoleName", name)


def _told(events: Iterable[Event], names: tuple[str, ...], member: str, value: str) -> str:
    for event in events:
        called = event.get("eventName")
        answered = called in names and not event.get("errorCode")
        if answered and value and event["requestParameters"].get(member) == value:
            return f"{_WHAT[str(called)].format(value)} {_by(event)}."
    return ""


def _by(event: Event) -> str:
    """``on 2026-11-25 at 01:02:03 UTC by user/admin (iam:DeleteRole, request 1a2b3c4d)``."""
    identity = event["userIdentity"]
    day, time = str(event["eventTime"])[:10], str(event["eventTime"])[11:19]
    who = str(identity.get("arn", "")).rpartition(":")[2] or "nobody known"
    through = f", through {identity['invokedBy']}" if identity.get("invokedBy") else ""
    called, request = event["eventName"], str(event["requestID"])[:8]
    return f"on {day} at {time} UTC by {who}{through} (iam:{called}, request {request})"
