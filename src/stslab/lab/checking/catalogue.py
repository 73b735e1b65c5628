"""What the lab checker asks about AWS's APIs; ``stslab.aws.catalogue`` answers it, offline."""

from collections.abc import Collection, Mapping
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
