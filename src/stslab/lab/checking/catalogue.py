"""What the lab checker asks about AWS's APIs; ``stslab.aws.catalogue`` answers it, offline."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Shape(Protocol):
    """The shape of a value that an API takes or gives.

    ``kind`` is structure, list, map, string, integer, float, boolean, timestamp, blob or
    document (any JSON). Only the parts that belong to the kind are filled.
    """

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        ...

    @property
    def members(self) -> Mapping[str, "Shape"]:
        """A structure's members, by name."""
        ...

    @property
    def required(self) -> Collection[str]:
        """The members that must be given."""
        ...

    @property
    def item(self) -> "Shape":
        """The shape of a list's items, or of a map's values."""
        ...

    @property
    def choices(self) -> Collection[str]:
        """The values that a string may have; empty where any will do."""
        ...

    @property
    def least(self) -> int:
        """How many characters a text, or items a list, has at least; 0 where it may be empty."""
        ...

    @property
    def sensitive(self) -> bool:
        """Whether the value is a secret, which must never be saved or shown."""
        ...


class Operation(Protocol):
    """One operation of one service."""

    @property
    def input(self) -> Shape | None:
        """The shape of its parameters; None where it takes none."""
        ...

    @property
    def output(self) -> Shape | None:
        """The shape of its response; None where it gives none."""
        ...

    @property
    def changes(self) -> bool:
        """Whether it changes anything in the account that would be left behind."""
        ...


class Catalogue(Protocol):
    """AWS's services, their operations and their waiters, by the API's own names."""

    def services(self) -> Collection[str]:
        """The names of all services, as boto3 writes them."""
        ...

    def operations(self, service: str) -> Collection[str]:
        """The names of the service's operations; empty where there is no such service."""
        ...

    def operation(self, service: str, name: str) -> Operation | None:
        """The operation of this name, or None."""
        ...

    def waiters(self, service: str) -> Mapping[str, str]:
        """The service's waiters, in snake case, each with the operation that it polls."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A shape made by hand. ``of`` is the shape of a list's or a map's items."""

    kind: str
    members: Mapping[str, Shape] = field(default_factory=dict)
    required: Collection[str] = ()
    of: Shape | None = None
    choices: Collection[str] = ()
    sensitive: bool = False
    least: int = 0

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
    """A list of such items."""
    return Known("list", of=item)


def structure(members: Mapping[str, Shape]) -> Known:
    """A structure of these members and no others."""
    return Known("structure", members=members)


def shape_of(value: object) -> Shape:
    """The shape of a plain value."""
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
