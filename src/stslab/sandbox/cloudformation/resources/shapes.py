"""Whether what a template says has the shape that a call takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TAKEN: dict[str, tuple[str, tuple[type, ...]]] = {
    "structure": ("JSONObject", (dict,)),
    "list": ("JSONArray", (list, tuple)),
    "string": ("String", (str,)),
    "timestamp": ("String", (str,)),
    "integer": ("Integer", (int,)),
    "long": ("Integer", (int,)),
    "boolean": ("Boolean", (bool,)),
}
"""By the type that a service's model has: its name in a schema, and the values that are one."""


class Unfit(Exception):  # noqa: N818 - what the properties are, not what went wrong in here
    """The properties are not what the type takes; the message is the event's reason."""


def unfit(logical_id: str, problems: list[str]) -> Unfit:
    """All problems, in the words of CloudFormation's property validation."""
    listed = ", ".join(problems)
    return Unfit(
        f"Properties validation failed for resource {logical_id} with message:\n[{listed}]"
    )


def type_name(value: Any) -> str:
    """What a schema calls a value."""
    names = {bool: "Boolean", int: "Integer", float: "Number", str: "String", list: "JSONArray"}
    return names.get(type(value), "JSONObject")


def problems(shape: Any, value: Any, path: str = "#") -> Iterator[str]:
    """What a value lacks of a shape of a service's model, limits apart: the service knows them."""
    wanted, types = _TAKEN[shape.type_name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        yield f"{path}: expected type: {wanted}, found: {type_name(value)}"
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in shape.members:
                yield from problems(shape.members[name], member, f"{path}/{name}")
            else:
                yield f"{path}: extraneous key [{name}] is not permitted"
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from problems(shape.member, item, f"{path}/{index}")
