"""What S3's requests say as text: XML, read by AWS's model, and values.

Smithy 2.0, "AWS restXml protocol". What the model does not have is passed over, as S3 does.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from botocore.model import Shape

from stslab.sandbox.s3.faults import malformed

Document = Mapping[str, Any]
"""What a document says, by AWS's model: of texts, numbers, times, lists and further ones."""


@dataclass(frozen=True, slots=True)
class Content:
    """What an object is to hold, with its hashes: they are made before a transaction begins."""

    body: bytes = field(repr=False)
    name: str
    etag: str

    @classmethod
    def of(cls, body: bytes) -> "Content":
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return cls(body, hashlib.sha256(body).hexdigest(), etag)

    def __str__(self) -> str:
        return f"({len(self.body)} bytes)"


_MOST_BYTES = 4 * 1024 * 1024
_SCHEMA_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def read(shape: Shape, name: str, body: bytes) -> Document:
    """The members of ``shape`` that ``body`` has, whose outermost element is ``name``."""
    root = _root(body)
    if _local(root) != name:
        raise malformed()
    try:
        return _structure(shape, root)
    except ValueError:
        raise malformed() from None


def _root(body: bytes) -> Element:
    if len(body) > _MOST_BYTES:
        raise malformed()
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder takes no declarations
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError):
        raise malformed() from None
    return root


class _Builder(TreeBuilder):
    """Refuses a document type, with which little text could be made to mean much."""

    def doctype(self, *_: object) -> None:
        raise malformed()


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _structure(shape: Shape, element: Element) -> Document:
    given: dict[str, list[Element]] = {}
    for child in element:
        given.setdefault(_local(child), []).append(child)
    members = {}
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        if member.serialization.get("xmlAttribute"):
            if _SCHEMA_TYPE in element.attrib:
                members[name] = _text(member, element.attrib[_SCHEMA_TYPE])
        elif wire_name in given:
            members[name] = _member(member, given[wire_name])
    return members


def _member(shape: Shape, given: list[Element]) -> object:
    if shape.type_name == "list":
        return _list(shape, given)
    if len(given) > 1:
        raise malformed()
    return _value(shape, given[0])


def _list(shape: Shape, given: list[Element]) -> list[object]:
    if not shape.serialization.get("flattened"):
        name = shape.member.serialization.get("name", "member")
        given = [child for one in given for child in one if _local(child) == name]
    return [_value(shape.member, one) for one in given]


def _value(shape: Shape, element: Element) -> object:
    if shape.type_name == "structure":
        return _structure(shape, element)
    return _text(shape, element.text or "")


def _text(shape: Shape, text: str) -> object:
    if shape.type_name == "string":
        return text
    return _READERS[shape.type_name](text.strip())


_LARGEST = 2**63


def integer(text: str) -> int:
    """A whole number of 64 bits, in decimal. It raises ValueError for any other text."""
    if not text.isascii() or len(text) > len(str(_LARGEST)) + 1:
        raise ValueError(text)
    number = int(text)
    if abs(number) > _LARGEST:
        raise ValueError(text)
    return number


def boolean(text: str) -> bool:
    return text.lower() == "true"


def moment(text: str) -> datetime:
    """A time in ISO 8601 or as HTTP has them, in UTC. It raises ValueError for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


_READERS: Mapping[str, Callable[[str], object]] = {
    "boolean": boolean,
    "integer": integer,
    "long": integer,
    "timestamp": moment,
}
