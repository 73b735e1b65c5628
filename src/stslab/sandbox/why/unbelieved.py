"""What is behind the codes with which AWS answers whom it does not believe, or let in at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stslab.sandbox.pipeline.log_file import Event

_SIGNED = (
    "The request was signed with another secret than that of its access key, or was changed "
    "after it was signed."
)
_RENEW = "Get a new session: assume the role again, or call get-session-token again."


class Reason(NamedTuple):
    """Why, and what to do."""

    why: str
    fixes: tuple[str, ...]


_MISMATCHED = Reason(
    _SIGNED,
    (
        "Compare the secret in your profile with the one that came with the access key.",
        "A secret is shown only once; if it is lost, make a new key: aws iam create-access-key.",
        "If the clock of your machine is wrong, set it: a signature holds for 15 minutes.",
    ),
)
_UNKNOWN_KEY = Reason(
    "There is no active access key of this id, or the session token that came with it is not its "
    "own.",
    (
        "Take the key's id, its secret and, of a session, its token all from one answer.",
        'After stslab sandbox reset or import all keys are others: eval "$(stslab env)".',
    ),
)
_AGAIN = "If a run of a lab made it, `stslab run` makes it again."
_SKEWED = Reason(
    "The request's time is more than 15 minutes from the real time, by which signatures are "
    "judged whatever stslab sandbox clock says.",
    ("Set the clock of the machine that signs.",),
)
_REASONS: Mapping[str, Reason] = {
    "SignatureDoesNotMatch": _MISMATCHED,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "ExpiredToken": Reason(
        "The session's credentials were right, and have expired by the sandbox's clock.",
        (_RENEW, "If you moved the clock forward, it can go back: stslab sandbox clock real."),
    ),
    "RequestExpired": _SKEWED,
    "RequestTimeTooSkewed": _SKEWED,
    "MissingAuthenticationToken": Reason(
        "The request is not signed, and this call needs a signature.",
        ("Call it with a profile, and without --no-sign-request.",),
    ),
    "IncompleteSignature": Reason(
        "The request's signature is not of the form that AWS wants.",
        ("Let the aws CLI or an SDK sign it.",),
    ),
}
_ELSE = Reason("What AWS answered says it.", ())


def reason(code: str, message: str, key: Event | None, gone: str = "") -> Reason:
    """Why the code was answered; ``key`` is what the sandbox knows now of the key, if asked.

    ``gone`` is how the key, or the role of its session, came to be of no use, if the log knows.
    """
    if code == "SignatureDoesNotMatch" and message.startswith("Signature "):
        return _SKEWED
    found = _REASONS.get(code, _ELSE)
    if found is not _UNKNOWN_KEY or key is None:
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


# -- tokens and assertions ---------------------------------------------------------------------

_SHOWN = "See what the issuer's server shows: stslab sandbox issuer URL."
_THUMBPRINT = Reason(
    "AWS does not trust the CA over the certificate of the issuer's server, and its thumbprint "
    "is not in the configuration of the provider in IAM. The server may have moved to another "
    "CA, or the thumbprint was wrong from the start.",
    (
        _SHOWN,
        (
            "If that is the server's rightful CA, let IAM have its thumbprint: aws iam "
            "update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn ARN "
            "--thumbprint-list $(stslab sandbox issuer URL --thumbprint). The list replaces the "
            "old one."
        ),
    ),
)
_NO_KEY = Reason(
    "STS has no key for this token. Either the issuer has no key of the id that the token "
    "names, or its server is not believed: nothing answers at its URL, or its certificate is "
    "for another host, not valid now by the sandbox's clock, or not signed by the CA that it "
    "names.",
    (
        "Take a new token from the issuer: stslab sandbox token --issuer URL --sub SUB --aud AUD.",
        _SHOWN,
        (
            "If its certificate is wrong or has expired, renew it: stslab sandbox issuer URL "
            "--certificate renewed."
        ),
        "If you moved the clock, it can go back: stslab sandbox clock real.",
    ),
)
_NO_PROVIDER = Reason(
    "The role's account has no identity provider of the issuer that the token names in iss.",
    (
        "Make one: aws iam create-open-id-connect-provider --url URL --client-id-list AUDIENCE.",
        "If there is one, compare its URL with iss: aws iam list-open-id-connect-providers.",
    ),
)
_AUDIENCE = Reason(
    "The token is for an audience (aud) that is not among the client ids of the provider.",
    (
        (
            "If it should be: aws iam add-client-id-to-open-id-connect-provider "
            "--open-id-connect-provider-arn ARN --client-id AUDIENCE."
        ),
    ),
)
_EXPIRED_TOKEN = Reason(
    "The token was right, and has expired by the sandbox's clock.",
    (
        "Take a new token from the issuer: stslab sandbox token.",
        "If you moved the clock forward, it can go back: stslab sandbox clock real.",
    ),
)
_BY_MESSAGE: Sequence[tuple[str, Reason]] = (
    ("OpenIDConnect provider's HTTPS certificate", _THUMBPRINT),
    ("Couldn't retrieve verification key", _NO_KEY),
    ("No OpenIDConnect provider found", _NO_PROVIDER),
    ("Incorrect token audience", _AUDIENCE),
    ("Token expired", _EXPIRED_TOKEN),
)
_NOT_VALID = Reason(
    "What is said to be the identity provider's is not valid. What AWS answered says why.", ()
)


def unverified(message: str) -> Reason:
    """Why a token that an identity provider is said to have issued was refused so.

    STS API Reference, "AssumeRoleWithWebIdentity", Errors; IAM User Guide, "Obtain the
    thumbprint for an OpenID Connect identity provider".
    """
    return next((found for start, found in _BY_MESSAGE if message.startswith(start)), _NOT_VALID)
