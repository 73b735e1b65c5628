"""What S3 requests say: parameters in botocore's input shape, XML by AWS's model, and contents.

S3 API Reference, "ListObjectsV2" and "PutObject"; S3 User Guide, "Working with object metadata";
Smithy 2.0, "AWS restXml protocol". What the model does not have is passed over, as S3 does.
"""

import base64
import functools
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from botocore.model import Shape, StructureShape

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import fault, invalid_argument, malformed
from stslab.sandbox.api.model import ApiFault, ApiRequest, HttpRequest
from stslab.sandbox.s3.requests.address import Address, single
from stslab.sandbox.signing import checksums

Document = Mapping[str, Any]
"""What a document says, by AWS's model: of texts, numbers, times, lists and further ones."""


class Content:
    """What an object is to hold, or holds. Each of its hashes is made once."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._checksums: dict[str, str] = {}

    @functools.cached_property
    def name(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @functools.cached_property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()

    def checksum(self, member: str) -> str:
        """The checksum of this member (``ChecksumCRC32``), as it is written."""
        if member not in self._checksums:
            found = CHECKSUMS[member](self.body)
            self._checksums[member] = base64.b64encode(found).decode()
        return self._checksums[member]

    def __str__(self) -> str:
        return f"({len(self.body)} bytes)"


CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    f"Checksum{name.upper()}": compute for name, compute in checksums.ALGORITHMS.items()
}
"""The algorithms by the member of a request that has their value."""
ADDED = "ChecksumCRC64NVME"
"""The one that S3 adds to an object that comes with none."""


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
        if not shape.serialization.get("flattened"):
            name = shape.member.serialization.get("name", "member")
            given = [child for one in given for child in one if _local(child) == name]
        return [_member(shape.member, [one]) for one in given]
    if len(given) > 1:
        raise malformed()
    if shape.type_name == "structure":
        return _structure(shape, given[0])
    return _text(shape, given[0].text or "")


def _text(shape: Shape, text: str) -> object:
    if shape.type_name == "string":
        return text
    return _CONVERTERS[shape.type_name](text.strip())


_LARGEST = 2**63


def integer(text: str) -> int:
    """A whole number of 64 bits, in decimal. It raises ValueError for any other text."""
    if not text.isascii() or len(text) > len(str(_LARGEST)) + 1:
        raise ValueError(text)
    number = int(text)
    if abs(number) > _LARGEST:
        raise ValueError(text)
    return number


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


_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "boolean": lambda text: ("false", "true", "0", "1").index(text.lower()) % 2 == 1,
    "integer": integer,
    "long": integer,
    "timestamp": moment,
    "list": lambda text: [word.strip() for word in text.split(",")],
    "capitals": str.upper,
}
# Read otherwise than their types say: S3 gives Expires back as it came, be it a time or not; and
# AWS's SDK for C++ and its Common Runtime write a mode in small letters.
_CAPITALS = ("ChecksumAlgorithm", "ChecksumMode", "ChecksumType")
_TYPES = {"Expires": "string", **dict.fromkeys(_CAPITALS, "capitals")}
# What a canned list may be beside what the model has ("Access control list (ACL) overview").
_FURTHER_CHOICES = {
    "BucketCannedACL": (
        "aws-exec-read",
        "bucket-owner-full-control",
        "bucket-owner-read",
        "log-delivery-write",
    )
}
_MOST_METADATA = 2048
_MOST_COUNTED = 2**31 - 1
_COUNTS: Mapping[str, str] = {
    "MaxBuckets": "max-buckets",
    "MaxKeys": "maxKeys",
    "MaxParts": "max-parts",
    "MaxUploads": "max-uploads",
    "PartNumberMarker": "part-number-marker",
}
_DIGESTS = ("content-md5", checksums.PREFIX, "x-amz-trailer")
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


class _Layout(NamedTuple):
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
            convert = _CONVERTERS.get(_TYPES.get(name, member.type_name), str)
            choices = {*getattr(member, "enum", ()), *_FURTHER_CHOICES.get(member.name, ())}
            found.append(_Member(name, wire_name, convert, frozenset(choices)))
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
    if name == "DeleteObjects" and not any(key.startswith(_DIGESTS) for key in headers):
        missing = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
        raise fault("InvalidRequest", missing)
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
        return {payload: _content(http)}
    if not http.body:
        if layout.needs_body:
            raise fault("MissingRequestBodyError")
        return {}
    if shape.type_name == "string":
        return {payload: http.body.decode("utf-8", errors="replace")}
    return {payload: read(shape, shape.serialization.get("name", payload), http.body)}


def _content(http: HttpRequest) -> Content:
    """The body of an object, hashed before a transaction begins."""
    if http.has_header("Transfer-Encoding"):
        raise fault("NotImplemented", Header="Transfer-Encoding")
    if not http.has_header("Content-Length"):
        raise fault("MissingContentLength")
    content = Content(http.body)
    _ = content.name, content.etag
    if not any(name.lower().startswith(checksums.PREFIX) for name, _ in http.headers):
        content.checksum(ADDED)
    return content


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
        if not 0 <= params.get(name, 0) <= _MOST_COUNTED:
            message = f"Argument {shown} must be an integer between 0 and {_MOST_COUNTED}"
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
    if member.name in _CAPITALS:
        return fault("InvalidRequest", f"Value for {member.wire_name} header is invalid.")
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
