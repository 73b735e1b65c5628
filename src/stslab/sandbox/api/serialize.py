"""Writes results and errors: Smithy 2.0, "AWS query protocol" and "AWS restXml protocol"."""

import base64
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from stslab.sandbox.api import operations
from stslab.sandbox.api.identifiers import TOOLBOX_PATH
from stslab.sandbox.api.model import Answer, ApiFault, ApiResponse, HttpRequest, Pairs, iso
from stslab.sandbox.api.operations import Shape
from stslab.structures import beside

XML = "text/xml"
_JSON = "application/json"
S3_XML = "application/xml"
_AMZ_JSON = "application/x-amz-json-1.1"
S3_HOST_ID = "9Gjjt1m+cjU4OPvX9O9/8RuvnG41MRb/18Oux2o5H5MY7ISNTlXN+Dz9IG62/ILVxhAGI0qyPfg="
"""``x-amz-id-2``, the id of a host of S3. The embedded account has one host."""
_S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ELSEWHERE = {"location", "xmlAttribute"}  # what a member has that is not an element
_XML_START = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TABLES = beside(__file__, "answers.yaml")
_TO_THE_MILLISECOND = frozenset(_TABLES["to the millisecond"])
_WITH_ZEROS = frozenset(_TABLES["with zeros"])
_NO_XML = {*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF} - {*b"\t\n\r"}
_IN_XML = dict.fromkeys(_NO_XML, "\ufffd")
_json = functools.partial(json.dumps, separators=(",", ":"), sort_keys=True)  # as AWS does


def result(
    service: str, operation: str, answer: Answer, request_id: str, http: HttpRequest
) -> ApiResponse:
    """The response of a call that succeeded, in the protocol of the service."""
    if service == "s3":
        return _rest(operation, answer, request_id)
    shape = operations.operation(service, operation).output_shape
    wrapper = shape.serialization.get("resultWrapper", f"{operation}Result") if shape else ""
    if _wants_json(http):
        members = {wrapper: _as_json(shape, answer)} if shape else {}
        members["ResponseMetadata"] = {"RequestId": request_id}
        kind, text = _JSON, _json({f"{operation}Response": members})
    else:
        body = f"<{wrapper}>{_members(shape, answer)}</{wrapper}>" if shape else ""
        body += f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        kind, root = XML, f"{operation}Response"
        text = f"<{root}{_namespace(service)}>{body}</{root}>"
    headers = (("Content-Type", kind), *request_ids(service, request_id))
    return ApiResponse(200, headers, text.encode())


def _wants_json(http: HttpRequest) -> bool:
    """Whether the client asks for JSON first, as kubernetes-sigs/aws-iam-authenticator does."""
    return http.header("Accept").partition(",")[0].partition(";")[0].strip() == _JSON


def _as_json(shape: Shape, value: Any) -> object:
    """A value as JSON types, null for none; a time in seconds since 1970, as exact as in XML."""
    if value is None:
        return None
    if shape.type_name == "structure":
        return {name: _as_json(member, value.get(name)) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [_as_json(shape.member, one) for one in value]
    if isinstance(value, datetime):
        return datetime.fromisoformat(_time(shape, value)).timestamp()
    return value if isinstance(value, bool | int | Mapping) else _plain(shape, value)


def _rest(operation: str, answer: Answer, request_id: str) -> ApiResponse:
    model = operations.operation("s3", operation)
    usual = int(model.http.get("responseCode", _TABLES["statuses"].get(operation, 200)))
    status = 206 if answer.get("ContentRange") else usual
    shape = model.output_shape
    headers = list(_rest_headers(shape, answer)) if shape else []
    body = _rest_body(operation, shape, answer) if shape else b""
    kind = _TABLES["types"].get(operation, S3_XML if body else "")
    if kind and "Content-Type" not in dict(headers):
        headers.append(("Content-Type", kind))
    return ApiResponse(status, (*headers, *request_ids("s3", request_id)), body)


def _rest_headers(shape: Shape, answer: Answer) -> Iterator[tuple[str, str]]:
    yield from (one for one in answer.get("Headers", {}).items() if one[1])  # the model lacks these
    for name, member in shape.members.items():
        place, value = member.serialization.get("location"), answer.get(name)
        if value is not None and place == "header":
            is_time = isinstance(value, datetime)
            written = format_datetime(value, usegmt=True) if is_time else _plain(member, value)
            yield member.serialization["name"], written
        elif value is not None and place == "headers":
            prefix = member.serialization["name"]
            yield from ((f"{prefix}{key}", one) for key, one in value.items())


def _rest_body(operation: str, shape: Shape, answer: Answer) -> bytes:
    payload = shape.serialization.get("payload")
    if payload is None:
        if operation == "GetBucketLocation":  # the only member is the root element
            return _document("LocationConstraint", text(answer["LocationConstraint"]))
        members = [one for one in shape.members.values() if "location" not in one.serialization]
        return _document(_root(operation), _members(shape, answer)) if members else b""
    inner, value = shape.members[payload], answer[payload]
    if inner.type_name in ("blob", "string"):
        return value if isinstance(value, bytes) else str(value).encode()
    return _document(inner.serialization.get("name", inner.name), _members(inner, value))


@functools.cache
def _root(operation: str) -> str:
    """The root element of an answer. For a setting it is that of the request that puts it."""
    put = operation.replace("Get", "Put", 1)
    if put == operation or put not in operations.names("s3"):
        return str(_TABLES["roots"].get(operation, f"{operation}Result"))
    sent = operations.operation("s3", put).input_shape
    return str(sent.members[sent.serialization["payload"]].serialization["name"])


def _document(name: str, members: str) -> bytes:
    namespace = _TABLES["namespaces"].get(name, _S3_NAMESPACE)
    rest = f">{members}</{name}>" if members else "/>"
    return f'{_XML_START}<{name} xmlns="{namespace}"{rest}'.encode()


@functools.cache
def _lists_last(shape: Shape) -> list[tuple[str, Shape]]:
    """The members in AWS's order: the SDK for Java (v1) needs a list's owner and bucket first."""
    rest = sorted(shape.members, key=lambda name: shape.members[name].type_name == "list")
    order = dict.fromkeys((*_TABLES["first"].get(shape.name, ()), *rest))
    return [(name, shape.members[name]) for name in order if name in shape.members]


def _members(shape: Shape, value: Mapping[str, Any]) -> str:
    return "".join(
        _element(member, member.serialization.get("name", name), value[name])
        for name, member in _lists_last(shape)
        if value.get(name) is not None and not member.serialization.keys() & _ELSEWHERE
    )


def _element(shape: Shape, name: str, value: Any) -> str:
    if shape.name == "ObjectVersionList":  # what has no content is a delete marker, between them
        names = ((name if "ETag" in item else "DeleteMarker", item) for item in value)
        return "".join(_element(shape.member, each, item) for each, item in names)
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return "".join(_element(shape.member, name, item) for item in value)
    write = _WRITERS.get(shape.type_name)
    inner = write(shape, value) if write else text(_plain(shape, value))
    start = f"{name}{_attributes(shape, value)}" if shape.type_name == "structure" else name
    return f"<{start}>{inner}</{name}>" if inner else f"<{start}/>"


def _attributes(shape: Shape, value: Mapping[str, Any]) -> str:
    space = shape.serialization.get("xmlNamespace", {})
    if "prefix" not in space:
        return ""
    found = [
        f' {member.serialization["name"]}="{text(value[name])}"'
        for name, member in shape.members.items()
        if member.serialization.get("xmlAttribute") and value.get(name) is not None
    ]
    return f' xmlns:{space["prefix"]}="{space["uri"]}"{"".join(found)}'


def _list(shape: Shape, value: Any) -> str:
    name = shape.member.serialization.get("name", "member")
    return "".join(_element(shape.member, name, item) for item in value)


def _map(shape: Shape, value: Mapping[str, Any]) -> str:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries = (
        _element(shape.key, key_name, key) + _element(shape.value, value_name, one)
        for key, one in value.items()
    )
    return "".join(f"<entry>{entry}</entry>" for entry in entries)


def _time(shape: Shape, value: datetime | str) -> str:
    """A time, to the second unless the YAML files say otherwise; a text stays as it is."""
    if isinstance(value, str):
        return value
    written = shape.serialization.get("timestampFormat")
    if shape.name in _WITH_ZEROS:
        value = value.replace(microsecond=0)
    exact = written == "milliseconds" or shape.name in _TO_THE_MILLISECOND | _WITH_ZEROS
    return iso(value.astimezone(UTC), "milliseconds" if exact else "seconds")


def _plain(shape: Shape, value: Any) -> str:
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "blob":
        return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()
    return str(value)


_WRITERS: Mapping[str, Callable[[Any, Any], str]] = {
    "structure": _members,
    "list": _list,
    "map": _map,
    "timestamp": _time,
}


def request_ids(service: str, request_id: str) -> Pairs:
    """The headers with the request's id, for S3 with its host, for STS with an extended id."""
    if service == "s3":
        host = ("x-amz-id-2", S3_HOST_ID)
        return (("x-amz-request-id", request_id), host, ("Server", "AmazonS3"))
    ids = (("x-amzn-RequestId", request_id),)
    if service != "sts":
        return ids
    extended = f"1:us-east-1:S:{time.time_ns() // 1_000_000}:R:{request_id[:8]}"
    return (*ids, ("x-amz-sts-extended-request-id", base64.b64encode(extended.encode()).decode()))


def fault(service: str, problem: ApiFault, request_id: str, http: HttpRequest) -> ApiResponse:
    """The response for an error, in the protocol of the service."""
    headers = (*problem.headers, *request_ids(service, request_id))
    if http.method == "HEAD" or (service == "s3" and not (problem.message or problem.extra)):
        kinds = (("Content-Type", S3_XML),) if problem.message else ()
        return ApiResponse(problem.status, (*kinds, *headers))
    sent_json = "json" in http.header("Content-Type") or http.has_header("X-Amz-Target")
    is_json = service not in operations.SERVICES and (sent_json or http.path != "/")
    if is_json or (service == "iam" and http.path.startswith(TOOLBOX_PATH)):
        body = json.dumps({"__type": problem.code, "message": problem.message})
        kind, headers = _AMZ_JSON, (("x-amzn-errortype", problem.code), *headers)
    elif service == "s3":
        ids = {"RequestId": request_id, "HostId": S3_HOST_ID}
        members = {"Code": problem.code, "Message": problem.message, **problem.extra, **ids}
        plain = _elements(members).replace("&quot;", '"')
        kind, body = S3_XML, f"{_XML_START}<Error>{plain}</Error>"
    else:
        whose = "Receiver" if problem.status >= 500 else "Sender"  # noqa: PLR2004 - HTTP's
        message = {"Message": problem.message} if problem.message else {}
        members = {"Type": whose, "Code": problem.code, **message, **problem.extra}
        inner = f"<Error>{_elements(members)}</Error><RequestId>{request_id}</RequestId>"
        space = _namespace("" if problem.code == "InvalidAction" else service)
        kind, body = XML, f"<ErrorResponse{space}>{inner}</ErrorResponse>"
        if _wants_json(http):
            kind, body = _JSON, _json({"Error": members, "RequestId": request_id})
    return ApiResponse(problem.status, (("Content-Type", kind), *headers), body.encode())


@functools.cache
def _namespace(service: str) -> str:
    if service not in operations.SERVICES:  # that of an error before AWS knows the operation
        return ' xmlns="http://webservices.amazon.com/AWSFault/2005-15-09"'
    return f' xmlns="{operations.model(service).metadata["xmlNamespace"]}"'


def _elements(members: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{text(value)}</{name}>" for name, value in members.items())


def text(value: object) -> str:
    """``value`` as text of XML, with U+FFFD for what XML can't hold.

    A carriage return would be read as a new line. For quotation marks see "ListObjectsV2", ETag.
    In S3's errors they are as they are: AWS's SDK for Java (version 1) loses what is before others.
    """
    return escape(str(value).translate(_IN_XML), {"\r": "&#13;", '"': "&quot;"})
