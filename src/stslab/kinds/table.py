"""Each kind of thing, and what makes it, as ``kinds.yaml`` has them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml

from stslab.kinds.kind import Kind, Listing, Remove, search

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


@dataclass(frozen=True, slots=True)
class Creation:
    """An operation that makes a thing.

    ``repeatable``: making it again changes nothing. ``overwrites``: it succeeds although
    the thing was there before, so one looks first. ``names`` maps names to expressions,
    where they are not parameters of the same name. ``adopt`` builds its response from that
    of the kind's lookup. ``discover`` lists the ids of the kind, where only the answer tells the
    id (``discovered`` is its name). ``tags``: the parameter that takes tags.
    """

    kind: str
    repeatable: bool = False
    overwrites: bool = False
    names: Mapping[str, str] | None = None
    adopt: str = ""
    discover: str = ""
    discovered: str = ""
    tags: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one operation makes of a thing of ``kind``.

    ``shows`` maps a parameter to where the look-up's answer has it; ``made`` tells when the
    thing was made. ``more`` is a second look-up, whose answer is added to the first's: an
    operation, and its parameters as expressions over ``{answer, thing}``. ``put_back`` gives
    the thing its document again: an operation, and its parameters beside the thing's names,
    each a value or a document's ``{}``.
    """

    kind: str
    shows: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    more: tuple[str, Mapping[str, str]] | None = None
    put_back: tuple[str, Mapping[str, object]] | None = None

    def names(self, params: Mapping[str, object]) -> dict[str, str]:
        """What names the thing that a call with these parameters is about, as far as they tell."""
        return {name: str(params[name]) for name in KINDS[self.kind].names if name in params}


CREATIONS: Mapping[str, Creation] = rows("creations", Creation)
DOCUMENT = "{}"
"""In ``put_back``: where the policy document goes."""

EFFECTS: Mapping[str, Effect] = {
    **{call: Effect(creation.kind) for call, creation in CREATIONS.items()},
    **rows("effects", Effect),
}
# Other operations that may be made again with the same parameters, told by their first word.
_REPEATABLE = tuple(
    """
    Abort Assume Attach BatchGet Decode Delete Describe Detach Disable Enable Get Head List Put
    Remove Set Simulate Tag Untag Update Validate
    """.split()
)


def creation_of(call: str, params: Mapping[str, object]) -> Creation | None:
    """The row of a call (``service.Operation``), or None where it makes nothing that is known."""
    return CREATIONS.get(f"{call} {params.get('ChangeSetType', '')}", CREATIONS.get(call))


def names_made(
    creation: Creation,
    params: Mapping[str, object],
    answer: Mapping[str, object],
    account: str,
    partition: str,
) -> dict[str, str]:
    """What names the thing that a call makes, as far as its parameters and its answer tell."""
    known = {
        "params": params,
        "answer": answer,
        "target": {"account": account, "partition": partition},
        "host": str(params.get("Url", "")).partition("://")[2],
    }
    plain = {name: f"params.{name}" for name in KINDS[creation.kind].names}
    expressions = creation.names or plain
    found = {name: search(expression, known) for name, expression in expressions.items()}
    return {name: str(value) for name, value in found.items() if value}


def is_repeatable(call: str) -> bool:
    """Whether a call (``service.Operation``) whose answer was lost may simply be made again."""
    creation = CREATIONS.get(call)
    return creation.repeatable if creation else call.partition(".")[2].startswith(_REPEATABLE)
