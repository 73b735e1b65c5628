"""The past of one run: its records, read together. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Self, TypeVar

from msgspec.json import decode
from msgspec.structs import replace

from stslab.errors import JournalError
from stslab.runner.journal import records
from stslab.runner.journal.records import MADE, Concluded, Entry, EntryState, Intent, Record, Result

T = TypeVar("T", bound=records.Body)
# The states that a call itself can lead to. The others come from undoing it.
_OF_CALLS = (*MADE, EntryState.LOST, EntryState.REFUSED, EntryState.NOT_OURS)


def read(link: records.Link) -> Record:
    """Decode a stored record. Raises ValueError, LookupError or MsgspecError if it can't."""
    return Record(link.number, link.at, decode(link.body, type=records.BODIES[link.kind]))


class Past:
    """The past of one run. Records are only ever added: what was read is kept.

    ``read`` returns its records of some kinds after a number, in order.
    """

    def __init__(
        self, run_id: str, read: Callable[[tuple[type, ...], int], Sequence[Record]]
    ) -> None:
        self.run_id, self._read = run_id, read
        self._records = dict[tuple[type, ...], tuple[Record, ...]]()
        self._fresh = set[tuple[type, ...]]()
        # The outcome of the first ``_taken`` records about calls; later ones are added to it.
        self._taken = 0
        self._entries = dict[int, Entry]()
        self._saved = dict[str, object]()
        self._profiles = dict[str, records.SavedProfile]()

    @classmethod
    def of(cls, run_id: str, every: Sequence[Record]) -> Self:
        return cls(
            run_id,
            lambda kinds, after: [
                each for each in every if isinstance(each.body, kinds) and each.number > after
            ],
        )

    def grow(self) -> None:
        """Look for new records from now on."""
        self._fresh.clear()

    def recorded(self, *kinds: type) -> tuple[Record, ...]:
        """The records of these kinds, in order."""
        known = self._records.get(kinds, ())
        if kinds not in self._fresh:
            known = (*known, *self._read(kinds, known[-1].number if known else 0))
            self._records[kinds] = known
            self._fresh.add(kinds)
        return known

    def _take_new(self) -> None:
        """Take the records about calls that were not taken before; an interrupt loses none."""
        for record in self.recorded(Intent, Concluded, records.Forgot)[self._taken :]:
            if isinstance(record.body, Intent):
                intent = record.body
                entry = Entry(record.number, intent, intent.thing, intent.undo, started=record.at)
                self._entries[entry.seq] = entry
            elif isinstance(record.body, records.Forgot):
                self._profiles.pop(record.body.profile, None)
            elif isinstance(record.body, Concluded):
                result = record.body.result
                if begun := self._entries.get(record.body.entry):
                    self._entries[begun.seq] = _concluded(begun, result, record.at)
                self._saved |= result.saved
                if result.profile:
                    self._profiles[result.profile.name] = result.profile
            self._taken += 1

    def run(self) -> records.RunRecord:
        """The run with its present state; JournalError: it is unknown."""
        begun = next(iter(self.every(records.RunRecord)), None)
        if begun is None:
            raise JournalError(f"There is no run {self.run_id}.", "List the runs: stslab status")
        for marked, at in self._at(records.Marked):
            ended = "" if marked.state in records.UNFINISHED else begun.ended or at
            target = marked.target or begun.target
            begun = replace(begun, state=marked.state, ended=ended, target=target)
        return begun

    def entries(self) -> tuple[Entry, ...]:
        """All calls that may have changed something, with their outcomes."""
        self._take_new()
        return tuple(self._entries.values())

    def latest(self, stage: str, step: int) -> Entry | None:
        newest = reversed(self.entries())
        return next((e for e in newest if (e.intent.stage, e.intent.step) == (stage, step)), None)

    def broken(self) -> tuple[records.Broken, ...]:
        """The states of the run's fault, in order, with their times."""
        return tuple(replace(broken, at=broken.at or at) for broken, at in self._at(records.Broken))

    def fixed(self) -> str:
        """When the run's fault was fixed, or ""."""
        states, fixed = self._at(records.Broken), records.FaultState.FIXED
        return next((at for broken, at in states if broken.state is fixed), "")

    def things(self, entry: int) -> tuple[records.Thing, ...]:
        """The further things that the call with this number made."""
        return tuple(found.thing for found in self.every(records.Found) if found.entry == entry)

    def saved(self) -> dict[str, object]:
        self._take_new()
        return dict(self._saved)

    def profiles(self) -> tuple[records.SavedProfile, ...]:
        """The profiles that the run wrote and has not removed from the files."""
        self._take_new()
        return tuple(self._profiles.values())

    def held(self) -> frozenset[str]:
        """The ids of the stages whose checkpoints held."""
        return frozenset(stage.stage for stage in self.every(records.StageRecord) if stage.held)

    def proved(self, stage: str, number: int) -> records.CheckRecord | None:
        """The last time that a claim held, if it ever did."""
        held = (each for each in reversed(self.every(records.CheckRecord)) if each.held)
        return next((each for each in held if (each.stage, each.number) == (stage, number)), None)

    def hinted(self, stage: str, step: int, about: str = "") -> int:
        """How many hints for a step the learner took."""
        taken = [(hint.stage, hint.step, hint.about) for hint in self.every(records.Hint)]
        return taken.count((stage, step, about))

    def entered(self, stage: str) -> str:
        """When the stage was first begun (ISO 8601), or ""."""
        return next((at for entered, at in self._at(records.Entered) if entered.stage == stage), "")

    @property
    def stage(self) -> str:
        """The stage that was begun last, if it does not hold and was not skipped since; else ""."""
        last = [each.body for each in self.recorded(records.Entered, records.Skipped)][-1:]
        begun = (each.stage for each in last if isinstance(each, records.Entered))
        return next((each for each in begun if each not in self.held()), "")

    @property
    def how(self) -> records.How | None:
        """How the stage that was begun last is done."""
        return next((each.how for each in reversed(self.every(records.Entered))), None)

    def every(self, kind: type[T]) -> tuple[T, ...]:
        """The bodies of all records of this kind, in order."""
        return tuple(body for body, _ in self._at(kind))

    def _at(self, kind: type[T]) -> Iterator[tuple[T, str]]:
        """The bodies of this kind, and when each was written."""
        for record in self.recorded(kind):
            if isinstance(record.body, kind):
                yield record.body, record.at


def _concluded(entry: Entry, result: Result, at: str) -> Entry:
    """The entry with one more result of its call."""
    return replace(
        entry,
        state=result.state,
        thing=entry.thing if result.thing is None else result.thing,
        undo=entry.undo if result.undo is None else result.undo,
        happened=result.state if result.state in _OF_CALLS else entry.happened,
        request_id=entry.request_id if entry.answered else result.request_id,
        answered=entry.answered or at,
        ended=at,
    )
