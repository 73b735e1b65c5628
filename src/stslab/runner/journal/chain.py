"""The chain of a run's records: each is sealed together with the one before it.

What was changed, left out or put in afterwards breaks the chain, unless whoever did it made all
that follows anew.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple


class Link(NamedTuple):
    """A record as it is kept: ``body`` is JSON, ``seal`` the hash of all this and the one before.

    ``number`` counts from 1 in its run.
    """

    number: int
    kind: str
    at: str
    body: str
    seal: str


def sealed(*parts: object) -> str:
    """The seal (SHA-256, in hex) of (run, the seal before it, number, kind, at, body)."""
    text = json.dumps(parts, ensure_ascii=False, default=repr)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def first_broken(run: str, links: Iterable[Link]) -> int | None:
    """The number of the first record that is not as it was written; None where all are."""
    before = ""
    for number, link in enumerate(links, 1):
        if link.number != number or link.seal != sealed(run, before, *link[:4]):
            return number
        before = link.seal
    return None
