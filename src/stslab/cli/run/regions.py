"""A run goes on in the region in which it began, whatever the settings of today say."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stslab.cli.options import Where
    from stslab.runner.journal.records import RunRecord
    from stslab.runner.journal.store import Journal


def placed(journal: "Journal", where: "Where", lab: str = "") -> "tuple[Where, RunRecord | None]":
    """Where to work, and the unfinished run (of that lab) that goes on there, if there is one.

    A region that is named by a flag stays: then the run's pin says that it is another one.
    """
    from stslab.aws.target import name_of

    unfinished = next(iter(journal.unfinished(name_of(where.target), lab)), None)
    region = unfinished.region if unfinished and unfinished.kind != "sandbox" else ""
    return where.at(region), unfinished
