"""What is behind the codes with which AWS answers whom it does not believe, or let in at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stslab.sandbox.pipeline.log_file import Event
from stslab.sandbox.why.options import Reason, texts

_AGAIN = "If a run of a lab made it, `stslab run` makes it again."
_UNKNOWN_KEY = ("InvalidClientTokenId", "InvalidAccessKeyId", "InvalidToken")


def reason(code: str, message: str, key: Event | None, gone: str = "") -> Reason:
    """Why the code was answered; ``key`` is what the sandbox knows now of the key, if asked.

    ``gone`` is how the key, or the role of its session, came to be of no use, if the log knows.
    """
    if code == "SignatureDoesNotMatch" and message.startswith("Signature "):
        code = "RequestTimeTooSkewed"
    codes = texts().codes
    found = codes.get(code, codes["else"])
    if code not in _UNKNOWN_KEY or key is None:
        return found
    fixes = (_AGAIN, *found.fixes) if gone else found.fixes
    return Reason(f"{_of_key(key)} {gone}".strip(), fixes)


def _of_key(key: Event) -> str:
    if key.get("role"):
        return "The session's role is gone, and its credentials with it."
    if not key["known"]:
        return "The sandbox has no access key of this id."
    if not key["active"]:
        return f"The access key is {key['owner']}'s, and Inactive."
    if key["temporary"]:
        return (
            f"The access key is {key['owner']}'s, of a session: the session token that came with "
            "it is missing, or is another one."
        )
    return (
        f"The access key is {key['owner']}'s, and a long-term one: a session token that does not "
        "belong to it was sent with it."
    )


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


def unverified(message: str) -> Reason:
    """Why a token that an identity provider is said to have issued was refused so."""
    tokens = texts().tokens
    return next(
        (found for start, found in tokens.items() if message.startswith(start)), tokens["else"]
    )
