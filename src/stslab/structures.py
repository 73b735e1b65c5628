"""Structures as JSON and YAML have them: mappings and lists, with texts in them."""

import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
"""The keys, and the numbers in lists, that lead to a part of a structure."""


def safe_loader() -> Any:
    """PyYAML's loader that only makes data: libyaml's, which is faster, where it is there."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def beside(module: str, file: str) -> Any:
    """What a YAML file of our own holds, in the folder of a module (its ``__file__``)."""
    import yaml

    text = pathlib.Path(module).with_name(file).read_text(encoding="utf-8")
    return yaml.load(text, Loader=safe_loader())  # noqa: S506 - a safe one


def mapped(value: Any, change: Callable[[Any], Any], of: type = str) -> Any:
    """The structure with each text in it (or all ``of`` a type) changed; tuples become lists."""
    if isinstance(value, Mapping):
        return {key: mapped(part, change, of) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(part, change, of) for part in value]
    return change(value) if isinstance(value, of) else value


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each part of a structure in order, itself the first, with the path to it."""
    yield path, value
    inside = enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in value.items() if isinstance(value, Mapping) else inside:
        yield from parts(part, (*path, key))


def listed(value: Any) -> list[Any]:
    """A value as a list: one that stands alone may stand without it, and none is an empty one."""
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def texts(value: Any) -> Iterator[str]:
    """Each text in a structure, but for the keys, in order."""
    return (part for _, part in parts(value) if isinstance(part, str))
