"""What the records of one run tell when they are read together. Pure."""

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
# What can come of the call itself; all else comes of undoing it.
_OF_CALLS = (*MADE, EntryState.LOST, EntryState.REFUSED, EntryState.NOT_OURS)


def read(link: Link) -> Record:
    """A record, as it is kept. Raises ValueError, LookupError, MsgspecError: it makes no sense."""
    return Record(link.number, link.at, decode(link.body, type=KINDS[link.kind]))


class Past:
    """What the records of one run tell; ``read`` gives those of some kinds, in order."""

    def __init__(self, run_id: str, read: Callable[[tuple[type, ...]], tuple[Record, ...]]) -> None:
        self.run_id = run_id
        self._read = cache(read)

    @classmethod
    def of(cls, run_id: str, links: Iterable[Link]) -> Self:
        """What a run's records tell, as they are kept. Raises as :func:`read`."""
        return cls.of_records(run_id, tuple(map(read, links)))

    @classmethod
    def of_records(cls, run_id: str, every: Sequence[Record]) -> Self:
        """What these records of a run tell."""
        return cls(run_id, lambda kinds: tuple(one for one in every if isinstance(one.body, kinds)))

    def records(self, *kinds: type) -> tuple[Record, ...]:
        """The records of these kinds, or all, in order."""
        return self._read(kinds or tuple(KINDS.values()))

    def run(self) -> RunRecord | None:
        """The run as it stands now."""
        begun = next((one for one, _ in self._of(RunRecord)), None)
        if begun is None:
            return None
        for marked, at in self._of(Marked):
            ended = "" if marked.state in UNFINISHED else at
            begun = replace(begun, state=marked.state, ended=ended)
        return begun

    def entries(self) -> tuple[Entry, ...]:
        """All calls that may have changed something, and what became of each."""
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
        results = [outcome.result for outcome, _ in outcomes]
        times = [at for _, at in outcomes] or [""]
        things = [one.thing for one in results if one.thing is not None]
        undos = [one.undo for one in results if one.undo is not None]
        states = [one.state for one in results]
        return Entry(
            seq=record.number,
            run=self.run_id,
            intent=intent,
            state=states[-1] if states else _UNKNOWN,
            thing=things[-1] if things else intent.thing,
            undo=undos[-1] if undos else intent.undo,
            detail=results[-1].detail if results else "",
            happened=next((one for one in reversed(states) if one in _OF_CALLS), _UNKNOWN),
            request_id=results[0].request_id if results else "",
            started=record.at,
            answered=times[0],
            ended=times[-1],
        )

    def latest(self, stage: str, step: int) -> Entry | None:
        """The last entry of one step, or None where it was never tried."""
        place = (stage, step)
        tried = [one for one in self.entries() if (one.intent.stage, one.intent.step) == place]
        return tried[-1] if tried else None

    def broken(self) -> tuple[Broken, ...]:
        """What became of the run's fault, in order, with its times."""
        return tuple(replace(one, at=one.at or at) for one, at in self._of(Broken))

    def fixed(self) -> str:
        """When its fault was fixed; empty where it was not."""
        return next((at for one, at in self._of(Broken) if one.state is FaultState.FIXED), "")

    def things(self, entry: int) -> tuple[Thing, ...]:
        """What else the call with this number made."""
        return tuple(found.thing for found, _ in self._of(Found) if found.entry == entry)

    def saved(self) -> dict[str, object]:
        """The values that steps saved, by name."""
        every = [outcome.result.saved for outcome, _ in self._of(Outcome)]
        return {name: value for saved in every for name, value in saved.items()}

    def profiles(self) -> tuple[SavedProfile, ...]:
        """The profiles that the run wrote and that are not out of the files."""
        there = dict[str, SavedProfile]()
        for record in self.records(Outcome, Forgot):
            if isinstance(record.body, Forgot):
                there.pop(record.body.profile, None)
            elif isinstance(record.body, Outcome) and record.body.result.profile:
                profile = SavedProfile(*record.body.result.profile)
                there[profile.name] = profile
        return tuple(there.values())

    def held(self) -> frozenset[str]:
        """The ids of the stages whose checkpoints held."""
        return frozenset(stage.stage for stage, _ in self._of(StageRecord) if stage.held)

    def checks(self) -> tuple[CheckRecord, ...]:
        return tuple(check for check, _ in self._of(CheckRecord))

    def proved(self, stage: str, number: int) -> CheckRecord | None:
        """The last time that a claim held, if it ever did."""
        held = [one for one in self.checks() if (one.stage, one.number) == (stage, number)]
        return next((one for one in reversed(held) if one.held), None)

    def predictions(self) -> tuple[Prediction, ...]:
        return tuple(one for one, _ in self._of(Prediction))

    def hints(self) -> tuple[Hint, ...]:
        return tuple(one for one, _ in self._of(Hint))

    def hinted(self, stage: str, step: int, about: str = "") -> int:
        """How many hints to a step the learner took."""
        taken = [(one.stage, one.step, one.about) for one in self.hints()]
        return taken.count((stage, step, about))

    def entered(self, stage: str) -> str:
        """When the stage was first begun (ISO 8601), or empty."""
        return next((at for one, at in self._of(Entered) if one.stage == stage), "")

    @property
    def how(self) -> How | None:
        """How the last stage that was begun was gone through."""
        return next((one.how for one, _ in reversed([*self._of(Entered)])), None)

    def _of(self, kind: type[T]) -> Iterator[tuple[T, str]]:
        for record in self.records(kind):
            if isinstance(record.body, kind):
                yield record.body, record.at
