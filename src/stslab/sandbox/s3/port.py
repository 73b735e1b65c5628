"""S3 as moto carries it out: a request rebuilt from what was authorized.

The method, the path and the query come from the operation and its parameters, the headers are
those that the operation has by AWS's model, and the account is the one that the gate chose.
moto's own reading of hosts, forms, accounts and permissions is left out.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from stslab.sandbox import operations, serialize
from stslab.sandbox.model import ApiFault, ApiRequest, ApiResponse, HttpRequest
from stslab.sandbox.moto_faults import carried_out
from stslab.sandbox.s3 import errors

_HOST = "s3.amazonaws.com"
_DEFAULT_ACCOUNT = "000000000000"
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


class _Response(S3Response):  # type: ignore[misc]
    """moto's answers to S3 requests, with the account, the bucket and the key given to it."""

    def __init__(self, request: ApiRequest, http: Request, path: str, query: str) -> None:
        super().__init__()
        self._key = request.params.get("Key", "")
        self.bucket_name = request.params.get("Bucket", "")
        self.current_account = request.account or _DEFAULT_ACCOUNT
        self.access_key = request.caller.access_key_id
        self.region = request.region
        self.partition = "aws"
        self.normalized_request = self.request = http
        self.method = http.method
        self.headers = http.headers
        self.body = self.raw_body = request.http.body
        self.path = self.raw_path = path
        self.uri = f"https://{_HOST}{path}?{query}"
        self.querystring = {name: [value] for name, value in http.args.items()}
        self.data = self.querystring
        self.form_data: Mapping[str, str] = {}
        self.uri_match = {}
        self.is_werkzeug_request = True
        self.response_headers = {}

    def subdomain_based_buckets(self, _request: Any) -> bool:
        return False

    def parse_bucket_name_from_url(self, _request: Any, _url: str) -> str:
        name: str = self.bucket_name
        return name

    def parse_key_name(self) -> str:
        key: str = self._key
        return key

    def get_current_account(self) -> str:
        account: str = self.current_account
        return account

    def is_delete_keys(self) -> bool:
        return "delete" in self.querystring

    def _authenticate_and_authorize_s3_action(self, **_: Any) -> None:
        """The gate has decided."""


Dispatch = Callable[[_Response, Mapping[str, Any]], Any]


def _on_object(name: str) -> Dispatch:
    def dispatch(response: _Response, query: Mapping[str, Any]) -> Any:
        return getattr(response, name)(query, response.parse_key_name())

    return dispatch


def _head_object(response: _Response, query: Mapping[str, Any]) -> Any:
    return response.head_object(
        response.bucket_name, query, response.parse_key_name(), headers=response.headers
    )


def _delete_object(response: _Response, query: Mapping[str, Any]) -> Any:
    return response._key_response_delete(  # noqa: SLF001 - moto has no other entrance
        response.bucket_name, query, response.parse_key_name()
    )


def _post_object(response: _Response, query: Mapping[str, Any]) -> Any:
    return response._key_response_post(  # noqa: SLF001 - moto has no other entrance
        response.request, response.body, response.bucket_name, query, response.parse_key_name()
    )


def _bucket(response: _Response, _query: Mapping[str, Any]) -> Any:
    return response._bucket_response(response.request, response.uri)  # noqa: SLF001 - likewise


_DISPATCH: Mapping[tuple[str, bool], Dispatch] = {
    ("GET", True): _on_object("_key_response_get"),
    ("PUT", True): _on_object("_key_response_put"),
    ("HEAD", True): _head_object,
    ("DELETE", True): _delete_object,
    ("POST", True): _post_object,
}

# What moto has no code for: it would answer the request as another operation.
LACKING = frozenset(
    {
        "CreateBucketMetadataConfiguration",
        "CreateBucketMetadataTableConfiguration",
        "CreateSession",
        "DeleteBucketAnalyticsConfiguration",
        "DeleteBucketIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration",
        "DeleteBucketMetadataConfiguration",
        "DeleteBucketMetadataTableConfiguration",
        "DeleteBucketMetricsConfiguration",
        "DeleteObjectAnnotation",
        "DeleteObjects",
        "GetBucketAbac",
        "GetBucketAnalyticsConfiguration",
        "GetBucketIntelligentTieringConfiguration",
        "GetBucketMetadataConfiguration",
        "GetBucketMetadataTableConfiguration",
        "GetBucketMetricsConfiguration",
        "GetBucketRequestPayment",
        "GetObjectAnnotation",
        "GetObjectRetention",
        "GetObjectTorrent",
        "ListBucketAnalyticsConfigurations",
        "ListBucketIntelligentTieringConfigurations",
        "ListBucketMetricsConfigurations",
        "ListObjectAnnotations",
        "PutBucketAbac",
        "PutBucketAnalyticsConfiguration",
        "PutBucketIntelligentTieringConfiguration",
        "PutBucketMetricsConfiguration",
        "PutBucketRequestPayment",
        "PutObjectAnnotation",
        "RenameObject",
        "UpdateBucketMetadataAnnotationTableConfiguration",
        "UpdateBucketMetadataInventoryTableConfiguration",
        "UpdateBucketMetadataJournalTableConfiguration",
        "UpdateObjectEncryption",
    }
)


def answer(request: ApiRequest) -> ApiResponse:
    """Carry the request out.

    Raises:
        ApiFault: what S3 answers where it can't be.
    """
    with carried_out(request):
        status, headers, body = _answered(request)
    return ApiResponse(
        int(status),
        (*_headers(headers), *serialize.request_ids("s3", request.request_id)),
        body.encode() if isinstance(body, str) else bytes(body or b""),
    )


def _answered(request: ApiRequest) -> tuple[int, Mapping[str, Any], Any]:
    path, query, headers = _rebuilt(request)
    http = _request(request, path, query, headers)
    response = _Response(request, http, path, query)
    has_key = bool(request.params.get("Key"))
    dispatch = _DISPATCH.get((http.method, has_key), _bucket)
    try:
        answered = dispatch(response, {name: [value] for name, value in http.args.items()})
        if isinstance(answered, ActionResult):
            answered = response.serialized(answered)
        if isinstance(answered, (str, bytes)):
            answered = (200, {}, answered)
        if answered[0] == 200 and "range" in headers and has_key:  # noqa: PLR2004 - OK
            answered = response._handle_range_header(http, answered[1], answered[2])  # noqa: SLF001 - moto has no other entrance
    except ServiceException as error:
        raise errors.of_moto(request, error) from None
    return answered  # type: ignore[no-any-return]


@functools.cache
def _accepted(operation: str) -> tuple[str, str, Mapping[str, str], frozenset[str], frozenset[str]]:
    """The method, the literals, the query's names and the headers that the operation has."""
    model = operations.operation("s3", operation)
    members = model.input_shape.members if model.input_shape else {}
    places: dict[str, set[str]] = {"querystring": set(), "header": set()}
    for name, member in members.items():
        location = member.serialization.get("location")
        if location in places:
            places[location].add(member.serialization.get("name", name))
    return (
        model.http_trait.method,
        operation,
        model.http_trait.query_args,
        frozenset(places["querystring"]),
        frozenset(name.lower() for name in places["header"]) | _ALSO,
    )


def _rebuilt(request: ApiRequest) -> tuple[str, str, Mapping[str, str]]:
    _, _, literals, arguments, accepted = _accepted(request.operation)
    bucket, key = request.params.get("Bucket", ""), request.params.get("Key", "")
    path = f"/{quote(bucket, safe='')}/{quote(key, safe='/')}" if key else f"/{quote(bucket)}"
    query = [*literals.items()]
    query += [pair for pair in request.http.query if pair[0] in arguments]
    headers = {
        name.lower(): value
        for name, value in request.http.headers
        if name.lower() in accepted or name.lower().startswith(_METADATA)
    }
    return path, urlencode(query), headers


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


def _headers(answered: Mapping[str, Any]) -> list[tuple[str, str]]:
    dropped = {"date", "server", "status", "x-amzn-requestid", "content-length"}
    return [
        (name, str(value))
        for name, value in answered.items()
        if name.lower() not in dropped and isinstance(value, (str, int))
    ]


def names() -> frozenset[str]:
    """The operations of S3 that moto has."""
    from stslab.sandbox.s3 import needs

    return needs.OPERATIONS - LACKING


def http_of(method: str, where: str, body: bytes) -> HttpRequest:
    """A request of the sandbox's own making, for the calls that services make inside."""
    return HttpRequest(method, where, (), "", (), body, source_ip="")


def lacking(operation: str) -> ApiFault:
    """The refusal of what moto lacks."""
    return ApiFault("NotImplemented", f"The sandbox does not implement s3:{operation}.", 501)
