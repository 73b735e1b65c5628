"""AWS's error codes in plain words, each with the page of AWS's documentation that has it."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from stslab.structures import beside

_DOCS = "https://docs.aws.amazon.com/"


class Meaning(NamedTuple):
    """What an error code says, and the page to read."""

    says: str
    page: str


def meaning(code: str) -> Meaning | None:
    """What AWS means by an error code; None for one that is not in the table."""
    return meanings().get(code)


@cache
def meanings() -> Mapping[str, Meaning]:
    """The table, by code."""
    return {
        code: Meaning(says, _DOCS + page)
        for page, codes in beside(__file__, "meanings.yaml").items()
        for code, says in codes.items()
    }
