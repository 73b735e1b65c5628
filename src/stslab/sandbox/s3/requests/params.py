"""The parameters of an S3 request, in botocore's input shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from botocore.utils import parse_timestamp
from moto.core.parse import RequestParserError, RestXMLParser

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, HttpRequest
from stslab.sandbox.s3.requests.address import Address, single
from stslab.sandbox.saved.moto_faults import MALFORMED_XML

Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    wire_name: str
    convert: Convert


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where an operation's parameters are in its requests."""

    arguments: tuple[_Member, ...]
    headers: tuple[_Member, ...]
    maps: tuple[tuple[str, str], ...]
    payload: str
    payload_type: str
    needs_body: bool


def parse(name: str, http: HttpRequest, where: Address) -> Mapping[str, Any]:
    """The parameters of the operation ``name``; an object's own content is not among them.

    Raises:
        ApiFault: a value is not of its type, or the body is not the XML that it should be.
    """
    layout = _layout(name)
    parsed: dict[str, Any] = {"Bucket": where.bucket, "Key": where.key}
    parsed = {member: value for member, value in parsed.items() if value}
    query = single(http)
    for member in layout.arguments:
        if member.wire_name in query:
            parsed[member.name] = _converted(member, query[member.wire_name])
    headers = {key.lower(): value for key, value in http.headers}
    for member in layout.headers:
        if member.wire_name in headers:
            parsed[member.name] = _converted(member, headers[member.wire_name])
    for map_name, prefix in layout.maps:
        parsed[map_name] = {
            key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)
        }
    return {**parsed, **_body(name, layout, http)}


def _converted(member: _Member, text: str) -> Any:
    try:
        return member.convert(text)
    except (ValueError, OverflowError):
        raise ApiFault(
            "InvalidArgument",
            f"Provided {member.wire_name} not an integer or within integer range"
            if member.convert is _integer
            else f"Invalid value for {member.wire_name}",
            extra={"ArgumentName": member.wire_name, "ArgumentValue": text},
        ) from None


def _body(name: str, layout: _Layout, http: HttpRequest) -> Mapping[str, Any]:
    if layout.payload and layout.needs_body and not http.body:
        raise ApiFault("MissingRequestBodyError", "Request Body is empty")
    if not layout.payload or not http.body:
        return {}
    if layout.payload_type == "string":
        return {layout.payload: http.body.decode("utf-8", errors="replace")}
    if layout.payload_type == "blob":
        return {}
    _refuse_declarations(http.body)
    try:
        parser: Any = RestXMLParser(operations.operation("s3", name))
        shape = operations.operation("s3", name).input_shape.members[layout.payload]
        value = parser._parse_shape(shape, parser._initial_body_parse(http.body))  # noqa: SLF001 - the one parser of S3's XML there is
    except (RequestParserError, ValueError, TypeError, AttributeError, RecursionError):
        raise malformed() from None
    return {layout.payload: value}


def _refuse_declarations(body: bytes) -> None:
    """Refuse a document type in XML, with which little text could be made to mean much."""
    parser = expat.ParserCreate()

    def declared(*_: Any) -> None:
        raise malformed()

    parser.StartDoctypeDeclHandler = declared
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise malformed() from None


def malformed() -> ApiFault:
    """S3's answer to a body that it can't read."""
    return ApiFault("MalformedXML", MALFORMED_XML)


def _integer(text: str) -> int:
    number = int(text)
    if not text.isascii() or abs(number) > 2**63:
        raise ValueError(text)
    return number


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


_CONVERTERS: Mapping[str, Convert] = {
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
    "timestamp": parse_timestamp,
    "list": _words,
}


@functools.cache
def _layout(name: str) -> _Layout:
    shape = operations.operation("s3", name).input_shape
    payload = shape.serialization.get("payload", "")
    return _Layout(
        arguments=tuple(_members(shape, "querystring")),
        headers=tuple(_members(shape, "header")),
        maps=tuple(
            (member, inner.serialization["name"].lower())
            for member, inner in shape.members.items()
            if inner.serialization.get("location") == "headers"
        ),
        payload=payload,
        payload_type=shape.members[payload].type_name if payload else "",
        needs_body=payload in shape.required_members,
    )


def _members(shape: Any, location: str) -> list[_Member]:
    found = []
    for name, member in shape.members.items():
        if member.serialization.get("location") == location:
            wire_name = member.serialization.get("name", name)
            wire_name = wire_name.lower() if location == "header" else wire_name
            found.append(_Member(name, wire_name, _CONVERTERS.get(member.type_name, str)))
    return found
