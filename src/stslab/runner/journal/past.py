"""The past of one run: its records, read together. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Self, TypeVar

from msgspec.json import decode
from msgspec.structs import replace

from stslab.runner.journal.records import (
    KINDS,
    MADE,
    UNFINISHED,
    Body,
    Broken,
    CheckRecord,
    Entered,
    Entry,
    EntryState,
    FaultState,
    Forgot,
    Found,
    Hint,
    How,
    Intent,
    Link,
    Marked,
    Outcome,
    Prediction,
    Record,
    RunRecord,
    SavedProfile,
    StageRecord,
    Thing,
)

T = TypeVar("T", bound=Body)
_UNKNOWN = EntryState.INTENDED
# The states that a call itself can lead to. The others come from undoing it.
_OF_CALLS = (*MADE, EntryState.LOST, EntryState.REFUSED, EntryState.NOT_OURS)


def read(link: Link) -> Record:
    """Decode a stored record. Raises ValueError, LookupError or MsgspecError if it can't."""
    return Record(link.number, link.at, decode(link.body, type=KINDS[link.kind]))


class Kept:
    """What is kept of a run while records are added: records by kinds, and entries by number.

    An entry is kept with the count of its outcomes: with one more, it is another.
    """

    def __init__(self) -> None:
        self.records = dict[tuple[type, ...], tuple[Record, ...]]()
        self.entries = dict[int, tuple[int, Entry]]()


class Past:
    """The past of one run. ``read`` returns its records of some kinds, in order."""

    def __init__(
        self,
        run_id: str,
        read: Callable[[tuple[type, ...]], tuple[Record, ...]],
        kept: Kept | None = None,
    ) -> None:
        self.run_id = run_id
        self._read = cache(read)
        self._kept = kept or Kept()

    @classmethod
    def of(cls, run_id: str, links: Iterable[Link]) -> Self:
        """The past in stored records. Raises as :func:`read`."""
        return cls.of_records(run_id, tuple(map(read, links)))

    @classmethod
    def of_records(cls, run_id: str, every: Sequence[Record]) -> Self:
        return cls(
            run_id, lambda kinds: tuple(each for each in every if isinstance(each.body, kinds))
        )

    def records(self, *kinds: type) -> tuple[Record, ...]:
        """The records of these kinds, or all, in order."""
        return self._read(kinds or tuple(KINDS.values()))

    def run(self) -> RunRecord | None:
        """The run with its present state."""
        begun = next((run for run, _ in self._of(RunRecord)), None)
        if begun is None:
            return None
        for marked, at in self._of(Marked):
            ended = "" if marked.state in UNFINISHED else at
            begun = replace(begun, state=marked.state, ended=ended)
        return begun

    def entries(self) -> tuple[Entry, ...]:
        """All calls that may have changed something, with their outcomes."""
        outcomes = dict[int, list[tuple[Outcome, str]]]()
        for record in self.records(Intent, Outcome):
            if isinstance(record.body, Outcome):
                outcomes.setdefault(record.body.entry, []).append((record.body, record.at))
        return tuple(
            self._entry(record, record.body, outcomes.get(record.number, []))
            for record in self.records(Intent)
            if isinstance(record.body, Intent)
        )

    def _entry(self, record: Record, intent: Intent, outcomes: list[tuple[Outcome, str]]) -> Entry:
        count, known = self._kept.entries.get(record.number, (-1, None))
        if known and count == len(outcomes):
            return known
        results = [outcome.result for outcome, _ in outcomes]
        times = [at for _, at in outcomes] or [""]
        things = [result.thing for result in results if result.thing is not None]
        undos = [result.undo for result in results if result.undo is not None]
        states = [result.state for result in results]
        entry = Entry(
            seq=record.number,
            run=self.run_id,
            intent=intent,
            state=states[-1] if states else _UNKNOWN,
            thing=things[-1] if things else intent.thing,
            undo=undos[-1] if undos else intent.undo,
            detail=results[-1].detail if results else "",
            happened=next((state for state in reversed(states) if state in _OF_CALLS), _UNKNOWN),
            request_id=results[0].request_id if results else "",
            started=record.at,
            answered=times[0],
            ended=times[-1],
        )
        self._kept.entries[record.number] = len(outcomes), entry
        return entry

    def latest(self, stage: str, step: int) -> Entry | None:
        """The last entry of one step, or None if it was never tried."""
        for record in reversed(self.records(Intent)):
            intent, number = record.body, record.number
            if isinstance(intent, Intent) and (intent.stage, intent.step) == (stage, step):
                outcomes = [
                    (each.body, each.at)
                    for each in self.records(Outcome)
                    if isinstance(each.body, Outcome) and each.body.entry == number
                ]
                return self._entry(record, intent, outcomes)
        return None

    def broken(self) -> tuple[Broken, ...]:
        """The states of the run's fault, in order, with their times."""
        return tuple(replace(broken, at=broken.at or at) for broken, at in self._of(Broken))

    def fixed(self) -> str:
        """When the run's fault was fixed, or ""."""
        return next((at for broken, at in self._of(Broken) if broken.state is FaultState.FIXED), "")

    def things(self, entry: int) -> tuple[Thing, ...]:
        """The further things that the call with this number made."""
        return tuple(found.thing for found, _ in self._of(Found) if found.entry == entry)

    def saved(self) -> dict[str, object]:
        """The values that steps saved, by name."""
        every = [outcome.result.saved for outcome, _ in self._of(Outcome)]
        return {name: value for saved in every for name, value in saved.items()}

    def profiles(self) -> tuple[SavedProfile, ...]:
        """The profiles that the run wrote and has not removed from the files."""
        profiles = dict[str, SavedProfile]()
        for record in self.records(Outcome, Forgot):
            if isinstance(record.body, Forgot):
                profiles.pop(record.body.profile, None)
            elif isinstance(record.body, Outcome) and record.body.result.profile:
                profile = SavedProfile(*record.body.result.profile)
                profiles[profile.name] = profile
        return tuple(profiles.values())

    def held(self) -> frozenset[str]:
        """The ids of the stages whose checkpoints held."""
        return frozenset(stage.stage for stage, _ in self._of(StageRecord) if stage.held)

    def checks(self) -> tuple[CheckRecord, ...]:
        return tuple(check for check, _ in self._of(CheckRecord))

    def proved(self, stage: str, number: int) -> CheckRecord | None:
        """The last time that a claim held, if it ever did."""
        tried = [each for each in self.checks() if (each.stage, each.number) == (stage, number)]
        return next((each for each in reversed(tried) if each.held), None)

    def predictions(self) -> tuple[Prediction, ...]:
        return tuple(prediction for prediction, _ in self._of(Prediction))

    def hints(self) -> tuple[Hint, ...]:
        return tuple(hint for hint, _ in self._of(Hint))

    def hinted(self, stage: str, step: int, about: str = "") -> int:
        """How many hints for a step the learner took."""
        taken = [(hint.stage, hint.step, hint.about) for hint in self.hints()]
        return taken.count((stage, step, about))

    def entered(self, stage: str) -> str:
        """When the stage was first begun (ISO 8601), or ""."""
        return next((at for entered, at in self._of(Entered) if entered.stage == stage), "")

    @property
    def how(self) -> How | None:
        """How the stage that was begun last is done."""
        return next((entered.how for entered, _ in reversed([*self._of(Entered)])), None)

    def _of(self, kind: type[T]) -> Iterator[tuple[T, str]]:
        for record in self.records(kind):
            if isinstance(record.body, kind):
                yield record.body, record.at
