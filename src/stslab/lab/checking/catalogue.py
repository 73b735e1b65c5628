"""What the lab checker asks about AWS's APIs; ``stslab.aws.catalogue`` answers it, offline."""

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec


class Shape(Protocol):
    """The shape of a value that an API takes or gives.

    ``kind`` is structure, list, map, string, integer, float, boolean, timestamp, blob or
    document (any JSON). A structure has ``members``, some of them ``required``; a list's items
    and a map's values have the shape ``item``. A string may have to be one of ``choices``.
    ``least``: how many characters a text, or items a list, has at least. A text has at most
    ``most`` (0: any number), and fits the ``pattern``. ``sensitive``: it is a secret, which must
    never be saved or shown.
    """

    @property
    def kind(self) -> str: ...
    @property
    def members(self) -> Mapping[str, "Shape"]: ...
    @property
    def required(self) -> Collection[str]: ...
    @property
    def item(self) -> "Shape": ...
    @property
    def choices(self) -> Collection[str]: ...
    @property
    def least(self) -> int: ...
    @property
    def most(self) -> int: ...
    @property
    def pattern(self) -> str: ...
    @property
    def sensitive(self) -> bool: ...


class Operation(Protocol):
    """One operation: what it takes and gives, None where that is nothing.

    ``changes``: it leaves something behind in the account. ``errors`` are the codes that the model
    of its service has.
    """

    @property
    def input(self) -> Shape | None: ...
    @property
    def output(self) -> Shape | None: ...
    @property
    def changes(self) -> bool: ...
    @property
    def errors(self) -> Collection[str]: ...


class Catalogue(Protocol):
    """AWS's services (as boto3 writes them), their operations, by the API's own names.

    ``waiters`` are a service's, in snake case, each with the operation that it polls. Of what
    there is not they give nothing.
    """

    def services(self) -> Collection[str]: ...
    def operations(self, service: str) -> Collection[str]: ...
    def operation(self, service: str, name: str) -> Operation | None: ...
    def waiters(self, service: str) -> Mapping[str, str]: ...


class Known(msgspec.Struct, frozen=True):
    """A shape made by hand. ``of`` is the shape of a list's or a map's items."""

    kind: str
    members: Mapping[str, Shape] = msgspec.field(default_factory=dict)
    required: Collection[str] = ()
    of: Shape | None = None
    choices: Collection[str] = ()
    sensitive: bool = False
    least: int = 0
    most: int = 0
    pattern: str = ""

    @property
    def item(self) -> Shape:
        """The shape of the items; anything where that is not known."""
        return self.of or ANYTHING


ANYTHING = Known("document")
SECRET = Known("document", sensitive=True)
STRING = Known("string")
NUMBER = Known("number")
BOOLEAN = Known("boolean")
NOTHING = Known("structure")


def list_of(item: Shape) -> Known:
    return Known("list", of=item)


def structure(members: Mapping[str, Shape]) -> Known:
    return Known("structure", members=members)


def shape_of(value: object) -> Shape:
    for kinds, shape in _PLAIN:
        if isinstance(value, kinds):
            return shape
    return ANYTHING


_PLAIN: tuple[tuple[tuple[type, ...], Shape], ...] = (
    ((bool,), BOOLEAN),
    ((int,), Known("integer")),
    ((float,), Known("float")),
    ((str,), STRING),
    ((list, tuple), list_of(ANYTHING)),
)


def holds_secret(shape: Shape, depth: int = 4) -> bool:
    """Whether a value of this shape is, or has in it, something that must stay secret."""
    if shape.sensitive:
        return True
    if not depth:
        return False
    parts = [*shape.members.values(), *([shape.item] if shape.kind in {"list", "map"} else [])]
    return any(holds_secret(part, depth - 1) for part in parts)
