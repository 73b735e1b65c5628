"""The kinds of things that labs make in an account, as ``kinds.yaml`` has them, and what they mean.

For each kind: what it is called, how it is looked up, what says that it is gone, how it is
recognised, what must go before it, and what removes it. For each creating operation: the
kind it makes, and whether it may be repeated. The sources are the pages of the operations
in the API references of IAM, Amazon S3 and CloudFormation.

Expressions are JMESPath. A kind's see ``{answer, thing}``: the lookup's response and the
thing's names; a child's see the listing's response; a creation's see
``{params, answer, target, host}``, where ``host`` is the URL among its parameters, less
its scheme.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from stslab.structures import beside

RUN_TAG = "stslab:run"  # The tag that says which run made a thing; its value is the run's id


def search(expression: str, data: object) -> Any:
    """What JMESPath finds; None where the data has another shape than expected."""
    try:
        return jmespath.search(expression, data)
    except JMESPathError:
        return None


class Remove(msgspec.Struct, frozen=True):
    """An operation that takes something away, and the names that it is called with."""

    operation: str
    names: tuple[str, ...]


class Child(msgspec.Struct, frozen=True):
    """What must go before its parent can: how it is listed, and what removes each."""

    what: str  # describes one, with the mapping's names in braces
    listing: str
    names: tuple[str, ...]
    each: str  # a list of mappings; the parent's names are in it as ``<Name>``
    removals: tuple[Remove, ...]  # called with the parent's names and one mapping's
    pages: Mapping[str, str]  # of a listing: output members to input members that ask for more
    count: str = "`1`"

    def listed(self, names: Mapping[str, str], data: object) -> list[Any]:
        expression = self.each
        for name, value in names.items():
            literal = json.dumps(value).replace("`", r"\u0060")
            expression = expression.replace(f"<{name}>", f"`{literal}`")
        return search(expression, data) or []


class Kind(msgspec.Struct, frozen=True):
    """One kind of thing. ``id`` is the service and a word for it.

    ``identity`` tells one from another that is made later with the same names: a unique id, or
    the time of creation, in the response of the lookup or of the creating operation. Where AWS
    gives neither, its tag for the run does.

    ``put`` makes it a setting of the whole account, whose undo restores what was there before:
    the operation that sets it, with what ``was`` (an expression that sees the response of the
    lookup) gives; where there was nothing, it is removed.
    """

    id: str
    what: str
    names: tuple[str, ...]  # the input members that name one
    look: str
    look_names: tuple[str, ...]  # those that the lookup takes
    present: str
    remove: Remove
    tags: str = ""  # the list of tags in the lookup's answer
    tagging: str = ""  # the operation that reads them, where the lookup does not tell
    tagging_names: tuple[str, ...] = ()  # what that takes
    children: tuple[Child, ...] = ()
    parent: str = ""  # the kind of what it hangs on: who owns that owns this
    parent_names: tuple[str, ...] = ()  # what that is named by
    resource_type: str = ""
    deployed: tuple[
        str, ...
    ] = ()  # actions that CloudFormation takes with its caller's permissions
    cleaned: tuple[str, ...] = ()  # those by which cleanup finds and empties one
    by_hand: str = ""  # the command that removes one, where ``remove`` alone would not do
    identity: str = ""
    put: str = ""
    was: str = ""
    guarded: str = ""  # whether somebody protected it against removal
    unguard: str = ""  # the command that ends that

    @property
    def service(self) -> str:
        return self.id.partition(".")[0]

    def label(self, names: Mapping[str, str]) -> str:
        return self.what.format_map(_Named(names))


class _Named(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"(unknown {key})"


class Listing(msgspec.Struct, frozen=True):
    """How one kind is listed: ``each`` gives its names, ``Created`` and perhaps ``Tags``."""

    listing: str
    each: str
    pages: Mapping[str, str] = msgspec.field(default_factory=lambda: {"Marker": "Marker"})
    params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    tagging: str = ""  # reads the tags where the listing does not tell them
    tags: str = "Tags"  # finds them
    taggable: bool = True  # false where AWS has no tags for the kind: then only names tell
    named: bool = True  # false where a name can't hold a run's id: then only tags tell


R = TypeVar("R")
Row = dict[str, object]
Params = Mapping[str, object]


@cache
def read(file: str) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = beside(__file__, file)
    return found


def _codes(errors: str) -> frozenset[str]:
    return frozenset(str(read("kinds.yaml")["errors"][errors]["codes"]).split())


EXISTS, BUSY, UNUSABLE = _codes("exists"), _codes("busy"), _codes("unusable")


def is_gone(service: str, code: str, message: str) -> bool:
    told = read("kinds.yaml")["errors"].get(f"gone in {service}", {})
    return code in str(told.get("codes", "")).split() and str(told.get("says", "")) in message


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


class Creation(msgspec.Struct, frozen=True):
    """An operation that makes a thing."""

    kind: str
    repeatable: bool = False  # making it again changes nothing
    overwrites: bool = False  # it succeeds although the thing was there: one looks first
    names: Mapping[str, str] | None = None  # expressions, where parameters have other names
    adopt: str = ""  # builds its response from that of the kind's lookup
    discover: str = ""  # lists the ids of the kind, where only the answer tells the id
    discovered: str = ""  # the id's name
    tags: str = ""  # the parameter that takes tags


class Effect(msgspec.Struct, frozen=True):
    """What one operation makes of a thing of ``kind``.

    ``shows`` maps a parameter to where the look-up's answer has it; ``made`` tells when the
    thing was made. ``more`` is a second look-up, whose answer is added to the first's: an
    operation, and its parameters as expressions over ``{answer, thing}``. ``put_back`` gives
    the thing its document again: an operation, and its parameters beside the thing's names,
    each a value or a document's ``{}``.
    """

    kind: str
    shows: Mapping[str, str] = msgspec.field(default_factory=dict)
    made: str = ""
    more: tuple[str, Mapping[str, str]] | None = None
    put_back: tuple[str, Mapping[str, object]] | None = None

    def names(self, params: Mapping[str, object]) -> dict[str, str]:
        """What names the thing that a call with these parameters is about, as far as they tell."""
        return {name: str(params[name]) for name in KINDS[self.kind].names if name in params}


CREATIONS: Mapping[str, Creation] = rows("creations", Creation)
DOCUMENT = "{}"  # In ``put_back``: where the policy document goes

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
    creation: Creation, params: Params, answer: Params, account: str, partition: str
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
