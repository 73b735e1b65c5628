"""The parameters of an S3 request, in botocore's input shape."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.model import StructureShape

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import HttpRequest
from stslab.sandbox.s3.faults import fault, invalid_argument
from stslab.sandbox.s3.requests import bodies
from stslab.sandbox.s3.requests.address import Address, single
from stslab.sandbox.s3.requests.bodies import Content, Document, boolean, integer, moment, words


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    wire_name: str
    convert: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where an operation's parameters are in its requests."""

    arguments: tuple[_Member, ...]
    headers: tuple[_Member, ...]
    maps: tuple[tuple[str, str], ...]
    payload: str
    needs_body: bool


def parse(name: str, http: HttpRequest, where: Address) -> Document:
    """The parameters of the operation ``name``; an object's own content is a :class:`Content`.

    Raises:
        ApiFault: a value is not of its type, or the body is not the XML that it should be.
    """
    layout = _layout(name)
    address = {"Bucket": where.bucket, "Key": where.key}
    parsed: dict[str, object] = {name: value for name, value in address.items() if value}
    headers = {key.lower(): value for key, value in http.headers}
    for members, given in ((layout.arguments, single(http)), (layout.headers, headers)):
        for member in members:
            if member.wire_name in given:
                parsed[member.name] = _converted(member, given[member.wire_name])
    for map_name, prefix in layout.maps:
        parsed[map_name] = {
            key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)
        }
    return {**parsed, **_body(name, layout, http)}


def _converted(member: _Member, text: str) -> object:
    try:
        return member.convert(text)
    except ValueError:
        message = (
            f"Provided {member.wire_name} not an integer or within integer range"
            if member.convert is integer
            else f"Invalid value for {member.wire_name}"
        )
        raise invalid_argument(message, member.wire_name, text) from None


def _body(name: str, layout: _Layout, http: HttpRequest) -> Document:
    if not layout.payload:
        return {}
    shape = _shape(name).members[layout.payload]
    if shape.type_name == "blob":
        return {layout.payload: Content.of(http.body)}
    if not http.body:
        if layout.needs_body:
            raise fault("MissingRequestBodyError")
        return {}
    if shape.type_name == "string":
        return {layout.payload: http.body.decode("utf-8", errors="replace")}
    wire_name = shape.serialization.get("name", layout.payload)
    return {layout.payload: bodies.read(shape, wire_name, http.body)}


_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "integer": integer,
    "long": integer,
    "boolean": boolean,
    "timestamp": moment,
    "list": words,
}


def _shape(name: str) -> StructureShape:
    return operations.operation("s3", name).input_shape


@functools.cache
def _layout(name: str) -> _Layout:
    shape = _shape(name)
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
        needs_body=payload in shape.required_members,
    )


def _members(shape: StructureShape, location: str) -> list[_Member]:
    found = []
    for name, member in shape.members.items():
        if member.serialization.get("location") == location:
            wire_name = member.serialization.get("name", name)
            wire_name = wire_name.lower() if location == "header" else wire_name
            # S3 gives Expires back as it came, be it a time or not.
            kind = "string" if name == "Expires" else member.type_name
            found.append(_Member(name, wire_name, _CONVERTERS.get(kind, str)))
    return found
