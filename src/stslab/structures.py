"""Functions for JSON and YAML structures: nested mappings and lists."""

import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

Part = Any
"""A JSON or YAML value: text, a number, true, false, None, or a list or mapping of such parts."""
Change = Callable[[Any], Any]
Path = tuple[str | int, ...]  # the keys and list indexes that lead to a part of a structure


def safe_loader() -> Any:
    """PyYAML's safe loader: the fast one of libyaml if it is installed."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_templates(loader: Any, *plain: str) -> None:
    """Have a loader read CloudFormation's templates.

    ``!Sub`` and the like become ``{"Fn::Sub": ...}``. Only values of the tags ``plain`` ("bool")
    are read from plain text; all others stay text.
    """
    import yaml

    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag.rpartition(":")[2] in plain]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    loader.add_multi_constructor("!", _long_form)


def _long_form(loader: Any, suffix: str, node: Any) -> dict[str, Part]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node.value, str):
        return {name: loader.construct_scalar(node)}
    made = loader.construct_mapping if node.id == "mapping" else loader.construct_sequence
    return {name: made(node, deep=True)}


@cache
def beside(module: str, file: str) -> Any:
    """The content of a YAML file in the folder of a module (its ``__file__``), for all callers."""
    import yaml

    text = pathlib.Path(module).with_name(file).read_text(encoding="utf-8")
    return yaml.load(text, Loader=safe_loader())  # noqa: S506 - a safe one


def said(texts: Mapping[str, tuple[str, str]], of: str, /, **names: object) -> tuple[str, str]:
    """A message and its fix, or an error's code and message, from a table of both."""
    first, second = (text.format(**names) for text in texts[of])
    return first, second


def mapped(value: Any, change: Change, of: type = str, order: Change = iter) -> Any:
    """The structure with each text in it (or all ``of`` a type) changed; tuples become lists."""
    if isinstance(value, Mapping):
        return {key: mapped(value[key], change, of, order) for key in order(value)}
    if isinstance(value, list | tuple):
        return [mapped(part, change, of, order) for part in value]
    return change(value) if isinstance(value, of) else value


def parts(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each part of a structure with its path, in order; the structure itself is the first."""
    yield path, value
    inside = enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in value.items() if isinstance(value, Mapping) else inside:
        yield from parts(part, (*path, key))


def listed(value: Any) -> list[Any]:
    """The value as a list: a single value in a list, None as an empty one."""
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def text_or_json(value: object) -> str:
    """A text as it is; anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def texts(value: Any) -> Iterator[str]:
    """Each text in a structure in order, without the keys."""
    return (part for _, part in parts(value) if isinstance(part, str))


# -- reading and replacing one part ---------------------------------------------------------------

GONE: Final = object()


def part_at(document: Part, path: Path) -> Part:
    for key in path:
        document = document[key]
    return document


def edited(document: Part, path: Path, new: Part) -> Part:
    """The structure with ``new`` at the path; ``GONE`` removes the part there."""
    if not path:
        return new
    key, *rest = path
    copy: Any = dict(document) if isinstance(document, Mapping) else list(document)
    if not rest and new is GONE:
        del copy[key]
    else:
        copy[key] = edited(document[key], tuple(rest), new)
    return copy


def without(mapping: Mapping[str, Part], *keys: object) -> dict[str, Part]:
    return {name: value for name, value in mapping.items() if name not in keys}
