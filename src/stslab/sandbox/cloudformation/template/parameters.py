"""A template's parameters: declarations, the values given, and their constraints.

AWS CloudFormation User Guide, "Parameters".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.template.functions import as_text

MASK = "****"
"""How a ``NoEcho`` parameter is shown ("Parameters", NoEcho)."""

Declaration = Mapping[str, Any]
TYPES = frozenset({"String", "Number", "List<Number>", "CommaDelimitedList"})
LISTS = frozenset({"List<Number>", "CommaDelimitedList"})
NUMBERS = frozenset({"Number", "List<Number>"})
LIMITS = frozenset({"MaxLength", "MaxValue", "MinLength", "MinValue"})
KEYS = LIMITS | frozenset(
    {
        "AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description",
        "NoEcho", "Type",
    }
)  # fmt: skip


def check_declarations(declarations: Mapping[str, Declaration]) -> None:
    """Refuse parameters that are declared wrongly, or of types that the sandbox lacks."""
    for name, declared in declarations.items():
        unknown = sorted(set(declared) - KEYS)
        if unknown:
            raise invalid(f"Invalid template parameter property '{unknown[0]}'")
        _check_type(name, declared.get("Type"))
        if not isinstance(declared.get("AllowedValues", []), list):
            raise invalid("Template format error: Every AllowedValues member must be a list.")
        if isinstance(declared.get("Default"), dict | list):
            raise invalid("Template format error: Every Default member must be a string.")
        for key in LIMITS & declared.keys():
            if not _is_number(as_text(declared[key])):
                raise invalid(f"Template format error: Every {key} member must be a number.")
        _check_pattern(declared.get("AllowedPattern", ""))


def _check_type(name: str, kind: object) -> None:
    if kind is None:
        raise invalid("Template format error: Every Parameters object must contain a Type member.")
    if not isinstance(kind, str):
        raise invalid("Template format error: Every Type member must be a string.")
    if kind in TYPES:
        return
    if kind.startswith(("AWS::", "List<AWS::")):
        raise invalid(
            f"Template format error: Parameter type {kind} of parameter {name} is not supported "
            "by the sandbox"
        )
    raise invalid(f"Template format error: Unrecognized parameter type: {kind}")


def _check_pattern(pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (TypeError, re.error, OverflowError, RecursionError):
        raise invalid(f"Template format error: Invalid AllowedPattern {pattern}") from None


def settle(
    declarations: Mapping[str, Declaration],
    given: Iterable[Mapping[str, Any]],
    previous: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The text value of each parameter, from what the request gives and the defaults.

    ``given`` are ``Parameter`` shapes; ``previous`` the stack's values so far, for
    ``UsePreviousValue``. Raises ``ValidationError`` for missing, unknown or unfit values.
    """
    values = {_key(entry): _given(entry, previous) for entry in given}
    unknown = [name for name in values if name not in declarations]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for name, declared in declarations.items():
        if name not in values and "Default" in declared:
            values[name] = as_text(declared["Default"])
    missing = [name for name in declarations if name not in values]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, declared in declarations.items():
        _check_value(name, values[name], declared)
    return {name: values[name] for name in declarations}


def _key(entry: Mapping[str, Any]) -> str:
    if not entry.get("ParameterKey"):
        raise invalid("Each parameter must have a ParameterKey")
    return str(entry["ParameterKey"])


def _given(entry: Mapping[str, Any], previous: Mapping[str, str] | None) -> str:
    key = entry["ParameterKey"]
    if not entry.get("UsePreviousValue"):
        if "ParameterValue" not in entry:
            raise invalid(
                f"Invalid input for parameter key {key}. Either specify a value or "
                "usePreviousValue as true"
            )
        return str(entry["ParameterValue"])
    if entry.get("ParameterValue"):
        raise invalid(
            f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and "
            "non empty value for a parameter"
        )
    if previous is None or key not in previous:
        raise invalid(
            f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a "
            "parameter key not in the previous template"
        )
    return previous[key]


def typed(declarations: Mapping[str, Declaration], values: Mapping[str, str]) -> dict[str, Any]:
    """What ``Ref`` of each parameter gives: text, or a list for the list types."""
    return {
        name: _members(values[name]) if declared["Type"] in LISTS else values[name]
        for name, declared in declarations.items()
    }


def _members(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def is_secret(declared: Declaration) -> bool:
    """Whether a parameter is declared ``NoEcho``."""
    return as_text(declared.get("NoEcho", False)).lower() == "true"


def shown(
    declarations: Mapping[str, Declaration], values: Mapping[str, str]
) -> list[dict[str, str]]:
    """The parameters as DescribeStacks shows them, secrets masked."""
    return [
        {
            "ParameterKey": name,
            "ParameterValue": MASK if is_secret(declarations.get(name, {})) else value,
        }
        for name, value in values.items()
    ]


def declared(name: str, body: Declaration) -> dict[str, Any]:
    """One parameter as ValidateTemplate shows it."""
    result: dict[str, Any] = {"ParameterKey": name, "NoEcho": is_secret(body)}
    if "Default" in body:
        result["DefaultValue"] = as_text(body["Default"])
    if "Description" in body:
        result["Description"] = as_text(body["Description"])
    return result


def summarised(name: str, body: Declaration) -> dict[str, Any]:
    """One parameter as GetTemplateSummary shows it."""
    allowed = [as_text(value) for value in body.get("AllowedValues", [])]
    return {
        **declared(name, body),
        "ParameterType": body["Type"],
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _check_value(name: str, value: str, declared: Declaration) -> None:
    kind = declared["Type"]
    for member in _members(value) if kind in LISTS else [value]:
        if kind in NUMBERS and not _is_number(member):
            raise invalid(f"Parameter '{name}' must be a number.")
        for key, kinds, fits, problem in CHECKS:
            limit = declared.get(key)
            if limit is not None and kind in kinds and not fits(member, limit):
                raise invalid(_refusal(name, problem.format(limit), declared))


def _refusal(name: str, problem: str, declared: Declaration) -> str:
    reason = declared.get("ConstraintDescription")
    if reason:
        return f"Parameter {name} failed to satisfy constraint: {reason}"
    return f"Parameter '{name}' {problem}"


def _is_number(value: str) -> bool:
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value) is not None


TEXT = frozenset({"String"})
CHECKS: tuple[tuple[str, frozenset[str], Callable[[str, Any], bool], str], ...] = (
    ("AllowedValues", TYPES, lambda v, x: v in map(as_text, x), "must be one of AllowedValues"),
    ("AllowedPattern", TYPES, lambda v, x: bool(re.fullmatch(x, v)), "must match pattern {}"),
    ("MinLength", TEXT, lambda v, x: len(v) >= float(x), "must contain at least {} characters"),
    ("MaxLength", TEXT, lambda v, x: len(v) <= float(x), "must contain at most {} characters"),
    ("MinValue", NUMBERS, lambda v, x: float(v) >= float(x), "must be a number not less than {}"),
    (
        "MaxValue",
        NUMBERS,
        lambda v, x: float(v) <= float(x),
        "must be a number not greater than {}",
    ),
)
"""Constraints: of which types, when a value fits, and what is wrong where it does not."""
