"""Checks a resource's resolved properties against what its type takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources.kinds import Property, ResourceType
from stslab.sandbox.cloudformation.template.functions import as_text


class Unfit(Exception):  # noqa: N818 - what the properties are, not what went wrong in here
    """The properties are not what the type takes; the message is the event's reason."""


def fitted(kind: ResourceType, logical_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties with scalars as their type has them ("3600" becomes 3600).

    Raises:
        Unfit: with all problems, in the words of CloudFormation's property validation.
    """
    problems = [
        f"#: required key [{name}] not found"
        for name, each in kind.properties.items()
        if each.required and name not in properties
    ]
    result: dict[str, Any] = {}
    for name, value in properties.items():
        declared = kind.properties.get(name)
        if declared is None:
            problems.append(f"#: extraneous key [{name}] is not permitted")
        elif not declared.supported:
            raise Unfit(f"Property {name} of {kind.name} is not supported by the sandbox")
        else:
            result[name] = _fit(name, value, declared, problems)
    _check_any(kind, result, problems)
    if problems:
        listed = ", ".join(problems)
        raise Unfit(
            f"Properties validation failed for resource {logical_id} with message:\n[{listed}]"
        )
    return result


def _check_any(kind: ResourceType, properties: Mapping[str, Any], problems: list[str]) -> None:
    wanted = kind.required_together
    if wanted and not any(properties.get(name) for name in wanted):
        problems.append(f"#: at least one of [{', '.join(wanted)}] must be specified")


def _fit(name: str, value: Any, declared: Property, problems: list[str]) -> Any:
    try:
        fit = KINDS[declared.kind](value)
    except (TypeError, ValueError):
        wanted, found = TYPE_NAMES[declared.kind], _type_name(value)
        problems.append(f"#/{name}: expected type: {wanted}, found: {found}")
        return value
    if declared.allowed and fit not in declared.allowed:
        problems.append(f"#/{name}: {fit} is not a valid enum value")
    return fit


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError
    return as_text(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    return int(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[str(value).lower()] if _known_flag(value) else _fail()


def _known_flag(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in {"true", "false"}


def _fail() -> bool:
    raise ValueError


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _list(value)]


def _json(value: Any) -> Any:
    if not isinstance(value, dict | str):
        raise TypeError
    return value


def _type_name(value: Any) -> str:
    names = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "JSONArray"}
    return names.get(type(value), "JSONObject")


KINDS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "number": _number,
    "flag": _flag,
    "list": _list,
    "texts": _texts,
    "json": _json,
}
TYPE_NAMES = {
    "text": "String",
    "number": "Integer",
    "flag": "Boolean",
    "list": "JSONArray",
    "texts": "JSONArray",
    "json": "JSONObject",
}
