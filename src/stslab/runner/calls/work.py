"""What everything that works on one run shares."""

from dataclasses import dataclass, field

from stslab.runner.calls.calls import Calls
from stslab.runner.calls.own import OwnOnly
from stslab.runner.journal.records import MADE, Entry, Outcome, Result, RunRecord, Thing
from stslab.runner.journal.store import Journal
from stslab.runner.ports import TargetInfo


@dataclass(frozen=True, slots=True)
class Work:
    """One run, its memory, and its way out.

    ``own`` judges what the calls would change, for this run.
    """

    run: RunRecord
    journal: Journal
    calls: Calls
    own: OwnOnly = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", OwnOnly(self.run, self.journal, self.calls.profiles))
        self.calls.guard = self.own.require

    def place_of(self, identity: str) -> TargetInfo:
        """The target, in the account that this identity calls in."""
        return self.calls.target.of(self.own.account_of(identity))

    def entries(self) -> tuple[Entry, ...]:
        """All calls of the run that may have changed something, in order."""
        return self.journal.past(self.run.id).entries()

    def conclude(self, entry: int, result: Result) -> None:
        self.journal.write(self.run.id, Outcome(entry, result))

    def made(self) -> tuple[Thing, ...]:
        """Every thing that the run is known to have made, a stack's resources among them."""
        entries = (entry for entry in self.entries() if entry.state in MADE)
        return tuple(thing for entry in entries for thing in self.things_of(entry))

    def known(self) -> tuple[Thing, ...]:
        """Every thing that the run made, or undid since."""
        return tuple(thing for entry in self.entries() for thing in self.things_of(entry))

    def things_of(self, entry: Entry) -> tuple[Thing, ...]:
        own = (entry.thing,) if entry.thing else ()
        return (*own, *self.journal.past(self.run.id).things(entry.seq))
