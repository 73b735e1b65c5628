"""The errors of S3: ``s3_faults.txt`` has each code with its HTTP status and what S3 says."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from stslab.sandbox.api.model import ApiFault, Pairs

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
