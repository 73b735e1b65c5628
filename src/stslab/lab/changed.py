"""What a person is told of a lab's calls: which things they change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Changed:
    """One thing that a run changes, by which calls; ``undo`` are those that undo it."""

    thing: str
    calls: tuple[str, ...]
    undo: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The list in short: what is changed, which calls only read, and what a person should know.

    ``cleanup`` are the calls that it makes besides, for what was added by hand.
    """

    changed: tuple[Changed, ...]
    reads: tuple[str, ...]
    cleanup: tuple[str, ...]
    notes: tuple[str, ...]
