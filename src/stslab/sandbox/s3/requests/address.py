"""Finds the bucket, the key and the operation of an S3 request.

The operation follows from the method, the address (the service, a bucket or an object), and
sub-resources in the query (``?acl``). The tables come from botocore's model.
"""

import functools
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from itertools import accumulate
from urllib.parse import unquote, unquote_plus

import msgspec

from stslab.sandbox.api import operations
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.http import bucket_in_host
from stslab.sandbox.api.model import HttpRequest
from stslab.structures import beside

SERVICE, BUCKET, OBJECT = "SERVICE", "BUCKET", "OBJECT"
BUCKET_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_LONGEST_KEY = 1024
Exists = Callable[[str], object]  # finds a bucket by its name; ``bool`` takes each as there
_TABLES = beside(__file__, "address.yaml")


class Address(msgspec.Struct, frozen=True):
    """The address of a request: the service (both empty), a bucket, or an object."""

    bucket: str = ""
    key: str = ""

    @property
    def level(self) -> str:
        return OBJECT if self.key else BUCKET if self.bucket else SERVICE


class Candidate(msgspec.Struct, frozen=True):
    """An operation, and what its requests must have beyond their method and level."""

    name: str
    literals: Mapping[str, str]
    required: frozenset[str]
    accepted: frozenset[str]
    copies: bool

    def fits(self, named: AbstractSet[str], query: Mapping[str, str], http: HttpRequest) -> bool:
        return (
            named <= self.accepted
            and self.required <= query.keys()
            and all(value in ("", query[name]) for name, value in self.literals.items())
            and (not self.copies or http.has_header("x-amz-copy-source"))
        )


def address(http: HttpRequest) -> Address:
    """The bucket, from the host or the path, and the key, in which + is a space."""
    bucket, rest = bucket_in_host(http), http.path[1:]
    if not bucket:
        bucket, _, rest = rest.partition("/")
    try:
        bucket, key = unquote(bucket, errors="strict"), unquote_plus(rest, errors="strict")
    except UnicodeDecodeError:
        raise fault("InvalidURI") from None
    where, named = checked(Address(bucket, key)), {name for name, _ in http.query}
    return Address(bucket) if named.intersection(_TABLES["of a bucket"]) else where


def checked(where: Address) -> Address:
    """S3 User Guide, "Naming Amazon S3 objects": a key may not go above its bucket."""
    if (where.bucket or where.key) and not BUCKET_NAME.fullmatch(where.bucket):
        raise fault("InvalidBucketName", BucketName=where.bucket)
    if len(where.key.encode()) > _LONGEST_KEY:
        raise fault("KeyTooLongError", Size=len(where.key.encode()), MaxSizeAllowed=_LONGEST_KEY)
    steps = (-1 if part == ".." else part not in ("", ".") for part in where.key.split("/"))
    if any(level < 0 for level in accumulate(steps)):
        raise fault("BadRequest")
    return where


def operation(http: HttpRequest, where: Address, exists: Exists = bool) -> str:
    """The name of the request's operation. Raises S3's error if there is none."""
    if http.method not in _TABLES["methods"]:
        raise fault("BadRequest", SAYS["unread"])
    query = {} if where.level == SERVICE and http.method != "GET" else single(http)
    if http.method == "GET" and not query.get("id"):  # an empty id asks for the list
        query.pop("id", None)
    kinds, ignored = _TABLES["kinds"], _TABLES["ignored"].get(f"{http.method} {where.level}", ())
    found = (kinds.keys() & query.keys()).difference(ignored)
    subresources = sorted(found - ({"annotationName"} if "annotation" in found else set()))
    asked = " ".join(subresources)
    if len(subresources) > 1 and asked != "partNumber uploadId":
        message = f"Conflicting query string parameters: {', '.join(subresources)}"
        raise invalid_argument(message, "ResourceType", subresources[0])
    form = http.header("Content-Type").lower().startswith("multipart/form-data")
    what = f"{http.method} {where.level} {'form' if form else asked}".strip()
    no_bucket = functools.partial(fault, "NoSuchBucket", BucketName=where.bucket)
    absent = what in _TABLES["later"] and not exists(where.bucket)
    says = _TABLES["versions"].get(f"{http.method} {asked}", "version") if asked else ""
    if says and where.level == BUCKET and "versionId" in query and asked != "partNumber":
        misplaced = invalid_argument(SAYS[says], "versionId", query["versionId"])
        raise no_bucket() if absent else misplaced
    if query.get("website"):
        raise invalid_argument(SAYS["website"], "website", query["website"])
    for candidate in candidates().get((http.method, where.level), ()):
        if candidate.fits(set(subresources), query, http):
            return candidate.name
    if absent:
        raise no_bucket()
    if refusal := _TABLES["refusals"].get(what):
        raise fault(**refusal)
    named = kinds.get(f"{where.level} {asked}") or kinds.get(asked, where.level)
    others = _TABLES["ignored"].get(f"GET {where.level}", kinds)
    foreign = asked in others or http.method in re.split(",? ", named)
    kind, _, allowed = (where.level if foreign else named).partition(" ")
    headers = (("Allow", allowed),) if allowed else ()
    raise fault("MethodNotAllowed", Method=http.method, ResourceType=kind, headers=headers)


def single(http: HttpRequest) -> dict[str, str]:
    """The query parameters. Of a repeated one S3 reads the first."""
    arguments = dict(reversed(http.query))
    arguments.pop("x-id", None)  # the JavaScript SDK repeats the operation's name there
    return arguments


@functools.cache
def candidates() -> Mapping[tuple[str, str], tuple[Candidate, ...]]:
    """The operations by method and level, the most specific first. The first call is slow."""
    table: dict[tuple[str, str], list[Candidate]] = {}
    for name in sorted(operations.names("s3").difference(_TABLES["unnamed"])):
        model = operations.operation("s3", name)
        path, literals = operations.uri(model)
        level = OBJECT if "{Key+}" in path else BUCKET if "{Bucket}" in path else SERVICE
        members = model.input_shape.members.items()
        needed = model.input_shape.required_members
        arguments = {
            member: its.serialization["name"]
            for member, its in members
            if its.serialization.get("location") == "querystring"
        }
        required = {arguments[member] for member in needed if member in arguments} | {*literals}
        accepted = frozenset({*arguments.values(), *literals})
        made = Candidate(name, literals, frozenset(required), accepted, "CopySource" in needed)
        table.setdefault((str(model.http["method"]), level), []).append(made)
    return {
        place: tuple(sorted(group, key=lambda one: len(one.required) + one.copies, reverse=True))
        for place, group in table.items()
    }
