"""What a resource type is: its properties, and who makes, changes and deletes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stslab.sandbox.cloudformation.resources.work import Work

Properties = Mapping[str, Any]


class Handler(Protocol):
    """Makes, changes and deletes the resources of one type, by calls in the caller's name."""

    def create(self, work: Work) -> None:
        """Make the resource; sets ``work.physical_id`` where AWS gives the name, and attributes.

        Raises:
            ApiFault: a call was refused; what was made so far is deleted with the resource.
        """
        ...

    def update(self, work: Work, old: Properties) -> None:
        """Change the resource from ``old`` properties to ``work.properties``."""
        ...

    def delete(self, work: Work) -> None:
        """Delete the resource; nothing is wrong if it is gone already."""
        ...


@dataclass(frozen=True)
class Property:
    """One property. ``kind`` is text, number, flag, list, texts or json (any structure)."""

    kind: str
    required: bool = False
    replaces: bool = False
    allowed: tuple[str, ...] = ()
    supported: bool = True


@dataclass(frozen=True)
class ResourceType:
    """One type, as "AWS resource and property types reference" describes it.

    ``name_property`` names the resource and needs CAPABILITY_NAMED_IAM where
    ``acknowledged``; ``make_name`` makes a name where none is given. ``reference`` gives
    the value of ``Ref``, and ``attributes`` are what ``Fn::GetAtt`` takes.
    """

    name: str
    properties: Mapping[str, Property]
    handler: Handler
    attributes: frozenset[str] = frozenset()
    acknowledged: bool = False
    name_property: str = ""
    name_limit: int = 64
    make_name: Callable[[str, str, int], str] | None = None
    tagged: bool = False
    required_together: tuple[str, ...] = field(default_factory=tuple)

    @property
    def replacing(self) -> frozenset[str]:
        """The properties whose update requires replacement."""
        return frozenset(name for name, each in self.properties.items() if each.replaces)
