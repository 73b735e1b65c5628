"""The errors that IAM and STS answer with, by AWS's codes."""

import traceback
from collections.abc import Callable

from stslab.sandbox.api.model import ApiFault


def _coded(code: str, status: int = 400) -> Callable[[str], ApiFault]:
    return lambda message: ApiFault(code, message, status)


access_denied = _coded("AccessDenied", 403)
exists = _coded("EntityAlreadyExists", 409)
in_use = _coded("DeleteConflict", 409)
invalid = _coded("ValidationError")
invalid_input = _coded("InvalidInput")
invalid_token = _coded("InvalidIdentityToken")
limit_exceeded = _coded("LimitExceeded", 409)
malformed_policy = _coded("MalformedPolicyDocument")
no_such = _coded("NoSuchEntity", 404)


def quota(name: str, limit: int) -> ApiFault:
    """LimitExceeded: one more than the account's quota of this name."""
    return limit_exceeded(f"Cannot exceed quota for {name}: {limit}")


def check_quota(name: str, limit: int, there_are: int) -> None:
    """Raise LimitExceeded where one more would be more than the quota of this name."""
    if there_are >= limit:
        raise quota(name, limit)


def refuse_if_held(*held: tuple[object, str]) -> None:
    """Raise DeleteConflict with the first thing that is still there, and what to do first."""
    for what, first in held:
        if what:
            raise in_use(f"Cannot delete entity, must {first} first.")


def failure(service: str) -> ApiFault:
    """What AWS answers when the failure is its own."""
    code = "InternalFailure"
    message = "The request processing has failed because of an unknown error, exception or failure."
    if service == "s3":
        code, message = "InternalError", "We encountered an internal error. Please try again."
    return ApiFault(code, message, 500, fault="Receiver")


def unavailable() -> ApiFault:
    """What AWS answers when the failure will pass."""
    message = "The request has failed due to a temporary failure of the server."
    return ApiFault("ServiceUnavailable", message, 503, fault="Receiver")


def where(error: BaseException) -> str:
    """The lines that led to an exception, and its kind, for the process's own log.

    Its text is left out: it may repeat a value, and values may be secret.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__}"
