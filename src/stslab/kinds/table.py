"""Each kind of thing, as ``kinds.yaml`` has it: the rows of :mod:`stslab.kinds.kind`."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from stslab.kinds.kind import Kind, Listing, Remove

R = TypeVar("R")
Row = dict[str, object]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def read(file: str) -> dict[str, dict[str, Row]]:
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    found: dict[str, dict[str, Row]] = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe one
    return found


def rows(section: str, to: type[R]) -> dict[str, R]:
    return {name: msgspec.convert(row, to) for name, row in _spread(read("kinds.yaml")[section])}


def _spread(section: Mapping[str, Row]) -> Iterator[tuple[str, Row]]:
    """Each row, once for each of its owners."""
    for name, row in section.items():
        owners = row.get("of", [name.partition(".")[2].capitalize()])
        text = json.dumps([name, {key: value for key, value in row.items() if key != "of"}])
        for owner in msgspec.convert(owners, list[str]):
            filled = text.replace("<Owner>", owner).replace("<owner>", owner.lower())
            yield msgspec.json.decode(filled, type=tuple[str, Row])


def _whole(row: Row, names: list[str]) -> Row:
    """The row with what it leaves out."""
    found = {"look_names": names, **row, "remove": _remove(row["remove"], names)}
    if "tagging" in row:
        found["tagging_names"] = names
    children = msgspec.convert(row.get("children", []), list[Row])
    return {**found, "children": [_child(each, names) for each in children]}


def _child(row: Row, names: list[str]) -> Row:
    removals = msgspec.convert(row["removals"], list[str])
    pages = {"Marker": "Marker"}  # as IAM's listings have it
    every = [_remove(each, []) for each in removals]
    return {"names": names, "pages": pages, **row, "removals": every}


def _remove(written: object, names: list[str]) -> Remove:
    """``Operation Name ...``; without names it is called with those of the kind."""
    operation, *given = str(written).split()
    return Remove(operation, tuple(given or names))


def _kinds() -> Iterator[Kind]:
    parents: dict[str, object] = {}
    for name, row in _spread(read("kinds.yaml")["kinds"]):
        names = msgspec.convert(row["names"], list[str])
        parents[name] = names
        parent = {"parent_names": parents[str(row["parent"])]} if "parent" in row else {}
        yield msgspec.convert({"id": name, **_whole(row, names), **parent}, Kind)


KINDS: Mapping[str, Kind] = {kind.id: kind for kind in _kinds()}
LISTINGS: Mapping[str, Listing] = rows("listings", Listing)
"""By the kind, in the order in which leftovers go."""
BY_RESOURCE_TYPE: Mapping[str, Kind] = {
    kind.resource_type: kind for kind in KINDS.values() if kind.resource_type
}
BY_SETTING: Mapping[str, Kind] = {
    f"{kind.service}.{operation}": kind
    for kind in KINDS.values()
    for operation in (kind.put, kind.remove.operation)
    if kind.put
}
"""The settings of the whole account, by the operations that change them."""
BY_REMOVAL: Mapping[str, Kind] = {
    f"{kind.service}.{kind.remove.operation}": kind for kind in KINDS.values()
}
