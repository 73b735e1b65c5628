"""Finds a request's operation and parameters; an ambiguous request is refused."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from stslab.sandbox.api import operations
from stslab.sandbox.api.identifiers import TOOLBOX_PATH
from stslab.sandbox.api.model import ApiFault, HttpRequest, Pairs, Params
from stslab.sandbox.s3.requests import address, params
from stslab.sandbox.signing.signature import FORM
from stslab.structures import beside

_MAX_PAIRS = 10_000
_CLAIMED_ACTION = re.compile(r"(?:^|&)Action=([A-Za-z]{1,64})(?:&|$)")


def name(service: str, http: HttpRequest, exists: address.Exists = bool) -> tuple[str, Params]:
    """The operation and parameters of a request that was signed for ``service``.

    ApiFault: it names no operation, or is ambiguous (IAM API Reference, "Common Error Types").
    """
    if service == "s3":
        where = address.address(http)
        operation = address.operation(http, where, exists)
        return operation, params.parse(operation, http, where)
    if service not in operations.SERVICES:
        lacking = f"The embedded account does not implement the service {service}."
        raise ApiFault("UnsupportedOperation", f"{lacking} It has iam, sts, s3 and cloudformation.")
    if service == "iam" and http.path.startswith(TOOLBOX_PATH):
        lacking = "The embedded account does not implement IAM Toolbox."
        raise ApiFault("UnsupportedOperation", f"{lacking} It explains a denial with: stslab why")
    return _name_query(service, http)


def claimed(service: str, http: HttpRequest) -> str:
    """The operation named by a request that was not authenticated; empty if none is."""
    if service == "s3":
        with suppress(ApiFault):
            return address.operation(http, address.address(http))
        return ""
    if http.path != "/":
        return ""
    found = _CLAIMED_ACTION.search(f"{http.raw_query}&{http.body[:8192].decode('latin-1')}")
    return found[1] if found else ""


def _name_query(service: str, http: HttpRequest) -> tuple[str, Params]:
    given = dict(_pairs(http))
    current = operations.model(service).metadata["apiVersion"]
    # CloudFormation needs no version.
    usual = current if service == "cloudformation" else "NO_VERSION_SPECIFIED"
    action, version = given.pop("Action", None), given.pop("Version", usual)
    if action is None:
        raise ApiFault("MissingAction", "The request must contain the parameter Action.")
    if version != current or action not in operations.names(service):
        raise ApiFault("InvalidAction", f"Could not find operation {action} for version {version}")
    shape = operations.operation(service, action).input_shape
    return action, _structure(shape, _tree(given.items())) if shape is not None else {}


def _pairs(http: HttpRequest) -> Pairs:
    if http.method not in ("GET", "POST"):
        raise ApiFault("InvalidAction", f"{http.method} is not a method of this service.")
    if http.path != "/":
        raise ApiFault("InvalidAction", "The service answers at the path / only.", 404)
    unsigned = tuple(pair for pair in http.query if not pair[0].lower().startswith("x-amz-"))
    pairs = unsigned + _form(http)
    if len(pairs) > _MAX_PAIRS:
        raise ApiFault("InvalidQueryParameter", "The request has too many parameters.")
    for one, other in pairwise(sorted(name for name, _ in pairs)):
        if one == other:
            raise ApiFault("InvalidQueryParameter", f"The parameter {one} is given more than once.")
    return pairs


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


# -- parameters by the shape of the operation's input ---------------------------------------

_MAX_DEPTH = 32
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")  # of a list's entry
_MOST_SKIPPED = 10  # of a list's entries, from one that is given to the next
_WRONG_ENTRY: Mapping[str, str] = beside(__file__, "entries.yaml")
_INTEGERS = range(-(2**31), 2**31)  # AWS reads no others
_VALUE = ""  # the key under which a node of the tree keeps its own value
_Tree = dict[str, Any]


def _tree(pairs: Iterable[tuple[str, str]]) -> _Tree:
    """Turn ``Tags.member.1.Key=team`` into ``{"Tags": {"member": {"1": {"Key": {"": "team"}}}}}``.

    The tree is built once, so the cost is linear in the number of pairs.
    """
    root: _Tree = {}
    for name, value in pairs:
        node = root
        for part in name.split(".", _MAX_DEPTH):
            key = part.lstrip("0") or "0" if part.isdigit() else part or "?"  # 01 is 1
            node = node.setdefault(key, {})
        node[_VALUE] = value
    return root


def _parse(shape: operations.Shape, node: _Tree) -> object:
    """The value of a shape. Operations that take maps or other scalars are not supported."""
    kind, text = shape.type_name, node.get(_VALUE, "")
    if kind == "structure":
        return _structure(shape, node)
    if kind == "list":
        name = shape.member.serialization.get("name", "member")
        return _entries(shape.member, node.get(name, {}))
    if kind not in ("boolean", "integer"):
        return text
    with suppress(ValueError):
        if kind == "boolean":
            return ("false", "0", "true", "1").index(text) > 1
        if text.isascii() and text.lstrip("+-").isdigit() and (number := int(text)) in _INTEGERS:
            return number
    raise ApiFault("MalformedInput", "" if text else "missing value for decimal type")


def _entries(member: operations.Shape, node: _Tree) -> list[object]:
    """A list's entries up to the last number; a structure without a number is the only one."""
    numbers = sorted(int(key) for key in node if _NUMBER.fullmatch(key))
    other = next((key for key in node if key and not _NUMBER.fullmatch(key)), "")
    if other and member.type_name == "structure" and other[0] not in "-0":
        return [_structure(member, node)]
    skipped = next((b - a for a, b in pairwise([1, *numbers]) if b - a > _MOST_SKIPPED), 0)
    if other or skipped:
        wrong = _WRONG_ENTRY.get(other[:1], _WRONG_ENTRY["a word"])
        raise ApiFault("MalformedInput", wrong.format(other or skipped))
    last = max(numbers, default=0)
    return [_parse(member, node.get(str(number), {})) for number in range(1, last + 1)]


def _structure(shape: operations.Shape, node: _Tree) -> dict[str, object]:
    """The members of the shape; other parameters are ignored."""
    parsed = {}
    for name, member in shape.members.items():
        inner = node.get(member.serialization.get("name", name))
        if inner is not None:
            parsed[name] = _parse(member, inner)
    return parsed
