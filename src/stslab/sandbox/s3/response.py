"""The moto object that answers S3 requests, with the account, bucket and key given to it.

moto's own reading of hosts, forms, accounts and permissions is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from stslab.sandbox.api.model import ApiRequest

_OK = 200
Answered = tuple[int, Mapping[str, Any], Any]


class Response(S3Response):
    """Answers one request, whose parts are given and not read again."""

    def __init__(self, request: ApiRequest, http: Request, path: str, uri: str) -> None:
        super().__init__()
        self._key = str(request.params.get("Key", ""))
        self.bucket_name = str(request.params.get("Bucket", ""))
        self.current_account = request.account
        self.access_key = request.caller.access_key_id
        self.region = request.region
        self.partition = "aws"
        self.normalized_request = self.request = http
        self.method = http.method
        self.headers = http.headers
        self.body = self.raw_body = request.http.body
        self.path = self.raw_path = path
        self.uri = uri
        self.query: dict[str, Any] = {name: [value] for name, value in http.args.items()}
        self.querystring = self.data = dict(self.query)
        self.uri_match = {}
        self.is_werkzeug_request = True
        self.response_headers = {}

    def carry_out(self) -> Answered:
        """The status, headers and body, with the range applied that was asked for.

        Raises:
            ServiceException: what moto answers where it can't.
        """
        dispatch = _DISPATCH.get((self.method, bool(self._key)), Response.on_bucket)
        answered = dispatch(self)
        if isinstance(answered, ActionResult):
            answered = self.serialized(answered)
        if isinstance(answered, (str, bytes)):
            answered = (_OK, {}, answered)
        if answered[0] == _OK and self._key and "range" in self.headers:
            answered = self._handle_range_header(self.request, answered[1], answered[2])
        status, headers, body = answered
        return int(status), headers, body

    def on_bucket(self) -> Any:
        """Answer a request on a bucket, or on the service."""
        return self._bucket_response(self.request, self.uri)

    def get(self) -> Any:
        """Answer GET of an object."""
        return self._key_response_get(self.query, self._key)

    def put(self) -> Any:
        """Answer PUT of an object."""
        return self._key_response_put(self.query, self._key)

    def head(self) -> Any:
        """Answer HEAD of an object."""
        headers: Any = self.headers
        return self.head_object(self.bucket_name, self.query, self._key, headers)

    def delete(self) -> Any:
        """Answer DELETE of an object."""
        return self._key_response_delete(self.bucket_name, self.query, self._key)

    def post(self) -> Any:
        """Answer POST to an object."""
        body: bytes = self.body
        return self._key_response_post(self.request, body, self.bucket_name, self.query, self._key)

    @staticmethod
    def subdomain_based_buckets(request: Any) -> bool:  # noqa: ARG004 - moto's signature
        """The bucket is never in the host: the gate rebuilt the request."""
        return False

    def parse_bucket_name_from_url(self, request: Any, url: str) -> str:  # noqa: ARG002 - moto's signature
        """The bucket that was authorized."""
        return self.bucket_name

    def parse_key_name(self) -> str:
        """The key that was authorized."""
        return self._key

    def get_current_account(self) -> str:
        """The account that the gate chose."""
        return self.current_account

    def is_delete_keys(self) -> bool:
        """Whether this is DeleteObjects."""
        return "delete" in self.querystring

    def _authenticate_and_authorize_s3_action(
        self, bucket_name: str | None = None, key_name: str | None = None
    ) -> None:
        """The gate has decided."""


_DISPATCH: Mapping[tuple[str, bool], Callable[[Response], Any]] = {
    ("GET", True): Response.get,
    ("PUT", True): Response.put,
    ("HEAD", True): Response.head,
    ("DELETE", True): Response.delete,
    ("POST", True): Response.post,
}
