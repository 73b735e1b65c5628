"""Reads XML that strangers wrote: no document type, no entity, nothing from elsewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lxml import etree

Element = Any
"""lxml's element, which publishes no types."""

_DOCUMENT_TYPE = "<!DOCTYPE"
_OPTIONS: dict[str, Any] = {
    "encoding": "utf-8",  # whatever the document says of itself: bytes are read in one way
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
}


class BadXml(Exception):  # noqa: N818 - the name says what happened
    """A text that is no XML, or holds what is not read here."""


def parse(data: bytes, *, plain: bool = True) -> Element:
    """The root of a document in UTF-8, less comments and processing instructions.

    ``plain`` is False for one whose comments are part of what is signed; without them, no text is
    broken up. Without a document type, which is refused, there are no entities.
    """
    parser = etree.XMLParser(remove_comments=plain, remove_pis=plain, **_OPTIONS)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadXml("it is not UTF-8") from error
    if text.startswith("\ufeff"):
        raise BadXml("it begins with a byte order mark")
    if _DOCUMENT_TYPE in text:
        raise BadXml("it declares a document type")
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadXml("it is not well-formed XML") from error
    if root is None or next(root.iter(etree.Entity), None) is not None:
        raise BadXml("it refers to an entity")
    return root


def alone(element: Element) -> bytes:
    """The element as a document of its own, in the namespaces that it stands in."""
    data: bytes = etree.tostring(element, with_tail=False)
    return data


def children(element: Element, namespace: str, name: str) -> list[Element]:
    return list(element.findall(f"{{{namespace}}}{name}"))


def child(element: Element, namespace: str, name: str) -> Element | None:
    """The only child of this name, or None; with several, readers could differ: BadXml."""
    found = children(element, namespace, name)
    if len(found) > 1:
        raise BadXml(f"it has more than one {name}")
    return found[0] if found else None


def everywhere(element: Element, namespace: str, name: str) -> Iterator[Element]:
    """The element itself and all below it that have this name."""
    yield from element.iter(f"{{{namespace}}}{name}")


def text(element: Element | None) -> str:
    """The text of an element that holds nothing else, without the space around it."""
    if element is None:
        return ""
    if len(element):
        raise BadXml("it has elements where text is expected")
    return (element.text or "").strip()


def moment(value: str | None) -> datetime | None:
    """A time of XML Schema (xs:dateTime), aware: SAML's times are UTC, with or without a zone."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadXml("it has a time that is none") from error
