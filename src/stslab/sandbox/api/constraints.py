"""The constraints that AWS's service models state, checked with AWS's own ValidationError.

The limits and patterns are botocore's models', which are AWS's; nothing is restated here.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stslab.sandbox.api import operations
from stslab.sandbox.api.model import ApiFault

_CONSTRAINT = "failed to satisfy constraint: Member must"
_NULL = "not be null"


def check(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Refuse ``params`` that break a constraint of the operation's input.

    Raises:
        ApiFault: ValidationError, with every problem listed as AWS lists them.
    """
    shape = operations.operation(service, operation).input_shape
    problems = list(_problems(shape, params, "")) if shape is not None else []
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise ApiFault(
            "ValidationError",
            f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}",
        )


def _problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    checker = _CHECKERS.get(shape.type_name)
    if checker is not None:
        yield from checker(shape, value, path)


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = f"{path}.{_lower(name)}" if path else _lower(name)
        if value.get(name) is not None:
            yield from _problems(member, value[name], inner)
        elif name in shape.required_members:
            yield f"Value null at '{inner}' {_CONSTRAINT} {_NULL}"


def _list(shape: Any, value: list[Any], path: str) -> Iterator[str]:
    yield from _size(shape, len(value), _listed(value), path, "have length")
    for number, item in enumerate(value, start=1):
        yield from _problems(shape.member, item, f"{path}.{number}.member")


def _string(shape: Any, value: str, path: str) -> Iterator[str]:
    shown = "***" if shape.metadata.get("sensitive") else value
    yield from _size(shape, len(value), shown, path, "have length")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield (
            f"Value '{shown}' at '{path}' {_CONSTRAINT} satisfy regular expression "
            f"pattern: {pattern}"
        )
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield (
            f"Value '{shown}' at '{path}' {_CONSTRAINT} satisfy enum value set: {_listed(allowed)}"
        )


def _integer(shape: Any, value: int, path: str) -> Iterator[str]:
    yield from _size(shape, value, str(value), path, "have value")


def _size(shape: Any, size: int, shown: str, path: str, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"Value '{shown}' at '{path}' {_CONSTRAINT} {what} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"Value '{shown}' at '{path}' {_CONSTRAINT} {what} less than or equal to {most}"


_CHECKERS: Mapping[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "structure": _structure,
    "list": _list,
    "string": _string,
    "integer": _integer,
}


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """AWS's patterns are Java's: a word character is ASCII, a letter of Unicode has its class."""
    if "\\p{" not in pattern:
        return re.compile(pattern, re.ASCII)
    python = pattern.replace("\\p{L}", r"\w").replace("\\p{Z}", r"\s").replace("\\p{N}", r"\d")
    return re.compile(python)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _listed(values: list[Any]) -> str:
    return f"[{', '.join(str(value) for value in values)}]"
