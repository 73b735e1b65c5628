"""Reads a template's text: JSON or YAML, with the short forms of intrinsic functions.

AWS CloudFormation User Guide, "AWS CloudFormation template formats" and
"Intrinsic function reference".
"""

import json
import math
from typing import Any, NoReturn, cast

import yaml

from stslab.sandbox.cloudformation.faults import invalid, require

Value = Any
"""What a template, or a property that was resolved, may have as a value: what JSON can hold."""

BODY_LIMIT = 51_200
"""How long a ``TemplateBody`` may be, in bytes ("AWS CloudFormation quotas")."""

NESTING_LIMIT = 100
NAMED_MEMBER = 2
"""How deep a section's member is; above it, a null has a message of its own."""
LARGEST = 2**63
"""A larger number stays text: nothing counts with it."""
UNSUPPORTED = "Template format error: unsupported structure."
LONG_FORM_WITHOUT_PREFIX = frozenset({"Ref", "Condition"})
PLAIN_TAGS = frozenset({"bool", "int", "float", "null", "merge"})


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation takes it: dates and keys are text, and aliases are refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias: CloudFormation has no use for it, and expanding it costs."""
        refusal = "Template error: YAML aliases are not allowed in CloudFormation templates"
        require(not self.check_event(yaml.events.AliasEvent), refusal)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Value, Value]:
        """Take keys as JSON has them: an account's number is a text, and keeps its zeros."""
        self.flatten_mapping(node)
        for key, _ in node.value:
            if key.tag in _SCALARS:
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float"))
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag.rpartition(":")[2] in PLAIN_TAGS]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Value:
    """What ``!Sub …`` and its like stand for: ``{"Fn::Sub": …}``."""
    name = suffix if suffix in LONG_FORM_WITHOUT_PREFIX else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def read(text: str) -> dict[str, Value]:
    """The template's data, in long forms only.

    Raises a ``ValidationError`` in CloudFormation's words for what is no template at all.
    """
    parse = _parse_json if text.lstrip().startswith("{") else _parse_yaml
    try:
        data = _plain(parse(text), "", 0)
    except (RecursionError, ValueError):  # ValueError: a hexadecimal number without an end
        raise invalid(UNSUPPORTED) from None
    require(isinstance(data, dict), UNSUPPORTED)
    return cast("dict[str, Value]", data)


def check_size(text: str) -> None:
    require(
        len(text.encode()) <= BODY_LIMIT,
        f"1 validation error detected: Value '{text}' at 'templateBody' failed to satisfy "
        f"constraint: Member must have length less than or equal to {BODY_LIMIT}",
    )


def _parse_json(text: str) -> Value:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise invalid(
            "Template format error: JSON not well-formed. "
            f"(line {error.lineno}, column {error.colno})"
        ) from None
    except ValueError:  # a number of more digits than Python converts, or a constant
        raise invalid("Template format error: JSON not well-formed.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _parse_yaml(text: str) -> Value:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with other tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: YAML not well-formed.{place}") from None
    except (yaml.YAMLError, ValueError, TypeError):
        raise invalid("Template format error: YAML not well-formed.") from None


def _plain(value: object, path: str, depth: int) -> Value:
    """The value as plain data: what JSON can hold, within limits."""
    require(depth < NESTING_LIMIT, UNSUPPORTED)
    if isinstance(value, dict):
        return {
            _text(key): _plain(child, f"{path}/{key}", depth + 1) for key, child in value.items()
        }
    if isinstance(value, list):
        return [_plain(child, f"{path}/{index}", depth + 1) for index, child in enumerate(value)]
    is_null = value is None and depth > NAMED_MEMBER
    require(not is_null, f"[{path}] 'null' values are not allowed in templates")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < LARGEST else str(value)
    if isinstance(value, float):
        require(math.isfinite(value), UNSUPPORTED)
        return value
    return _text(value)


def _text(value: Value) -> str:
    try:
        value.encode()
    except (AttributeError, UnicodeEncodeError):  # a date with an explicit tag; half a character
        raise invalid(UNSUPPORTED) from None
    return str(value)
