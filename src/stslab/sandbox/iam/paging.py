"""Lists in pages: MaxItems, Marker and IsTruncated, as every List operation of IAM has them."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.iam import faults

T = TypeVar("T")
_DEFAULT_ITEMS = 100


def page(
    member: str, items: Sequence[T], params: Mapping[str, Any], show: Callable[[T], object]
) -> dict[str, Any]:
    """The part of ``items`` that ``params`` ask for, under the name of the answer's ``member``.

    ``show`` makes of an item what the answer has; those of other pages cost nothing.

    Raises:
        ApiFault: ValidationError: the marker is none that was handed out.
    """
    start = _offset(params.get("Marker"))
    end = start + int(params.get("MaxItems") or _DEFAULT_ITEMS)
    shown = [show(item) for item in items[start:end]]
    answer: dict[str, Any] = {member: shown, "IsTruncated": end < len(items)}
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


def _bad(marker: str) -> ApiFault:
    return faults.invalid(f"Invalid Marker: {marker}")
