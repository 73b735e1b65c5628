"""What the lab checker asks about AWS's APIs; ``stslab.aws.catalogue`` answers it, offline."""

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import Protocol

import msgspec


class Shape(msgspec.Struct, frozen=True, dict=True):
    """The shape of a value that an API takes or gives.

    ``kind`` is structure, list, map, string, integer, float, boolean, timestamp, blob or
    document (any JSON). ``parts`` are told when they are asked for, since a shape may hold itself:
    a structure's members, some of them ``required``; of a list's items or a map's values the one
    shape, without a name. A string may have to be one of ``choices``. ``least``: how many
    characters a text, or items a list, has at least. A text has at most ``most`` (0: any number),
    and fits the ``pattern``. ``sensitive``: it is a secret, which must never be saved or shown.
    """

    kind: str
    parts: Callable[[], Mapping[str, "Shape"]] = dict
    required: Collection[str] = ()
    choices: Collection[str] = ()
    sensitive: bool = False
    least: int = 0
    most: int = 0
    pattern: str = ""

    @cached_property
    def members(self) -> Mapping[str, "Shape"]:
        return self.parts() if self.kind == "structure" else {}

    @cached_property
    def item(self) -> "Shape":
        """The shape of the items or values; anything where that is not known."""
        return self.parts().get("", ANYTHING)


class Operation(msgspec.Struct, frozen=True):
    """What it takes and gives. ``changes``: it leaves something behind in the account."""

    input: Shape
    output: Shape
    changes: bool


class Catalogue(Protocol):
    """AWS's services (as boto3 writes them), their operations, by the API's own names.

    ``waiters`` are a service's, in snake case, each with the operation that it polls. ``errors``
    are the codes that its model has. Of what there is not they give nothing.
    """

    def services(self) -> Collection[str]: ...
    def operations(self, service: str) -> Collection[str]: ...
    def operation(self, service: str, name: str) -> Operation | None: ...
    def waiters(self, service: str) -> Mapping[str, str]: ...
    def errors(self, service: str) -> Collection[str]: ...


ANYTHING = Shape("document")
SECRET = Shape("document", sensitive=True)
STRING = Shape("string")
NUMBER = Shape("number")
BOOLEAN = Shape("boolean")
NOTHING = Shape("structure")


def list_of(item: Shape) -> Shape:
    return Shape("list", lambda: {"": item})


def structure(members: Mapping[str, Shape]) -> Shape:
    return Shape("structure", lambda: members)


def shape_of(value: object) -> Shape:
    return _PLAIN.get(type(value), ANYTHING)


_PLAIN: Mapping[type, Shape] = {
    bool: BOOLEAN,
    int: Shape("integer"),
    float: Shape("float"),
    str: STRING,
    list: list_of(ANYTHING),
}


def holds_secret(shape: Shape, depth: int = 4) -> bool:
    """Whether a value of this shape is, or has in it, something that must stay secret."""
    if shape.sensitive:
        return True
    if not depth:
        return False
    parts = [*shape.members.values(), *([shape.item] if shape.kind in {"list", "map"} else [])]
    return any(holds_secret(part, depth - 1) for part in parts)
