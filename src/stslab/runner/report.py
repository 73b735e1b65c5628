"""What a run did, told from the journal alone: for instructors, and for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from stslab.errors import JournalError
from stslab.kinds.own import Own
from stslab.kinds.subjects import subjects
from stslab.runner.calls.look import complete, label
from stslab.runner.journal.records import CheckRecord, EntryState, RunRecord, RunState, Told
from stslab.runner.journal.store import Journal

_GONE = (EntryState.UNDONE, EntryState.NEVER_MADE)
_IS_CLEAN = (RunState.FINISHED, RunState.CLEANED)


@dataclass(frozen=True, slots=True)
class CallTold:
    """A call of a step, and what it changed. ``seconds`` is None where no answer is known."""

    stage: str
    title: str
    identity: str
    call: str
    changes: tuple[str, ...]
    at: str
    outcome: str
    request_id: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ClaimTold:
    """A claim, as it was tried the last time. ``verdict``: allowed, denied or not proved."""

    stage: str
    title: str
    says: str
    verdict: str
    code: str
    proof: str
    request_id: str
    seconds: float
    at: str


@dataclass(frozen=True, slots=True)
class StageTold:
    """A stage whose checkpoint was tried."""

    stage: str
    held: bool
    seconds: float
    at: str


@dataclass(frozen=True, slots=True)
class RemovedTold:
    """Something that was undone, by which calls, and when (ISO 8601 in UTC)."""

    thing: str
    calls: tuple[str, ...]
    at: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. ``removed`` was taken back, ``remaining`` was not (yet).

    ``clean`` is true once cleanup has proved that nothing is left. ``seconds`` is the time
    from the run's begin to its end, pauses included; None while it goes on.
    """

    run: RunRecord
    clean: bool
    seconds: float | None
    stages: tuple[StageTold, ...]
    claims: tuple[ClaimTold, ...]
    calls: tuple[CallTold, ...]
    removed: tuple[RemovedTold, ...]
    remaining: tuple[str, ...]

    @property
    def proved(self) -> int:
        """How many claims held."""
        return sum(claim.verdict != "not proved" for claim in self.claims)

    def as_dict(self) -> Mapping[str, Any]:
        """The report for programs, in JSON's types."""
        return {**asdict(self), "proved": self.proved}


def report(journal: Journal, run_id: str) -> Report:
    """What the run did.

    Raises:
        JournalError: there is no such run, or the journal can't be read.
    """
    run = journal.run(run_id)
    if run is None:
        raise JournalError(f"There is no run {run_id}.", "See which there are: stslab status.")
    told = journal.told(run_id)
    return Report(
        run=run,
        clean=run.state in _IS_CLEAN,
        seconds=_between(run.started, run.ended),
        stages=tuple(
            StageTold(one.stage, one.held, one.seconds, one.at)
            for one in sorted(journal.stages(run_id), key=lambda one: one.at)
        ),
        claims=tuple(map(_claim, journal.checks(run_id))),
        calls=tuple(_call(run, one) for one in told),
        removed=tuple(_removed(journal, told)),
        remaining=() if run.state is RunState.LOST else tuple(_remaining(told)),
    )


def _claim(check: CheckRecord) -> ClaimTold:
    held = "denied" if check.denied else "allowed"
    return ClaimTold(
        stage=check.stage,
        title=check.title,
        says=check.says,
        verdict=held if check.held else "not proved",
        code=check.code,
        proof=check.proof,
        request_id=check.request_id,
        seconds=check.seconds,
        at=check.at,
    )


def _call(run: RunRecord, told: Told) -> CallTold:
    intent, own = told.entry.intent, Own(run.id, run.account, run.partition)
    known = told.entry.thing.names if told.entry.thing else {}
    return CallTold(
        stage=intent.stage,
        title=intent.title,
        identity=intent.identity,
        call=told.entry.call,
        changes=subjects(told.entry.call, {**intent.params, **known}, own),
        at=told.started,
        outcome=str(told.happened),
        request_id=told.request_id,
        seconds=_between(told.started, told.answered),
    )


def _removed(journal: Journal, told: tuple[Told, ...]) -> Iterator[RemovedTold]:
    """What was taken back, in that order; what a stack had made goes with it."""
    undone = [one for one in told if one.entry.undo and one.entry.state is EntryState.UNDONE]
    for one in sorted(undone, key=lambda one: (one.ended, -one.entry.seq)):
        calls = tuple(f"{call.service}.{call.operation}" for call in one.entry.undo)
        yield RemovedTold(_name(one), calls, one.ended)
        for thing in journal.things(one.entry.run, one.entry.seq):
            yield RemovedTold(label(thing), calls, one.ended)


def _remaining(told: tuple[Told, ...]) -> Iterator[str]:
    """What was made or perhaps made and is not known to be gone."""
    past = (*_GONE, EntryState.REFUSED, EntryState.REPLACED, EntryState.NOT_OURS)
    for one in told:
        if one.entry.undo and one.entry.state not in past:
            yield _name(one)


def _name(told: Told) -> str:
    thing = told.entry.thing
    return label(thing) if thing and complete(thing) else told.entry.intent.title


def _between(start: str, end: str) -> float | None:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return None
    return round(passed.total_seconds(), 3)
