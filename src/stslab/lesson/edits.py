"""Finds the statements of policies, and changes one thing in a document. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from stslab.structures import Path, parts

Part = Any
GONE: Final = object()


def statements(document: Part) -> Iterator[tuple[Path, Mapping[str, Part]]]:
    """Each statement of a policy, wherever it stands, and the path to it."""
    for path, part in parts(document):
        if isinstance(part, Mapping) and "Effect" in part and {"Action", "NotAction"} & part.keys():
            yield path, part


def part_at(document: Part, path: Path) -> Part:
    for key in path:
        document = document[key]
    return document


def edited(document: Part, path: Path, new: Part) -> Part:
    """The document with something else at the path, or nothing there."""
    if not path:
        return new
    key, *rest = path
    if not rest and new is GONE:
        if isinstance(document, Mapping):
            return without(document, key)
        return [one for at, one in enumerate(document) if at != key]
    inner = edited(document[key], tuple(rest), new)
    if isinstance(document, Mapping):
        return {**document, key: inner}
    return [inner if at == key else one for at, one in enumerate(document)]


def without(mapping: Mapping[str, Part], key: object) -> dict[str, Part]:
    return {name: value for name, value in mapping.items() if name != key}
