"""Parameters of the Query protocol, as IAM, STS and CloudFormation take them.

``Tags.member.1.Key=team`` becomes ``{"Tags": [{"Key": "team"}]}``: the pairs become a tree
once, and the operation's shape is walked over it, so that cost is linear in their number.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.utils import parse_timestamp

from stslab.sandbox.api.model import ApiFault

MAX_DEPTH = 32
_VALUE = ""  # the key under which a node of the tree keeps its own value

Tree = dict[str, Any]


def parse(shape: Any, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters of an operation whose input has ``shape``; what it lacks is ignored.

    Raises:
        ApiFault: a value is not of its type.
    """
    if shape is None:
        return {}
    parsed: dict[str, Any] = _structure(shape, _tree(pairs))
    return parsed


def _tree(pairs: Iterable[tuple[str, str]]) -> Tree:
    root: Tree = {}
    for name, value in pairs:
        node = root
        for part in name.split(".", MAX_DEPTH):
            node = node.setdefault(part or "?", {})
        node[_VALUE] = value
    return root


def _parse(shape: Any, node: Tree) -> Any:
    parser: Callable[[Any, Tree], Any] = _PARSERS.get(shape.type_name, _string)
    return parser(shape, node)


def _structure(shape: Any, node: Tree) -> dict[str, Any]:
    parsed = {}
    for name, member in shape.members.items():
        inner = node.get(member.serialization.get("name", name))
        if inner is not None:
            parsed[name] = _parse(member, inner)
    return parsed


def _list(shape: Any, node: Tree) -> list[Any]:
    if not shape.serialization.get("flattened"):
        node = node.get(shape.member.serialization.get("name", "member"), {})
    numbered = sorted((int(key), inner) for key, inner in node.items() if _is_number(key))
    return [_parse(shape.member, inner) for _, inner in numbered]


def _map(shape: Any, node: Tree) -> dict[str, Any]:
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


def _string(_shape: Any, node: Tree) -> str:
    value: str = node.get(_VALUE, "")
    return value


def _typed(convert: Callable[[str], Any]) -> Callable[[Any, Tree], Any]:
    def parse_value(_shape: Any, node: Tree) -> Any:
        try:
            return convert(node.get(_VALUE, ""))
        except (ValueError, OverflowError, binascii.Error):
            raise ApiFault("MalformedInput", "Request body is malformed") from None

    return parse_value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_PARSERS: Mapping[str, Callable[[Any, Tree], Any]] = {
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
