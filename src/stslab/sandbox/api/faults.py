"""The errors that the services answer with, by AWS's error codes."""

import errno
import sqlite3
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from stslab.sandbox.api.model import ApiFault, Pairs
from stslab.structures import beside

access_denied = partial(ApiFault, "AccessDenied")
already_exists = partial(ApiFault, "AlreadyExistsException")
exists = partial(ApiFault, "EntityAlreadyExists")
in_use = partial(ApiFault, "DeleteConflict")
invalid = partial(ApiFault, "ValidationError")
invalid_client_token = partial(
    ApiFault, "InvalidClientTokenId", "The security token included in the request is invalid"
)
invalid_input = partial(ApiFault, "InvalidInput")
invalid_token = partial(ApiFault, "InvalidIdentityToken")
limit_exceeded = partial(ApiFault, "LimitExceeded")
malformed_policy = partial(ApiFault, "MalformedPolicyDocument")
no_such = partial(ApiFault, "NoSuchEntity")
unavailable = partial(
    ApiFault,
    "ServiceUnavailable",
    "The request has failed due to a temporary failure of the server.",
)


def worded(rows: Mapping[str, str], row: str, /, **names: object) -> ApiFault:
    """The error of a row ``Code: message``, with the names in its braces filled in."""
    code, _, message = rows[row].partition(": ")
    return ApiFault(code.format(**names), message.format(**names))


def require(holds: object, message: str) -> None:
    """Raise ValidationError, CloudFormation's usual error, unless ``holds``."""
    if not holds:
        raise invalid(message)


def failure(service: str, error: Exception | None = None) -> ApiFault:
    """AWS's answer when the service itself fails; on a full disk 507, which clients don't retry."""
    if error and is_full(error):
        message = "The embedded account can't save anything: its disk is full."
        return ApiFault("InsufficientStorage", message, 507)
    if service == "s3":
        return fault("InternalError")
    message = "The request processing has failed because of an unknown error, exception or failure."
    return ApiFault("InternalFailure", message)


def is_full(error: Exception) -> bool:
    """Whether the account could not save because its disk is full."""
    if isinstance(error, sqlite3.OperationalError):
        # The errors of the module itself, not of SQLite, have no code.
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def where(error: BaseException) -> str:
    """An exception's traceback and type for the process's log; its message may have a secret."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__}"


# S3's HTTP statuses and messages. Errors without a message have no body.
_FILE = Path(__file__).with_name("s3_faults.txt")
_ROWS = _FILE.read_text(encoding="utf-8").splitlines()
_BY_CODE = {
    code: (int(status), "".join(message))
    for status, code, *message in (row.split(" ", 2) for row in _ROWS if not row.startswith("#"))
}


def fault(
    code: str,
    message: str = "",
    extra: Mapping[str, object] = MappingProxyType({}),
    *,
    headers: Pairs = (),
    **named: object,
) -> ApiFault:
    """S3's error with this code, with further elements by S3's names (``Key``)."""
    status, usual = _BY_CODE[code]
    return ApiFault(code, message or usual, status, headers=headers, extra={**extra, **named})


def invalid_argument(message: str, name: str, value: object = None) -> ApiFault:
    """S3's error for an argument. For some arguments it does not repeat the value."""
    told = {} if value is None else {"ArgumentValue": value}
    return fault("InvalidArgument", message, {"ArgumentName": name, **told})


def no_such_key(key: str, *, headers: Pairs = ()) -> ApiFault:
    return fault("NoSuchKey", headers=headers, Key=key)


SAYS: Mapping[str, str] = beside(__file__, "s3_messages.yaml")  # what S3 says, by names of our own
malformed = partial(fault, "MalformedXML")  # S3's error for a body that it can't read
