"""Reads a template's text: JSON or YAML, with the short forms of intrinsic functions.

AWS CloudFormation User Guide, "AWS CloudFormation template formats" and
"Intrinsic function reference".
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from stslab.sandbox.cloudformation.faults import invalid

BODY_LIMIT = 51_200
"""How long a ``TemplateBody`` may be, in bytes ("AWS CloudFormation quotas")."""

NESTING_LIMIT = 100
NAMED_MEMBER = 2
"""How deep a section's member is; above it, a null has a message of its own."""
UNSUPPORTED = "Template format error: unsupported structure."
LONG_FORM_WITHOUT_PREFIX = frozenset({"Ref", "Condition"})
PLAIN_TAGS = frozenset({"bool", "int", "float", "null", "merge"})


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation takes it: dates stay text, and aliases are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias: CloudFormation has no use for it, and expanding it costs."""
        if self.check_event(yaml.events.AliasEvent):
            raise invalid(
                "Template error: YAML aliases are not allowed in CloudFormation templates"
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag.rpartition(":")[2] in PLAIN_TAGS]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    """What ``!Sub …`` and its like stand for: ``{"Fn::Sub": …}``."""
    name = suffix if suffix in LONG_FORM_WITHOUT_PREFIX else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {name: value}


_Loader.add_multi_constructor("!", _short_form)


def read(text: str) -> dict[str, Any]:
    """The template's data, in long forms only.

    Raises a ``ValidationError`` in CloudFormation's words for what is no template at all.
    """
    try:
        data = _parse(text)
        _check_nesting(data)
    except RecursionError:
        raise invalid(UNSUPPORTED) from None
    if not isinstance(data, dict):
        raise invalid(UNSUPPORTED)
    _refuse_nulls(data, "")
    return data


def check_size(text: str) -> None:
    """Refuse a ``TemplateBody`` that is longer than CloudFormation takes."""
    if len(text.encode()) > BODY_LIMIT:
        raise invalid(
            f"1 validation error detected: Value '{text}' at 'templateBody' failed to satisfy "
            f"constraint: Member must have length less than or equal to {BODY_LIMIT}"
        )


def _parse(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    return _parse_yaml(text)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise invalid(
            "Template format error: JSON not well-formed. "
            f"(line {error.lineno}, column {error.colno})"
        ) from None


def _parse_yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with other tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: YAML not well-formed.{place}") from None
    except (yaml.YAMLError, ValueError, TypeError):
        raise invalid("Template format error: YAML not well-formed.") from None


def _check_nesting(data: Any) -> None:
    level = [data]
    for _ in range(NESTING_LIMIT):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise invalid(UNSUPPORTED)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse_nulls(value: Any, path: str) -> None:
    if value is None and path.count("/") > NAMED_MEMBER:
        raise invalid(f"[{path}] 'null' values are not allowed in templates")
    items = value.items() if isinstance(value, dict) else ()
    for key, child in items:
        if not isinstance(key, str) and not isinstance(key, int | float):
            raise invalid(UNSUPPORTED)
        _refuse_nulls(child, f"{path}/{key}")
    for index, child in enumerate(value if isinstance(value, list) else ()):
        _refuse_nulls(child, f"{path}/{index}")


def is_alphanumeric(name: object) -> bool:
    """Whether a name may name a resource, parameter, condition, mapping or output."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9]+", name) is not None
