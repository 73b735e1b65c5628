"""What a person is told of a lab's calls: which things they change."""

import msgspec


class Changed(msgspec.Struct, frozen=True):
    """One thing that a run changes, by which calls; ``undo`` are those that undo it."""

    thing: str
    calls: tuple[str, ...]
    undo: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True):
    """The list in short: what is changed, which calls only read, and what a person should know.

    ``cleanup`` are the calls that it makes besides, for what was added by hand.
    """

    changed: tuple[Changed, ...]
    reads: tuple[str, ...]
    cleanup: tuple[str, ...]
    notes: tuple[str, ...]
