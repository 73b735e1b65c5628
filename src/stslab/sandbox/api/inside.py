"""Calls that a service makes inside the sandbox: to and from HTTP's shapes.

S3's handlers read HTTP requests, and moto's answers are bodies: botocore's own serializers and
parsers turn Python values into the one and the other back into Python values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiRequest, ApiResponse, HttpRequest

AGENT = "cloudformation.amazonaws.com"


def request(service: str, operation: str, params: Mapping[str, Any]) -> HttpRequest:
    """The request that a client would send for ``params``, unsigned and from nowhere."""
    model = operations.operation(service, operation)
    protocol = model.service_model.resolved_protocol
    sent = create_serializer(protocol, include_validation=False).serialize_to_request(
        dict(params), model
    )
    headers = {**sent["headers"], "User-Agent": AGENT}
    body = sent["body"]
    return HttpRequest(
        sent["method"],
        sent["url_path"].partition("?")[0],
        tuple((name, str(value)) for name, value in _query(sent)),
        "",
        tuple((name, str(value)) for name, value in headers.items()),
        body if isinstance(body, bytes) else str(body or "").encode() if service == "s3" else b"",
        source_ip="",
    )


def _query(sent: Mapping[str, Any]) -> list[tuple[str, Any]]:
    query = sent.get("query_string") or {}
    return list(query.items()) if isinstance(query, Mapping) else list(query)


def output(api: ApiRequest, response: ApiResponse) -> Mapping[str, Any]:
    """What boto3 would return for ``response``, less its metadata."""
    model = operations.operation(api.service, api.operation)
    parser = create_parser(model.service_model.resolved_protocol)
    parsed: dict[str, Any] = parser.parse(
        {
            "status_code": response.status,
            "headers": dict(response.headers),
            "body": response.body,
        },
        model.output_shape,
    )
    parsed.pop("ResponseMetadata", None)
    return parsed
