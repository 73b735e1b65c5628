"""Reads the parameters of S3 requests from query, headers and body, by botocore's model.

S3 API Reference, "ListObjectsV2" and "PutObject"; S3 User Guide, "Working with object metadata";
Smithy 2.0, "AWS restXml protocol". As in S3, unknown parameters are ignored, not elements.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser, fromstring

import msgspec
from botocore.model import Shape, StructureShape

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.model import ApiFault, ApiRequest, HttpRequest, moment
from stslab.sandbox.s3.requests.address import Address, single
from stslab.sandbox.signing import canonical, checksums, chunks
from stslab.structures import beside

Document = Mapping[str, Any]
"""A structure of AWS's model: texts, numbers, times, lists and nested structures, by name."""


class Content:
    """The content of an object. Each hash is computed once."""

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
        """The checksum for a member (``ChecksumCRC32``), in base64."""
        if member not in self._checksums:
            self._checksums[member] = base64.b64encode(CHECKSUMS[member](self.body)).decode()
        return self._checksums[member]

    def __str__(self) -> str:
        return f"({len(self.body)} bytes)"


CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    f"Checksum{name.upper()}": compute for name, compute in checksums.ALGORITHMS.items()
}
"""The checksum algorithms, by the request's member with their value."""
ADDED = "ChecksumCRC64NVME"  # the checksum that S3 adds to an object without one


_MOST_BYTES = 4 * 1024 * 1024
_SCHEMA_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class _Builder(TreeBuilder):
    """Drops namespaces, and refuses document types: an entity can make a small text huge."""

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str, /) -> Element:
        return super().end(tag.rpartition("}")[2])

    def doctype(self, name: str, *_: object) -> None:
        raise ValueError(name)


def _structure(shape: Shape, element: Element) -> Document:
    members = {}
    known = {member.serialization.get("name", name) for name, member in shape.members.items()}
    if {child.tag for child in element} - (known - _TABLES.unread):
        raise ValueError(element)
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute"):
            if _SCHEMA_TYPE in element.attrib:
                members[name] = _text(member, element.attrib[_SCHEMA_TYPE])
        elif given := element.findall(member.serialization.get("name", name)):
            members[name] = _member(member, given)
    return members


def _member(shape: Shape, given: list[Element]) -> object:
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return [_member(shape.member, [element]) for element in given]
    (element,) = given  # twice: a ValueError
    if shape.type_name == "structure":
        return _structure(shape, element)
    if shape.type_name == "list":
        if {child.tag for child in element} - {shape.member.serialization.get("name", "member")}:
            raise ValueError(element)
        return [_member(shape.member, [child]) for child in element]
    if any(text for child in element for text in child.itertext()):  # empty ones are ignored
        raise fault("MalformedXML")  # in an access control list, too
    return _text(shape, "".join(element.itertext()))


def _text(shape: Shape, text: str) -> object:
    if shape.type_name == "string":
        return text
    if shape.type_name == "boolean":  # any other text is false
        return text.strip().lower() in ("true", "1")
    return _CONVERTERS[shape.type_name](text.strip())


def integer(text: str, most: int = 2**31 - 1) -> int:
    """A decimal integer of 32 bits, or up to ``most``. Raises ValueError."""
    if not re.fullmatch("[+-]?[0-9]{1,19}", text) or abs(int(text)) > most:
        raise ValueError(text)
    return int(text)


def pairs(text: str) -> str:
    """The text, which must be a map of texts as JSON in base64. Raises DecodeError."""
    msgspec.json.decode(msgspec.convert(text, bytes), type=dict[str, str])
    return text


def words(text: str) -> list[str]:
    """The words between commas, without those that are empty at the end, as Java splits a text."""
    shorter = text.rstrip(",")
    return [word.strip() for word in shorter.split(",")] if shorter or not text else []


_LONG = functools.partial(integer, most=2**63)
_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "boolean": lambda text: ("false", "true", "0", "1").index(text.lower()) % 2 == 1,
    "integer": integer,
    "long": _LONG,
    "timestamp": moment,
    "date": canonical.header_time,
    "list": words,
    "capitals": str.upper,
    "pairs": pairs,
}
_MOST_METADATA = 2048
_ENCRYPTED, _SOURCE = "x-amz-server-side-encryption", "x-amz-copy-source"
_DIGESTS = {"content-md5", "x-amz-trailer"}


class _Tables(msgspec.Struct, frozen=True):
    """What AWS's model lacks; ``params.yaml`` explains the members."""

    types: Mapping[str, str]
    further: Mapping[str, frozenset[str]]
    elsewhere: frozenset[str]
    open: frozenset[str]
    counts: Mapping[str, str]
    kept: Mapping[str, str]
    digested: Mapping[str, str]
    longest: Mapping[str, int]
    roots: Mapping[str, frozenset[str]]
    unread: frozenset[str]
    optional: Mapping[str, frozenset[str]]
    directories: frozenset[str]
    refused: Mapping[str, Mapping[str, str]]
    messages: Mapping[str, str]


_TABLES = msgspec.convert(beside(__file__, "params.yaml"), _Tables)
HEADERS = _TABLES.kept
"""The headers that are kept with an object, by parameter: the metadata that the system defines."""


class _Member(NamedTuple):
    """A parameter in the query, or in a header, whose name is in lower case."""

    name: str
    wire_name: str
    convert: Callable[[str], object]
    choices: frozenset[str]  # its values, if they are limited

    @property
    def may_be_empty(self) -> bool:
        """Whether an empty value is one: most numbers are then as if they were not sent."""
        is_number = self.convert in (integer, _LONG) and self.name != "PartNumber"
        return not (is_number or self.wire_name == checksums.ANNOUNCED)


class _Layout(NamedTuple):
    arguments: tuple[_Member, ...]
    headers: tuple[_Member, ...]
    maps: tuple[_Member, ...]
    payload: str
    body: Shape
    needs_body: bool


@functools.cache
def _layout(operation: str) -> _Layout:
    shape = operations.operation("s3", operation).input_shape
    places = ("querystring", "header", "headers")
    arguments, headers, maps = (tuple(_members(shape, place)) for place in places)
    if operation == "GetObjectAttributes":  # by its page, not by the model
        headers += tuple(one for one in _layout("GetObject").headers if one.name.startswith("If"))
    payload = shape.serialization.get("payload", "")
    needs_body = payload in shape.required_members
    return _Layout(arguments, headers, maps, payload, shape.members.get(payload), needs_body)


def _members(shape: StructureShape, location: str) -> Iterator[_Member]:
    for name, member in shape.members.items():
        if member.serialization.get("location") == location:
            wire_name = member.serialization["name"]
            wire_name = wire_name if location == "querystring" else wire_name.lower()
            convert = _CONVERTERS.get(_TABLES.types.get(name, member.type_name), str)
            value = member.member if member.type_name == "list" else member
            choices = {*getattr(value, "enum", ()), *_TABLES.further.get(member.name, ())}
            limited = choices - _TABLES.elsewhere if member.name not in _TABLES.open else ()
            yield _Member(name, wire_name, convert, frozenset(limited))


def parse(name: str, http: HttpRequest, where: Address) -> Document:
    """The parameters of the operation ``name``. An object's content is a :class:`Content`."""
    layout = _layout(name)
    address = {"Bucket": where.bucket, "Key": where.key}
    parsed: dict[str, object] = {name: value for name, value in address.items() if value}
    headers: dict[str, str] = {}
    for key, value in http.headers:  # S3 joins headers that have the same name
        headers[key.lower()] = ",".join(filter(None, (headers.get(key.lower()), value)))
    if not re.fullmatch("[0-9]{1,9}", headers.get("x-amz-max-parts", "0")):  # S3 ignores it
        del headers["x-amz-max-parts"]
    query = single(http)
    for members, given in ((layout.headers, headers), (layout.arguments, query)):
        for member in members:
            text = given.get(member.wire_name)
            if text or (text is not None and member.may_be_empty):
                parsed[member.name] = _converted(member, text)
    _refuse(name, headers, parsed, http)
    if name == "HeadBucket":  # S3 reads there what asks for a list, too
        parse("ListObjectsV2" if query.get("list-type") == "2" else "ListObjects", http, where)
    for member in layout.maps:
        start, pairs = member.wire_name, headers.items()
        parsed[member.name] = {k.removeprefix(start): v for k, v in pairs if k.startswith(start)}
    digest = _TABLES.digested.get(name)
    if digest and not (checksums.sent(headers) or _DIGESTS & headers.keys()):
        raise fault("InvalidRequest", f"Missing required header for this request: {digest}")
    return {**parsed, **_body(layout, http)}


def _refuse(operation: str, headers: Document, parsed: Document, http: HttpRequest) -> None:
    """Refuse what S3 does not ignore in operations that have no use for it."""
    for name in _TABLES.directories & headers.keys():
        raise fault("NotImplemented", Header=name)
    if _ENCRYPTED in headers and "ServerSideEncryption" not in parsed:
        raise invalid_argument(SAYS["no encryption"], _ENCRYPTED, headers[_ENCRYPTED])
    sent = {**headers, **{f"?{argument}=": None for argument, _ in http.query}}
    for start, message in _TABLES.refused.get(operation, {}).items():
        for name in (one for one in sent if one.startswith(start.lower())):
            shown = name.replace(start.lower(), start).strip("?=")
            raise invalid_argument(message, shown, sent[name])
    known = {member.wire_name for member in _layout(operation).arguments}
    version = dict(http.query).get("versionId")
    if version is not None and "versionId" not in known:
        raise invalid_argument(SAYS["version"], "versionId", version)
    for argument, value in http.query if "response-expires" in known else ():
        if argument.startswith("response-") and argument not in known:
            raise invalid_argument(SAYS["override"].format(argument), argument, value)
    if _SOURCE in headers and (http.method != "PUT" and "uploads" not in dict(http.query)):
        raise invalid_argument(SAYS["copy source"], _SOURCE, headers[_SOURCE])
    if "CopySource" in parsed and http.body:
        raise fault("InvalidRequest", SAYS["body in copy"])


def _converted(member: _Member, text: str) -> object:
    name = member.wire_name
    try:
        return member.convert(text)
    except (ValueError, msgspec.DecodeError):
        if member.name == "MpuObjectSize":
            raise fault("InvalidRequest", SAYS["no size"].format(text)) from None
        number = f"Provided {name} not an integer or within integer range"
        usual = number if member.convert in (integer, _LONG) else f"Invalid value for {name}"
        raise invalid_argument(_TABLES.messages.get(member.name, usual), name, text) from None


def _body(layout: _Layout, http: HttpRequest) -> Document:
    payload, shape = layout.payload, layout.body
    if not payload:
        return {}
    if shape.type_name == "blob":
        return {payload: _content(http)}
    if shape.type_name == "string":
        return {payload: http.body.decode("utf-8", errors="replace")}
    if len(http.body) > (most := _TABLES.longest.get(payload, _MOST_BYTES)):
        raise fault("MaxMessageLengthExceeded", MaxMessageLengthBytes=most)
    if http.body:
        try:
            root = fromstring(http.body, XMLParser(target=_Builder()))  # noqa: S314 - no declarations
            document = _structure(shape, root)
        except (LookupError, ParseError, ValueError):  # the first: an encoding
            raise _unfit(payload) from None
        if root.tag not in _TABLES.roots.get(payload, (root.tag,)):
            raise _unfit(payload)
        return {payload: document}
    if layout.needs_body:
        raise fault("MissingRequestBodyError")
    return {}


def _content(http: HttpRequest) -> Content:
    """The body of an object, hashed before a transaction begins."""
    for header in filter(http.has_header, ("Transfer-Encoding", "Content-Range")):
        raise fault("NotImplemented", Header=header)
    if not http.has_header("Content-Length"):
        raise fault("MissingContentLength")
    content = Content(http.body)
    _ = content.name, content.etag
    if not any(name.lower().startswith(checksums.PREFIX) for name, _ in http.headers):
        content.checksum(ADDED)
    return content


def check(request: ApiRequest) -> None:
    """Refuse values that S3 does not accept."""
    params, layout = request.params, _layout(request.operation)
    _check_protection(request)
    proof = request.authenticated
    if proof and proof.payload_hash == chunks.UNSIGNED_TRAILER and layout.payload != "Body":
        raise fault("InvalidRequest", SAYS["chunks"])
    locks = {name for name in params if name.startswith("ObjectLock") and params[name]}
    locks -= {"ObjectLockEnabledForBucket"}
    members = (*layout.headers, *layout.arguments)
    for member in [one for one in members if not locks or one.name in locks]:
        given = params.get(member.name)
        values = given if isinstance(given, list) else [given]
        bad = [value for value in values if value is not None and value not in member.choices]
        if bad and member.choices:
            raise _bad_choice(member, bad[0])
        if member.name == "ChecksumAlgorithm" and str(given).startswith("XXHASH"):
            raise fault("NotImplemented", Header=member.wire_name)
    if locks:  # no bucket has Object Lock
        raise fault("InvalidRequest", "Bucket is missing ObjectLockConfiguration")
    for name, shown in _TABLES.counts.items():
        if params.get(name, 0) < 0:
            if request.operation == "ListObjectVersions":
                raise invalid_argument("max-keys cannot be negative", "max-keys")
            raise invalid_argument(SAYS["count"].format(shown), shown, params[name])
    _check_metadata(params)
    given, optional = params.get(layout.payload), _TABLES.optional.get(layout.payload, frozenset())
    if layout.body is not None and not _fits(layout.body, given, optional):
        raise _unfit(layout.payload)


def _check_protection(request: ApiRequest) -> None:
    params, until = request.params, "x-amz-object-lock-retain-until-date"
    if params.get("ObjectLockRetainUntilDate", request.now) < request.now:
        raise invalid_argument(SAYS["retained"], until, request.http.header(until))
    if "BypassGovernanceRetention" in params:
        name = "x-amz-bypass-governance-retention"
        raise invalid_argument(f"{name} is only applicable to Object Lock enabled buckets.", name)
    for name in params:
        if "SSECustomerKey" in name and not params.get(f"{name.partition('Key')[0]}Algorithm"):
            raise invalid_argument(SAYS["customer algorithm"], "x-amz-server-side-encryption")


def _check_metadata(params: Document) -> None:
    system = {header: str(params[name]) for name, header in HEADERS.items() if params.get(name)}
    for metadata in (params.get("Metadata") or {}, system):
        size = sum(len(key) + len(value) for key, value in metadata.items())
        if size > _MOST_METADATA:
            raise fault("MetadataTooLarge", Size=size, MaxSizeAllowed=_MOST_METADATA)


def _unfit(payload: str) -> ApiFault:
    return fault("MalformedACLError" if payload == "AccessControlPolicy" else "MalformedXML")


def _bad_choice(member: _Member, given: str) -> ApiFault:
    if member.name == "StorageClass":
        return fault("InvalidStorageClass", StorageClassRequested=given)
    if member.name == "ACL":
        named = {"ArgumentName": member.wire_name, "ArgumentValue": given}
        return ApiFault("InvalidArgument", extra=named)
    if member.wire_name == "x-amz-checksum-algorithm":
        valid = ", ".join(sorted(member.choices))
        return fault("InvalidRequest", SAYS["checksum names"].format(valid))
    if member.name == "TransitionDefaultMinimumObjectSize":
        return fault("InvalidRequest", f"Invalid {member.name} found: {given}")
    if _TABLES.types.get(member.name) == "capitals":
        return fault("InvalidRequest", f"Value for {member.wire_name} header is invalid.")
    message = _TABLES.messages.get(member.name, f"Invalid value for {member.wire_name}")
    said = message.format(given)
    return invalid_argument(said, member.wire_name, given if said == message else None)


def _fits(shape: Shape, value: object, optional: Container[str]) -> bool:
    if isinstance(value, dict):
        needed = () if shape.name in _TABLES.open else shape.required_members
        return all(name in value or name in optional for name in needed) and all(
            _fits(member, value.get(name), optional) for name, member in shape.members.items()
        )
    if isinstance(value, list):
        return all(_fits(shape.member, item, optional) for item in value)
    limited = shape.type_name == "string" and shape.enum and shape.name not in _TABLES.open
    return value is None or not limited or value in {*shape.enum} - _TABLES.elsewhere
