"""What everything that works on one run shares."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stslab.runner.calls.calls import Calls
from stslab.runner.calls.own import OwnOnly
from stslab.runner.clock import Clock
from stslab.runner.events import Event
from stslab.runner.journal.records import MADE, Entry, RunRecord, Thing
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Account, Profiles

Emit = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Work:
    """One run, its memory, and its ways out.

    ``own`` judges what the calls would change, for this run.
    """

    run: RunRecord
    journal: Journal
    account: Account
    profiles: Profiles
    calls: Calls
    emit: Emit
    clock: Clock
    own: OwnOnly = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", OwnOnly(self.run, self.journal))
        self.calls.guard = self.own

    def made(self) -> tuple[Thing, ...]:
        """Every thing that the run is known to have made, a stack's resources among them."""
        entries = [entry for entry in self.journal.entries(self.run.id) if entry.state in MADE]
        return tuple(thing for entry in entries for thing in self.things_of(entry))

    def known(self) -> tuple[Thing, ...]:
        """Every thing that the run made, or undid since."""
        entries = self.journal.entries(self.run.id)
        return tuple(thing for entry in entries for thing in self.things_of(entry))

    def things_of(self, entry: Entry) -> tuple[Thing, ...]:
        """What one call made."""
        own = (entry.thing,) if entry.thing else ()
        return (*own, *self.journal.things(self.run.id, entry.seq))
