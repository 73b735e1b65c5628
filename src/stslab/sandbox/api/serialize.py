"""Results and faults as each service's own protocol writes them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from moto.core.serialize import (
    DefaultAttributePicker,
    QuerySerializer,
    S3Serializer,
    SerializationContext,
    TimestampSerializer,
)

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, ApiResponse, Pairs

XML = "text/xml"
S3_XML = "application/xml"
_NO_XML = (*(code for code in range(0x20) if chr(code) not in "\t\n\r"), 0xFFFE, 0xFFFF)
_CONTROL = dict.fromkeys(_NO_XML, "\ufffd")


class _SecondsQuerySerializer(QuerySerializer):
    """IAM, STS and CloudFormation write times to the second."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timestamp_serializer = _WholeSeconds(self.DEFAULT_TIMESTAMP_FORMAT)


class _WholeSeconds(TimestampSerializer):
    ISO8601_MICRO = TimestampSerializer.ISO8601


_SERIALIZERS: Mapping[str, Any] = {
    "iam": _SecondsQuerySerializer,
    "sts": _SecondsQuerySerializer,
    "cloudformation": _SecondsQuerySerializer,
    "s3": S3Serializer,
}


def result(
    service: str,
    operation: str,
    value: object,
    request_id: str,
    picker: Any = None,
) -> ApiResponse:
    """The answer of a call that succeeded: ``value`` in the operation's output shape.

    ``picker`` says how members are read from ``value``: from mappings by default, from moto's
    own objects where moto answers.
    """
    serializer = _SERIALIZERS[service](
        operation_model=operations.operation(service, operation),
        context=SerializationContext(request_id),
        value_picker=picker or DefaultAttributePicker(),
    )
    written = serializer.serialize(value)
    body = written["body"] or b""
    headers = (*written["headers"].items(), *request_ids(service, request_id))
    return ApiResponse(
        written["status_code"], headers, body.encode() if isinstance(body, str) else body
    )


def request_ids(service: str, request_id: str) -> Pairs:
    """The headers in which the service names the request, and S3 itself."""
    if service == "s3":
        host = ("x-amz-id-2", S3Serializer.DEFAULT_HOST_ID)
        return (("x-amz-request-id", request_id), host, ("Server", "AmazonS3"))
    return (("x-amzn-RequestId", request_id),)


def fault(
    service: str,
    problem: ApiFault,
    request_id: str,
    *,
    head: bool = False,
    in_json: bool = False,
) -> ApiResponse:
    """An error, in the body that the service's clients understand.

    An answer to ``head`` has no body. ``in_json`` is for services that the sandbox lacks and
    whose protocols are JSON's.
    """
    headers = (*problem.headers, *request_ids(service, request_id))
    if head or problem.status == 304:  # noqa: PLR2004 - Not Modified has no body
        return ApiResponse(problem.status, headers)
    if in_json:
        return _json_error(problem, headers)
    write = _s3_error if service == "s3" else _query_error
    kind = S3_XML if service == "s3" else XML
    body = write(service, problem, request_id)
    return ApiResponse(problem.status, (("Content-Type", kind), *headers), body.encode())


@functools.cache
def _namespace(service: str) -> str:
    if service not in operations.SERVICES:
        return ""
    return f' xmlns="{operations.model(service).metadata["xmlNamespace"]}"'


def _query_error(service: str, problem: ApiFault, request_id: str) -> str:
    members = {"Type": problem.fault, "Code": problem.code, "Message": problem.message}
    return (
        f"<ErrorResponse{_namespace(service)}><Error>{_elements({**members, **problem.extra})}"
        f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _json_error(problem: ApiFault, headers: Pairs) -> ApiResponse:
    body = json.dumps({"__type": problem.code, "message": problem.message}).encode()
    named = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", problem.code))
    return ApiResponse(problem.status, (*named, *headers), body)


def _s3_error(_service: str, problem: ApiFault, request_id: str) -> str:
    members = {
        "Code": problem.code,
        "Message": problem.message,
        **problem.extra,
        "RequestId": request_id,
        "HostId": S3Serializer.DEFAULT_HOST_ID,
    }
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{_elements(members)}</Error>'


def _elements(members: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{text(value)}</{name}>" for name, value in members.items())


def text(value: object) -> str:
    """``value`` as text of an XML element; what XML can't hold becomes U+FFFD."""
    return escape(str(value).translate(_CONTROL))
