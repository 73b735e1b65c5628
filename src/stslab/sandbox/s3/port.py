"""S3 as moto carries it out: a request rebuilt from what was authorized.

The method, the path and the query come from the operation and its parameters, the headers are
those that the operation has by AWS's model, and the account is the one that the gate chose.
moto's own reading of hosts, forms, accounts and permissions is left out.
"""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.s3.models import OWNER

from stslab.sandbox.api import operations, serialize
from stslab.sandbox.api.model import ApiRequest, ApiResponse
from stslab.sandbox.s3 import errors
from stslab.sandbox.s3.requests import needs
from stslab.sandbox.s3.response import Response
from stslab.sandbox.saved.moto_faults import carried_out
from stslab.sandbox.signing import checksums

_HOST = "s3.amazonaws.com"
# Headers that the operations' models do not list, and that S3 takes all the same.
_ALSO = frozenset(
    {
        "content-type",
        "content-encoding",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-md5",
        "expires",
        "origin",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-checksum-algorithm",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha1",
        "x-amz-checksum-sha256",
    }
)
_METADATA = "x-amz-meta-"
_RANGE = re.compile(r"bytes=(\d+-\d*|-\d+)")
_MOST_KEYS = 1000
_STORING = frozenset({"PutObject", "UploadPart"})
_XML = b"<?xml"
# S3 API Reference, "Owner": S3 gives no display names any more.
_NO_NAME = b"<DisplayName>webfile</DisplayName>"
_OWNERS = (OWNER.encode(), b"bcaf1ffd86f41161ca5fb16fd081034f")


def answer(request: ApiRequest) -> ApiResponse:
    """Carry the request out.

    Raises:
        ApiFault: what S3 answers where it can't be.
    """
    with carried_out(request):
        status, headers, body = _answered(request)
    if status == errors.NOT_FOUND and request.operation == "HeadBucket":
        raise errors.no_such_bucket(request)  # moto says so without its name, which the log tells
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    kept = _headers(headers, head=request.http.method == "HEAD")
    if content and not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("Content-Type", serialize.S3_XML))
    return ApiResponse(status, (*kept, *serialize.request_ids("s3", request.request_id)), content)


def owned_by(canonical_id: str, response: ApiResponse) -> ApiResponse:
    """``response`` with the owner that it names being the account; moto names its own."""
    is_xml = ("Content-Type", serialize.S3_XML) in response.headers
    if not is_xml or not response.body.startswith(_XML):
        return response
    body = response.body.replace(_NO_NAME, b"")
    for owner in _OWNERS:
        body = body.replace(owner, canonical_id.encode())
    return replace(response, body=body)


def _answered(request: ApiRequest) -> tuple[int, Mapping[str, Any], Any]:
    path, query, headers = _rebuilt(request)
    http = _request(request, path, query, headers)
    try:
        return Response(request, http, path, f"https://{_HOST}{path}?{query}").carry_out()
    except ServiceException as error:
        raise errors.of_moto(request, error) from None


@functools.cache
def _accepted(operation: str) -> tuple[str, Mapping[str, str], frozenset[str], frozenset[str]]:
    """The method, the literals, the query's names and the headers that the operation has."""
    model = operations.operation("s3", operation)
    members = model.input_shape.members if model.input_shape else {}
    places: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for name, member in members.items():
        location = member.serialization.get("location")
        if location in places:
            places[location].add(member.serialization.get("name", name))
    return (
        operations.method(model),
        operations.literals(model),
        frozenset(places["querystring"]),
        frozenset(name.lower() for name in places["header"]) | _ALSO,
    )


def _rebuilt(request: ApiRequest) -> tuple[str, str, Mapping[str, str]]:
    _, literals, arguments, accepted = _accepted(request.operation)
    bucket, key = request.params.get("Bucket", ""), request.params.get("Key", "")
    path = f"/{quote(bucket, safe='')}/{quote(key, safe='/')}" if key else f"/{quote(bucket)}"
    query = [*literals.items()]
    query += [_capped(pair) for pair in request.http.query if pair[0] in arguments]
    headers = {
        name.lower(): value
        for name, value in request.http.headers
        if name.lower() in accepted or name.lower().startswith(_METADATA)
    }
    if not _RANGE.fullmatch(headers.get("range", "bytes=0-")):
        del headers["range"]  # S3 answers with the whole object (RFC 9110, "Range")
    algorithm = _algorithm(headers) if request.operation in _STORING else ""
    if algorithm:
        headers.setdefault("x-amz-sdk-checksum-algorithm", algorithm)
    if "CopySource" in request.params:  # the object that was authorized, whatever else it could be
        headers["x-amz-copy-source"] = needs.source_header(request)
    return path, urlencode(query), headers


def _capped(pair: tuple[str, str]) -> tuple[str, str]:
    """An argument; a page has 1,000 keys at most (S3 API Reference, "ListObjectsV2")."""
    name, value = pair
    return (name, str(min(int(value), _MOST_KEYS))) if name == "max-keys" and value else pair


def _algorithm(headers: Mapping[str, str]) -> str:
    """The algorithm of the checksum that came along, which was verified, for moto to keep it.

    S3 User Guide, "Checking object integrity in Amazon S3": a header or a trailer brings it.
    """
    found = (name.removeprefix(checksums.PREFIX) for name in headers)
    return next((name.upper() for name in found if name in checksums.ALGORITHMS), "")


def _request(request: ApiRequest, path: str, query: str, headers: Mapping[str, str]) -> Request:
    environ = {
        "REQUEST_METHOD": _accepted(request.operation)[0],
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": query,
        "SERVER_NAME": _HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": _HOST,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(request.http.body),
        "CONTENT_LENGTH": str(len(request.http.body)),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    http = Request(environ)
    environ["moto.preserved_header_names"] = {
        f"HTTP_{name.upper().replace('-', '_')}": name for name in headers if "_" in name
    }
    return http


def _headers(answered: Mapping[str, Any], *, head: bool) -> list[tuple[str, str]]:
    """Those that go back; the length is the body's, except to HEAD, which has none."""
    dropped = {"date", "server", "status", "x-amzn-requestid", "x-amz-sdk-checksum-algorithm"}
    dropped |= set() if head else {"content-length"}
    return [
        (name, str(value))
        for name, value in answered.items()
        if name.lower() not in dropped and isinstance(value, (str, int))
    ]
