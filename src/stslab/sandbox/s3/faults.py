"""The errors of S3: ``faults.txt`` has each code with its HTTP status and what S3 says."""

from importlib.resources import files

from stslab.sandbox.api.model import ApiFault, Pairs

_ROWS = files("stslab.sandbox.s3").joinpath("faults.txt").read_text(encoding="utf-8").splitlines()
_BY_CODE = {
    code: (int(status), message)
    for status, code, message in (row.split(" ", 2) for row in _ROWS if not row.startswith("#"))
}


def fault(code: str, message: str = "", *, headers: Pairs = (), **extra: object) -> ApiFault:
    """The error of this code, with further elements as S3 names them (``Key``)."""
    status, said = _BY_CODE[code]
    return ApiFault(code, message or said, status, headers=headers, extra=extra)


def invalid_argument(message: str, name: str, value: object) -> ApiFault:
    return fault("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def no_such_key(key: str, *, headers: Pairs = ()) -> ApiFault:
    return fault("NoSuchKey", headers=headers, Key=key)


def malformed() -> ApiFault:
    """S3's answer to a body that it can't read."""
    return fault("MalformedXML")
