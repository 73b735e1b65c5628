"""Structures as JSON and YAML have them: mappings and lists, with texts in them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def mapped(value: Any, change: Callable[[Any], Any], of: type = str) -> Any:
    """The structure with each text in it (or all ``of`` a type) changed; tuples become lists."""
    if isinstance(value, Mapping):
        return {key: mapped(part, change, of) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(part, change, of) for part in value]
    return change(value) if isinstance(value, of) else value


def texts(value: Any) -> Iterator[str]:
    """Each text in a structure, but for the keys, in order."""
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, Mapping) else value
    for part in parts if isinstance(value, Mapping | list | tuple) else ():
        yield from texts(part)
