"""The parameters of an S3 request, in botocore's input shape, and what S3 takes of them.

S3 API Reference, "ListObjectsV2" and "PutObject"; S3 User Guide, "Working with object metadata".
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from botocore.model import Shape, StructureShape

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiRequest, HttpRequest
from stslab.sandbox.s3.faults import fault, invalid_argument, malformed
from stslab.sandbox.s3.requests import bodies
from stslab.sandbox.s3.requests.address import Address, single
from stslab.sandbox.s3.requests.bodies import Content, Document, boolean, integer, moment, words

_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "integer": integer,
    "long": integer,
    "boolean": boolean,
    "timestamp": moment,
    "list": words,
}
_MOST_METADATA = 2048
_COUNTS: Mapping[str, str] = {
    "MaxBuckets": "max-buckets",
    "MaxKeys": "maxKeys",
    "MaxParts": "max-parts",
    "MaxUploads": "max-uploads",
    "PartNumberMarker": "part-number-marker",
}
# Texts that S3 refuses with an error of their own.
_REFUSED_LATER = frozenset({"BucketLocationConstraint"})
_MESSAGES: Mapping[str, str] = {
    "EncodingType": "Invalid Encoding Method specified in Request",
    "MetadataDirective": "Unknown metadata directive.",
    "ServerSideEncryption": "The encryption method specified is not supported",
    "TaggingDirective": "Unknown tagging directive.",
}


class _Member(NamedTuple):
    """A parameter in the query or in a header; ``choices`` where only those values will do."""

    name: str
    wire_name: str
    convert: Callable[[str], object]
    choices: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where an operation's parameters are in its requests."""

    arguments: tuple[_Member, ...]
    headers: tuple[_Member, ...]
    maps: tuple[tuple[str, str], ...]
    payload: str
    body: Shape
    needs_body: bool


@functools.cache
def _layout(operation: str) -> _Layout:
    shape = operations.operation("s3", operation).input_shape or StructureShape("", {})
    payload = shape.serialization.get("payload", "")
    return _Layout(
        arguments=_members(shape, "querystring"),
        headers=_members(shape, "header"),
        maps=tuple(
            (member, inner.serialization["name"].lower())
            for member, inner in shape.members.items()
            if inner.serialization.get("location") == "headers"
        ),
        payload=payload,
        body=shape.members.get(payload),
        needs_body=payload in shape.required_members,
    )


def _members(shape: StructureShape, location: str) -> tuple[_Member, ...]:
    found = []
    for name, member in shape.members.items():
        if member.serialization.get("location") == location:
            wire_name = member.serialization.get("name", name)
            # S3 gives Expires back as it came, be it a time or not.
            kind = "string" if name == "Expires" else member.type_name
            choices = frozenset(getattr(member, "enum", ()))
            found.append(_Member(name, wire_name, _CONVERTERS.get(kind, str), choices))
    return tuple(found)


def parse(name: str, http: HttpRequest, where: Address) -> Document:
    """The parameters of the operation ``name``; an object's own content is a :class:`Content`."""
    layout = _layout(name)
    address = {"Bucket": where.bucket, "Key": where.key}
    parsed: dict[str, object] = {name: value for name, value in address.items() if value}
    headers = {key.lower(): value for key, value in http.headers}
    for member in layout.headers:
        if member.wire_name.lower() in headers:
            parsed[member.name] = _converted(member, headers[member.wire_name.lower()])
    query = single(http)
    for member in layout.arguments:
        if member.wire_name in query:
            parsed[member.name] = _converted(member, query[member.wire_name])
    for map_name, prefix in layout.maps:
        parsed[map_name] = {
            key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)
        }
    return {**parsed, **_body(layout, http)}


def _converted(member: _Member, text: str) -> object:
    try:
        return member.convert(text)
    except ValueError:
        wire_name, message = member.wire_name, f"Invalid value for {member.wire_name}"
        if member.convert is integer:
            message = f"Provided {wire_name} not an integer or within integer range"
        raise invalid_argument(message, wire_name, text) from None


def _body(layout: _Layout, http: HttpRequest) -> Document:
    payload, shape = layout.payload, layout.body
    if not payload:
        return {}
    if shape.type_name == "blob":
        return {payload: Content.of(http.body)}
    if not http.body:
        if layout.needs_body:
            raise fault("MissingRequestBodyError")
        return {}
    if shape.type_name == "string":
        return {payload: http.body.decode("utf-8", errors="replace")}
    return {payload: bodies.read(shape, shape.serialization.get("name", payload), http.body)}


def check(request: ApiRequest) -> None:
    """Refuse what S3 does not take, and Object Lock, which is not there."""
    params, layout = request.params, _layout(request.operation)
    if any(name.startswith("ObjectLock") and value for name, value in params.items()):
        raise fault("NotImplemented", "The sandbox does not implement Object Lock.")
    for member in (*layout.headers, *layout.arguments):
        given = params.get(member.name)
        if given is not None and member.choices and given not in member.choices:
            raise _no_choice(member, given)
    for name, shown in _COUNTS.items():
        if params.get(name, 0) < 0:
            message = f"Argument {shown} must be an integer between 0 and 2147483647"
            raise invalid_argument(message, shown, params[name])
    size = sum(len(key) + len(value) for key, value in (params.get("Metadata") or {}).items())
    if size > _MOST_METADATA:
        raise fault("MetadataTooLarge", Size=size, MaxSizeAllowed=_MOST_METADATA)
    is_document = layout.body is not None and layout.body.type_name == "structure"
    if is_document and not _fits(layout.body, params.get(layout.payload)):
        raise malformed()


def _no_choice(member: _Member, given: str) -> ApiFault:
    if member.name == "StorageClass":
        return fault("InvalidStorageClass", StorageClassRequested=given)
    message = _MESSAGES.get(member.name, f"Invalid value for {member.wire_name}")
    return invalid_argument(message, member.wire_name, given)


def _fits(shape: Shape, value: object) -> bool:
    """Whether a document has all that it must, and one of the values where only some will do."""
    if isinstance(value, dict):
        return all(name in value for name in shape.required_members) and all(
            _fits(member, value.get(name)) for name, member in shape.members.items()
        )
    if isinstance(value, list):
        return all(_fits(shape.member, one) for one in value)
    chosen = shape.type_name == "string" and shape.enum and shape.name not in _REFUSED_LATER
    return value is None or not chosen or value in shape.enum
