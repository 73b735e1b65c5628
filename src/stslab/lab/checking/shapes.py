"""The shapes of values that no API describes: what a run knows, and what JMESPath makes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from stslab.lab.checking.catalogue import Shape


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
