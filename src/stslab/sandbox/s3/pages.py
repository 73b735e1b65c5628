"""Lists in pages: prefixes, delimiters, and where to go on.

S3 User Guide, "Organizing objects using prefixes" and "Listing object keys programmatically".
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.s3.faults import invalid_argument

T = TypeVar("T")
MOST = 1000
_CHECK = 4


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page: what was found, and the prefixes that stand for more.

    ``last`` is the name or prefix that comes last, from which the next page goes on.
    """

    items: list[T]
    prefixes: list[str]
    truncated: bool
    last: str


def page(entries: Iterable[tuple[str, T]], request: ApiRequest, after: str, most: int) -> Page[T]:
    """The next ``most`` of ``entries``, which come by name, that the request is for.

    Entries whose names have its delimiter after its prefix count as one, by what
    they begin with. ``after`` is the prefix with which the last page ended, if it did with one.
    """
    prefix = request.params.get("Prefix", "")
    delimiter = request.params.get("Delimiter", "")
    items: list[T] = []
    prefixes: list[str] = []
    last = ""
    for name, item in entries:
        if not name.startswith(prefix):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        group = name[: cut + len(delimiter)] if cut >= 0 else ""
        if group and (group == after or prefixes[-1:] == [group]):
            continue
        if len(items) + len(prefixes) >= most:
            return Page(items, prefixes, most > 0, last)
        last = group or name
        if group:
            prefixes.append(group)
        else:
            items.append(item)
    return Page(items, prefixes, False, last)


def limit(asked: int | None) -> int:
    return MOST if asked is None else min(asked, MOST)


def token(name: str) -> str:
    content = name.encode()
    return base64.urlsafe_b64encode(zlib.crc32(content).to_bytes(_CHECK, "big") + content).decode()


def of_token(given: str | None) -> str:
    """The name after which a continuation token goes on; empty without a token."""
    if given is None:
        return ""
    try:
        content = base64.b64decode(given, b"-_", validate=True)
        name = content[_CHECK:].decode()
    except (binascii.Error, ValueError):
        name = ""
    if not name or token(name) != given:
        message = "The continuation token provided is incorrect"
        raise invalid_argument(message, "continuation-token", given)
    return name


def writer(request: ApiRequest) -> Callable[[str], str]:
    """How keys and prefixes are written: percent-encoded, if that was asked for."""
    return quote if request.params.get("EncodingType") == "url" else str


def described(request: ApiRequest, found: Page[T], *names: str) -> Answer:
    """What every page says: what was asked for (``names`` beside the usual), and its prefixes."""
    asked, write = request.params, writer(request)
    said = {name: asked[name] for name in ("Prefix", "Delimiter", *names) if name in asked}
    return {
        "Prefix": "",
        **{name: write(text) for name, text in said.items()},
        "EncodingType": asked.get("EncodingType"),
        "IsTruncated": found.truncated,
        "CommonPrefixes": [{"Prefix": write(prefix)} for prefix in found.prefixes],
    }
