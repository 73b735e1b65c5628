"""Lists in pages: MaxItems, Marker and IsTruncated, as every List operation of IAM has them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from stslab.sandbox.iam import faults

_DEFAULT_ITEMS = 100


def page(member: str, items: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``items`` that ``params`` ask for, under the name of the answer's ``member``.

    Raises:
        ApiFault: ValidationError: the marker is none that was handed out.
    """
    start = _offset(params.get("Marker"))
    end = start + int(params.get("MaxItems") or _DEFAULT_ITEMS)
    answer: dict[str, Any] = {member: list(items[start:end]), "IsTruncated": end < len(items)}
    if end < len(items):
        answer["Marker"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return answer


def _offset(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(marker).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise _bad(marker) from error
    if word != "from" or not number.isascii() or not number.isdigit():
        raise _bad(marker)
    return int(number)


def _bad(marker: str) -> Exception:
    return faults.invalid(f"Invalid Marker: {marker}")
