"""The errors that the services answer with, by AWS's codes."""

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from stslab.sandbox.api.model import ApiFault, Pairs


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


# -- of S3 -------------------------------------------------------------------------------------
# ``s3_faults.txt`` has each code with its HTTP status and what S3 says.

_FILE = Path(__file__).with_name("s3_faults.txt")
_ROWS = _FILE.read_text(encoding="utf-8").splitlines()
_BY_CODE = {
    code: (int(status), message)
    for status, code, message in (row.split(" ", 2) for row in _ROWS if not row.startswith("#"))
}


def fault(
    code: str,
    message: str = "",
    extra: Mapping[str, object] = MappingProxyType({}),
    *,
    headers: Pairs = (),
    **named: object,
) -> ApiFault:
    """The error of this code, with further elements as S3 names them (``Key``)."""
    status, said = _BY_CODE[code]
    return ApiFault(code, message or said, status, headers=headers, extra={**extra, **named})


def invalid_argument(message: str, name: str, value: object) -> ApiFault:
    return fault("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def no_such_key(key: str, *, headers: Pairs = ()) -> ApiFault:
    return fault("NoSuchKey", headers=headers, Key=key)


def malformed() -> ApiFault:
    """S3's answer to a body that it can't read."""
    return fault("MalformedXML")
