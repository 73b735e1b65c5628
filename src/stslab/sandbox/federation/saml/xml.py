"""Reads untrusted XML: no document type, no entities, no external files."""

from datetime import datetime
from typing import Any

from lxml import etree

from stslab.sandbox.api import model

Element = Any  # lxml's element, which publishes no types


class BadXml(Exception):  # noqa: N818 - the name says what happened
    """A text that is not XML, or has something that is refused here."""


def parse(data: bytes, *, plain: bool = True) -> Element:
    """The root of a document in UTF-8, without comments and processing instructions.

    ``plain`` False keeps them, if a signature covers them: comments split an element's text.
    """
    parser = etree.XMLParser(
        encoding="utf-8",  # even if the document declares another
        remove_comments=plain,
        remove_pis=plain,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
    )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadXml("it is not UTF-8") from error
    if text.startswith("\ufeff"):
        raise BadXml("it begins with a byte order mark")
    if "<!DOCTYPE" in text:
        raise BadXml("it declares a document type")
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadXml("it is not well-formed XML") from error
    if root is None or next(root.iter(etree.Entity), None) is not None:
        raise BadXml("it refers to an entity")
    return root


def children(element: Element | None, namespace: str, name: str) -> list[Element]:
    return [] if element is None else list(element.findall(f"{{{namespace}}}{name}"))


def child(element: Element | None, namespace: str, name: str) -> Element | None:
    """The only child with this name, or None. BadXml: there are several."""
    named = children(element, namespace, name)
    if len(named) > 1:
        raise BadXml(f"it has more than one {name}")
    return named[0] if named else None


def everywhere(element: Element, namespace: str, name: str) -> list[Element]:
    """All elements with this name: the element itself and those below it."""
    return list(element.iter(f"{{{namespace}}}{name}"))


def text(element: Element | None) -> str:
    """The stripped text of an element. BadXml: it has child elements."""
    if element is None:
        return ""
    if len(element):
        raise BadXml("it has elements where text is expected")
    return (element.text or "").strip()


def moment(value: str | None) -> datetime | None:
    """An xs:dateTime in UTC. None stays None."""
    try:
        return None if value is None else model.moment(value.strip())
    except ValueError as error:
        raise BadXml("it has an invalid time") from error
