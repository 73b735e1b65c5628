"""Which bucket and key a request addresses, and with which S3 operation.

S3 names an operation by its method, by whether it addresses the service, a bucket or an
object, and by sub-resources in the query (``?acl``). The tables are botocore's model's.
"""

import functools
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from urllib.parse import unquote

import msgspec
from botocore.model import OperationModel, StructureShape

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import fault, invalid_argument
from stslab.sandbox.api.model import HttpRequest

SERVICE, BUCKET, OBJECT = "SERVICE", "BUCKET", "OBJECT"
_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>.+?)(?:\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com|(?:\.s3(?:\.[a-z0-9-]+)?)?\.localhost)"
)
_BUCKET_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_LONGEST_KEY = 1024
# Older operations with the same request as the ones that took their place.
_SUPERSEDED = frozenset(
    {"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification"}
)
# Requests that only directory buckets and Object Lambda make, at addresses of their own.
_ELSEWHERE = frozenset({"ListDirectoryBuckets", "WriteGetObjectResponse"})


class Address(msgspec.Struct, frozen=True):
    """What a request addresses: nothing (the service), a bucket, or a key in a bucket."""

    bucket: str = ""
    key: str = ""

    @property
    def level(self) -> str:
        if not self.bucket:
            return SERVICE
        return OBJECT if self.key else BUCKET


class Candidate(msgspec.Struct, frozen=True):
    """What a request must have to be this operation, beyond its method and level."""

    name: str
    literals: Mapping[str, str] = msgspec.field(default_factory=dict)
    arguments: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()

    def fits(self, asked: AbstractSet[str], query: Mapping[str, str], http: HttpRequest) -> bool:
        """Whether the request has all that the operation asks for, and no other sub-resource."""
        return (
            asked <= self.accepted
            and all(query.get(name) == value for name, value in self.literals.items())
            and self.arguments <= query.keys()
            and all(http.has_header(name) for name in self.headers)
        )


def address(http: HttpRequest) -> Address:
    """The bucket and key, from the path, or from the host where that names the bucket."""
    found = _VIRTUAL_HOST.fullmatch(http.header("Host").rsplit(":", 1)[0].lower())
    bucket, rest = found["bucket"] if found else "", http.path[1:]
    if bucket in ("", "s3"):
        bucket, _, rest = rest.partition("/")
    try:
        bucket, key = unquote(bucket, errors="strict"), unquote(rest, errors="strict")
    except UnicodeDecodeError:
        raise fault("InvalidURI") from None
    return checked(Address(bucket, key))


def checked(where: Address) -> Address:
    """``where``, if its bucket's name can be one: no other can hide in an ARN made of it."""
    if (where.bucket or where.key) and not _BUCKET_NAME.fullmatch(where.bucket):
        raise fault("InvalidBucketName", BucketName=where.bucket)
    if len(where.key.encode()) > _LONGEST_KEY:
        raise fault("KeyTooLongError", Size=len(where.key.encode()), MaxSizeAllowed=_LONGEST_KEY)
    return where


def operation(http: HttpRequest, where: Address) -> str:
    query = single(http)
    asked = _subresources() & query.keys()
    named = sorted(asked - _TOGETHER)
    if len(named) > 1:
        message = f"Conflicting query string parameters: {', '.join(named)}"
        raise invalid_argument(message, "ResourceType", named[0])
    for candidate in candidates().get((http.method, where.level), ()):
        if candidate.fits(asked, query, http):
            return candidate.name
    raise fault("MethodNotAllowed", Method=http.method, ResourceType=where.level)


def single(http: HttpRequest) -> dict[str, str]:
    arguments: dict[str, str] = {}
    for name, value in http.query:
        if name in arguments:
            raise invalid_argument("The argument is given more than once.", name, value)
        arguments[name] = value
    arguments.pop("x-id", None)  # the JavaScript SDK repeats the operation's name there
    return arguments


# Sub-resources that qualify another one, or an upload, and do not name an operation alone.
_TOGETHER = frozenset({"select-type", "partNumber", "id", "annotationName", "list-type"})


@functools.cache
def candidates() -> Mapping[tuple[str, str], tuple[Candidate, ...]]:
    """The operations by what their requests look like; the first call takes a while."""
    table: dict[tuple[str, str], list[Candidate]] = {}
    for name in sorted(operations.names("s3") - _SUPERSEDED - _ELSEWHERE):
        model = operations.operation("s3", name)
        place = operations.method(model), _level(operations.path(model))
        table.setdefault(place, []).append(_candidate(name, model))
    return {place: tuple(sorted(found, key=_rank)) for place, found in table.items()}


def _rank(one: Candidate) -> int:
    """The more particular of two that fit comes first."""
    return -len(one.literals) - len(one.arguments) - len(one.headers)


def _level(path: str) -> str:
    if "{Key+}" in path:
        return OBJECT
    return BUCKET if "{Bucket}" in path else SERVICE


def _candidate(name: str, model: OperationModel) -> Candidate:
    shape = model.input_shape
    literals = operations.literals(model)
    accepted = {
        member.serialization["name"]
        for member in shape.members.values()
        if member.serialization.get("location") == "querystring"
    }
    return Candidate(
        name,
        literals,
        _required(shape, "querystring"),
        _required(shape, "header") & _NAMING_HEADERS,
        frozenset(accepted | literals.keys()),
    )


def _required(shape: StructureShape, location: str) -> frozenset[str]:
    members = [shape.members[name].serialization for name in shape.required_members]
    return frozenset(one["name"] for one in members if one.get("location") == location)


# Of the headers that an operation requires, those that tell it from another.
_NAMING_HEADERS = frozenset({"x-amz-copy-source"})


@functools.cache
def _subresources() -> frozenset[str]:
    """Every argument that some operation requires by name."""
    found: set[str] = set()
    for fitting in candidates().values():
        for candidate in fitting:
            found.update(candidate.literals, candidate.arguments)
    return frozenset(found)
