"""The types and tables of ``kinds.yaml``: the kinds of things that labs make in an account.

The sources are the operations' pages in the API references of IAM, Amazon S3 and CloudFormation.
Expressions are JMESPath: of a kind over ``{answer, thing}``, the lookup's response and the names;
of a child over the listing's response; of a creation over ``{params, answer, target, host}``,
where ``host`` is the parameter ``Url`` without its scheme.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from stslab.structures import beside

RUN_TAG = "stslab:run"  # The tag that says which run made a thing; its value is the run's id


def search(expression: str, data: object) -> Any:
    """The result of a JMESPath; None also if it is empty, or the data has another shape."""
    try:
        return jmespath.search(expression, data)
    except JMESPathError:
        return None


class Remove(msgspec.Struct, frozen=True):
    """An operation that removes something, and its parameters' names."""

    operation: str
    names: tuple[str, ...]


class Child(msgspec.Struct, frozen=True):
    """Something that must be removed before its parent: how it is listed and removed."""

    what: str  # describes one, with the mapping's names in braces
    listing: str
    names: tuple[str, ...]
    each: str  # an expression for a list of mappings, with the parent's names as ``<Name>``
    removals: tuple[Remove, ...]  # called with the parent's names and those of one mapping
    pages: Mapping[str, str]  # of a listing: output members to input members for the next page
    count: str = "`1`"
    singly: Remove | None = None  # removes each of ``ones``, if the first removal fails
    ones: str = ""

    def listed(self, names: Mapping[str, str], data: object) -> list[Any]:
        expression = self.each
        for name, value in names.items():
            literal = json.dumps(value).replace("`", r"\u0060")
            expression = expression.replace(f"<{name}>", f"`{literal}`")
        return search(expression, data) or []


class Kind(msgspec.Struct, frozen=True):
    id: str  # the service and a word for it
    what: str
    names: tuple[str, ...]  # the parameters that name one
    look: str
    look_names: tuple[str, ...]  # the parameters of the lookup
    present: str
    remove: Remove
    arn: str = ""  # its form
    tags: str = ""  # the list of tags in the lookup's response
    tagging: str = ""  # the operation that reads the tags, if the lookup does not
    tagging_names: tuple[str, ...] = ()  # its parameters
    children: tuple[Child, ...] = ()
    parent: str = ""  # the kind of the thing that it belongs to, and that owns it
    parent_names: tuple[str, ...] = ()  # the parameters that name the parent
    resource_type: str = ""
    deployed: tuple[str, ...] = ()  # actions of CloudFormation with its caller's permissions
    cleaned: tuple[str, ...] = ()  # actions by which cleanup finds and empties one
    by_hand: str = ""  # the command that removes one, if ``remove`` alone does not
    counted: str = ""  # its entry in IAM's GetAccountSummary, which with "Quota" is the quota
    identity: str = ""  # its unique id or time of creation; without it, the run's tag counts
    put: str = ""  # of a setting of the whole account: the operation that sets it
    was: str = ""  # the old value, for the undo; if there was none, the undo removes the setting
    guarded: str = ""  # whether somebody protected it against removal
    unguard: str = ""  # the command that ends the protection

    @property
    def service(self) -> str:
        return self.id.partition(".")[0]

    @property
    def noun(self) -> str:
        """The word for things of the kind: ``IAM user``."""
        return self.what.partition(" {")[0]

    @property
    def removal(self) -> str:
        """The call that removes one: ``iam.DeleteUser``."""
        return f"{self.service}.{self.remove.operation}"

    def label(self, names: Mapping[str, str]) -> str:
        unknown = {name: f"(unknown {name})" for name in self.names}
        return self.what.format_map({**unknown, **names})


class Listing(msgspec.Struct, frozen=True):
    """How one kind is listed: ``each`` has the names, ``Created`` and perhaps ``Tags``."""

    listing: str
    each: str
    pages: Mapping[str, str] = msgspec.field(default_factory=lambda: {"Marker": "Marker"})
    params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    tagging: str = ""  # the operation that reads the tags, if the listing does not
    tags: str = "Tags"  # the expression for them
    taggable: bool = True  # whether the kind has tags; if not, the name shows the run
    named: bool = True  # whether the name can have a run's id; if not, a tag shows the run


R = TypeVar("R")
Row = dict[str, object]
Params = Mapping[str, object]


_SECTIONS = beside(__file__, "kinds.yaml")  # each with rows by name
_ERRORS = _SECTIONS["errors"]
_CODES = {name: frozenset(str(row["codes"]).split()) for name, row in _ERRORS.items()}
EXISTS, BUSY, UNUSABLE = _CODES["exists"], _CODES["busy"], _CODES["unusable"]
ENDED, SPREADING, TRANSIENT = _CODES["ended"], _CODES["spreading"], _CODES["transient"]


def is_gone(service: str, code: str, message: str) -> bool:
    gone = f"gone in {service}"
    return code in _CODES.get(gone, ()) and _ERRORS[gone].get("says", "") in message


def rows(section: str, to: type[R]) -> dict[str, R]:
    return {name: msgspec.convert(row, to) for name, row in _spread(section)}


def _spread(section: str) -> Iterator[tuple[str, Row]]:
    """The rows of a section, each once for each of its owners."""
    for name, row in _SECTIONS[section].items():
        owners = row.get("of", [name.partition(".")[2].capitalize()])
        text = json.dumps([name, {key: value for key, value in row.items() if key != "of"}])
        for owner in msgspec.convert(owners, list[str]):
            filled = text.replace("<Owner>", owner).replace("<owner>", owner.lower())
            yield msgspec.json.decode(filled, type=tuple[str, Row])


def _child(row: Row, names: list[str]) -> Row:
    removals = msgspec.convert(row["removals"], list[str])
    pages = {"Marker": "Marker"}  # as IAM's listings have it
    every = [_remove(each, []) for each in removals]
    singly = _remove(row["singly"], []) if "singly" in row else None
    return {"names": names, "pages": pages, **row, "removals": every, "singly": singly}


def _remove(written: object, names: list[str]) -> Remove:
    """Parse ``Operation Name ...``; without names, it has those of the kind."""
    operation, *given = str(written).split()
    return Remove(operation, tuple(given or names))


def _kinds() -> Iterator[Kind]:
    named: dict[str, list[str]] = {}
    for name, row in _spread("kinds"):
        named[name] = names = msgspec.convert(row["names"], list[str])
        whole = {
            "look_names": names,
            "tagging_names": names if "tagging" in row else (),
            "parent_names": named[str(row["parent"])] if "parent" in row else (),
            **row,
            "id": name,
            "remove": _remove(row["remove"], names),
            "children": [
                _child(each, names) for each in msgspec.convert(row.get("children", []), list[Row])
            ],
        }
        yield msgspec.convert(whole, Kind)


KINDS: Mapping[str, Kind] = {kind.id: kind for kind in _kinds()}
LISTINGS: Mapping[str, Listing] = rows("listings", Listing)
"""By kind, in the order in which leftovers are removed."""
BY_RESOURCE_TYPE: Mapping[str, Kind] = {
    kind.resource_type: kind for kind in KINDS.values() if kind.resource_type
}
SETTING = frozenset(
    f"{kind.service}.{operation}"
    for kind in KINDS.values()
    for operation in (kind.put, kind.remove.operation)
    if kind.put
)
"""The operations that change settings of the whole account."""
BY_REMOVAL: Mapping[str, Kind] = {kind.removal: kind for kind in KINDS.values()}


class Creation(msgspec.Struct, frozen=True):
    kind: str
    repeatable: bool = False  # calling it again changes nothing
    overwrites: bool = False  # it succeeds even if the thing exists: look it up first
    names: Mapping[str, str] | None = None  # expressions, if parameters have other names
    adopt: str = ""  # the expression for its response from that of the kind's lookup
    discover: str = ""  # lists the ids of the kind, if only the response has the id
    discovered: str = ""  # the id's name
    tags: str = ""  # the parameter that takes tags


class Effect(msgspec.Struct, frozen=True):
    """The effect of one operation on a thing. Expressions are over ``{answer, thing}``."""

    kind: str
    shows: Mapping[str, str] = {}  # a parameter's place in the lookup's response
    made: str = ""  # the place of the time of creation
    more: tuple[str, Mapping[str, str]] | None = None  # a second lookup, added to the first's
    # The operation that restores the thing's document, which is ``{}`` in its parameters.
    put_back: tuple[str, Mapping[str, object]] | None = None

    def names(self, params: Mapping[str, object]) -> dict[str, str]:
        """The names of the thing in a call's parameters, as far as they are there."""
        return {name: str(params[name]) for name in KINDS[self.kind].names if name in params}


CREATIONS: Mapping[str, Creation] = rows("creations", Creation)
DOCUMENT = "{}"  # In ``put_back``: the place of the policy document

EFFECTS: Mapping[str, Effect] = {
    **{call: Effect(creation.kind) for call, creation in CREATIONS.items()},
    **rows("effects", Effect),
}
_REPEATABLE = tuple(_SECTIONS["repeatable"].split())


def creation_of(call: str, params: Mapping[str, object]) -> Creation | None:
    """The row of a call (``service.Operation``); None if it makes nothing of a known kind."""
    return CREATIONS.get(f"{call} {params.get('ChangeSetType', '')}", CREATIONS.get(call))


def names_made(
    creation: Creation, params: Params, answer: Params, account: str, partition: str
) -> dict[str, str]:
    """The names of the thing that a call makes, as far as its parameters and response tell."""
    known = {
        "params": params,
        "answer": answer,
        "target": {"account": account, "partition": partition},
        "host": str(params.get("Url", "")).partition("://")[2],
    }
    plain = {name: f"params.{name}" for name in KINDS[creation.kind].names}
    found = {name: search(where, known) for name, where in (creation.names or plain).items()}
    return {name: str(value) for name, value in found.items() if value}


def is_repeatable(call: str) -> bool:
    """Whether a call (``service.Operation``) whose response was lost may simply be repeated."""
    creation = CREATIONS.get(call)
    return creation.repeatable if creation else call.partition(".")[2].startswith(_REPEATABLE)
