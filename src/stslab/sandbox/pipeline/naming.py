"""What a request asks for: its service, its operation and its parameters.

The service is the one that the signature was made for. The operation and the parameters come
from one place each; whatever could be read in two ways is refused.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from botocore.utils import parse_timestamp

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault, HttpRequest, Pairs
from stslab.sandbox.s3.requests import address, params

FORM = "application/x-www-form-urlencoded"
_MAX_PAIRS = 10_000

Named = tuple[str, Mapping[str, Any]]


def name_query(service: str, http: HttpRequest) -> Named:
    """The operation and parameters of a request to IAM, STS or CloudFormation.

    Raises:
        ApiFault: the request names no operation of the service, or does so ambiguously (IAM
            API Reference, "Common Error Types").
    """
    given = dict(_pairs(http))
    action, version = given.pop("Action", ""), given.pop("Version", "")
    if not action:
        raise ApiFault("MissingAction", "The request must contain the parameter Action.")
    known = operations.model(service).metadata["apiVersion"]
    if version != known or action not in operations.names(service):
        raise ApiFault(
            "InvalidAction",
            f"Could not find operation {action} for version {version or 'NO_VERSION_SPECIFIED'}",
        )
    shape = operations.operation(service, action).input_shape
    return action, _parameters(shape, given.items())


def _pairs(http: HttpRequest) -> Pairs:
    if http.method not in ("GET", "POST"):
        raise ApiFault("InvalidAction", f"{http.method} is not a method of this service.")
    if http.path != "/":
        raise ApiFault("InvalidAction", "The service answers at the path / only.", 404)
    pairs = tuple(pair for pair in http.query if not _authenticates(pair[0])) + _form(http)
    if len(pairs) > _MAX_PAIRS:
        raise ApiFault("InvalidQueryParameter", "The request has too many parameters.")
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ApiFault("InvalidQueryParameter", f"The parameter {twice} is given more than once.")
    return pairs


def _authenticates(name: str) -> bool:
    return name.lower().startswith("x-amz-")


def _form(http: HttpRequest) -> Pairs:
    if http.method == "GET" or not http.body:
        return ()
    if http.header("Content-Type", FORM).split(";")[0].strip().lower() != FORM:
        raise ApiFault("InvalidAction", f"The body of a request must be {FORM}.")
    try:
        text = http.body.decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PAIRS, errors="strict")
    except ValueError:
        raise ApiFault("MalformedInput", "Request body is malformed") from None
    return tuple(pairs)


def name_s3(http: HttpRequest) -> Named:
    """The operation and parameters of a request to S3.

    Raises:
        ApiFault: the request names no operation, or names it ambiguously.
    """
    where = address.address(http)
    operation = address.operation(http, where)
    return operation, params.parse(operation, http, where)


def claimed_s3(http: HttpRequest) -> str:
    """The operation of a request to S3 that was not believed; nothing where it names none."""
    with suppress(ApiFault):
        return address.operation(http, address.address(http))
    return ""


def speaks_json(service: str, http: HttpRequest) -> bool:
    """Whether a request is to a service that the sandbox lacks, in a protocol of JSON's."""
    if service in operations.SERVICES:
        return False
    is_json = "json" in http.header("Content-Type") or http.has_header("X-Amz-Target")
    return is_json or http.path != "/"


def name(service: str, http: HttpRequest) -> Named:
    """The operation and parameters of a request that was signed for ``service``.

    Raises:
        ApiFault: the sandbox has no such service, or the request names no operation of it.
    """
    if service not in operations.SERVICES:
        raise ApiFault(
            "UnsupportedOperation",
            f"The sandbox does not implement the service {service}. "
            "It has iam, sts, s3 and cloudformation.",
        )
    return name_s3(http) if service == "s3" else name_query(service, http)


_MAX_DEPTH = 32
_VALUE = ""  # the key under which a node of the tree keeps its own value

_Tree = dict[str, Any]


def _parameters(shape: Any, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters of an operation whose input has ``shape``; what it lacks is ignored.

    ``Tags.member.1.Key=team`` becomes ``{"Tags": [{"Key": "team"}]}``: the pairs become a tree
    once, and the shape is walked over it, so that cost is linear in their number.

    Raises:
        ApiFault: a value is not of its type.
    """
    if shape is None:
        return {}
    parsed: dict[str, Any] = _structure(shape, _tree(pairs))
    return parsed


def _tree(pairs: Iterable[tuple[str, str]]) -> _Tree:
    root: _Tree = {}
    for name, value in pairs:
        node = root
        for part in name.split(".", _MAX_DEPTH):
            node = node.setdefault(part or "?", {})
        node[_VALUE] = value
    return root


def _parse(shape: Any, node: _Tree) -> Any:
    parser: Callable[[Any, _Tree], Any] = _PARSERS.get(shape.type_name, _string)
    return parser(shape, node)


def _structure(shape: Any, node: _Tree) -> dict[str, Any]:
    parsed = {}
    for name, member in shape.members.items():
        inner = node.get(member.serialization.get("name", name))
        if inner is not None:
            parsed[name] = _parse(member, inner)
    return parsed


def _list(shape: Any, node: _Tree) -> list[Any]:
    if not shape.serialization.get("flattened"):
        node = node.get(shape.member.serialization.get("name", "member"), {})
    numbered = sorted((int(key), inner) for key, inner in node.items() if _is_number(key))
    return [_parse(shape.member, inner) for _, inner in numbered]


def _map(shape: Any, node: _Tree) -> dict[str, Any]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries = node if shape.serialization.get("flattened") else node.get("entry", {})
    numbered = sorted((int(key), inner) for key, inner in entries.items() if _is_number(key))
    return {
        _parse(shape.key, entry.get(key_name, {})): _parse(shape.value, entry.get(value_name, {}))
        for _, entry in numbered
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 9  # noqa: PLR2004 - no list is longer


def _string(_shape: Any, node: _Tree) -> str:
    value: str = node.get(_VALUE, "")
    return value


def _typed(convert: Callable[[str], Any]) -> Callable[[Any, _Tree], Any]:
    def parse_value(_shape: Any, node: _Tree) -> Any:
        try:
            return convert(node.get(_VALUE, ""))
        except (ValueError, OverflowError, binascii.Error):
            raise ApiFault("MalformedInput", "Request body is malformed") from None

    return parse_value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_PARSERS: Mapping[str, Callable[[Any, _Tree], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "boolean": _typed(_boolean),
    "integer": _typed(int),
    "long": _typed(int),
    "double": _typed(float),
    "float": _typed(float),
    "timestamp": _typed(parse_timestamp),
    "blob": _typed(base64.b64decode),
}
