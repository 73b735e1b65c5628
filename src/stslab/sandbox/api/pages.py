"""Lists in pages, and the tokens that say where the next page begins."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, TypeVar

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.state.snapshot import Record

T = TypeVar("T")
MOST = 100  # items on a page, if the request does not say
_CHECK = 4
_LONG, _KEPT = 230, 180  # bytes: IAM takes markers of at most 320 characters


def token(content: str) -> str:
    """The text with a checksum: no other text is one. It has no dash, as S3's version ids."""
    encoded = content.encode()
    check = zlib.crc32(encoded).to_bytes(_CHECK, "big")
    return base64.b64encode(check + encoded, b"._").decode()


def in_token(given: str) -> str:
    """The text in a token; empty if it is not a token."""
    try:
        content = base64.b64decode(given, b"._", validate=True)[_CHECK:].decode()
    except (binascii.Error, ValueError):
        return ""
    return content if token(content) == given else ""


def page(
    request: ApiRequest,
    member: str,
    items: Iterable[T],
    show: Callable[[T], object],
    place: Callable[[Any], str] | None = attrgetter("key"),
    *,
    descending: bool = False,
) -> dict[str, Any]:
    """The answer with one page of ``items``, each converted by ``show``, in ``member``.

    Items are sorted by ``place``, a text that no other item has (None: their number). A token says
    where the page ended: nothing is repeated or left out, whatever is made or deleted in between.
    """
    params, is_iam = request.params, request.service == "iam"
    name, first = ("Marker", "") if is_iam else ("NextToken", "null")  # which programs send
    most, given = int(params.get("MaxItems") or MOST), str(params.get(name, ""))
    after = "" if given == first else in_token(given)
    faults.require(after or given in ("", first), f"Invalid {name}{'.' if is_iam else ''}")
    numbered = enumerate(items)
    placed = {_short(place(item)) if place else f"{number:09}": item for number, item in numbered}
    places = sorted(placed, reverse=descending)
    rest = [one for one in places if not after or (one < after if descending else one > after)]
    more = len(rest) > most
    listed = [show(placed[one]) for one in rest[:most]]
    return {member: listed, "IsTruncated": more, name: token(rest[most - 1]) if more else None}


def page_of_all(
    request: ApiRequest,
    groups: Iterable[Iterable[Record]],
    show: Callable[[Any], tuple[str, object]],
    members: Iterable[str],
) -> dict[str, Any]:
    """One page over several groups, in order. ``show`` returns the answer's member and the item."""
    placed = {f"{number} {one.key}": one for number, group in enumerate(groups) for one in group}
    answer = page(request, "all", placed, lambda place: show(placed[place]), str)
    shown = answer.pop("all")
    return answer | {name: [item for of, item in shown if of == name] for name in members}


def _short(place: str) -> str:
    encoded = place.encode()
    if len(encoded) <= _LONG:
        return place
    return encoded[:_KEPT].decode(errors="ignore") + hashlib.sha256(encoded).hexdigest()[:40]
