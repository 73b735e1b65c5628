"""How far a run is, from its records and the lab as it was when the run began. Pure."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from stslab.runner.journal import records
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import How


class ClaimState(StrEnum):
    ALLOWED = "allowed"  # it was proved by a call that succeeded
    DENIED = "denied"  # it was proved by a call that AWS refused
    NOT_PROVED = "not proved"  # it was tried, and did not hold
    NEVER_MADE = "never made"  # it is about a thing that the run never made, and does not count
    CHANGED = "changed"  # the lab has changed since the run began: another claim was tried
    NOT_TRIED = "not tried"


_TOLD = "lab title path target account region state started ended".split()
PROVED = (ClaimState.ALLOWED, ClaimState.DENIED)


class StageState(StrEnum):
    DONE = "done"
    FAILED = "did not hold"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    AHEAD = "not reached"


class Attempt(msgspec.Struct, frozen=True):
    at: str
    how: How
    lab: str  # its hash
    outcome: StageState = StageState.STOPPED
    seconds: float | None = None  # None if it was stopped


class ClaimStanding(msgspec.Struct, frozen=True):
    """A claim of the lab, with the try that proved it, or else the last one."""

    stage: str
    title: str
    says: str
    identity: str
    call: str  # ``service.Operation``, or empty if nothing is called
    verdict: ClaimState
    by: tuple[str, ...] = ()  # the gates that should refuse
    tries: int = 0  # all of them
    code: str = ""
    gates: tuple[str, ...] = ()  # the known gates that refused
    proof: str = ""
    request_id: str = ""
    seconds: float = 0.0
    at: str = ""

    @property
    def proved(self) -> bool:
        return self.verdict in PROVED


class StageStanding(msgspec.Struct, frozen=True):
    id: str
    title: str
    state: StageState
    attempts: tuple[Attempt, ...]

    def done_by(self, *ways: How) -> bool:
        return any(attempt.how in ways for attempt in self.attempts)


class Standing(msgspec.Struct, frozen=True):
    """How far a run has come. ``claims`` are all claims of the lab, tried or not, in order."""

    run: records.RunRecord
    stages: tuple[StageStanding, ...]
    claims: tuple[ClaimStanding, ...]

    @property
    def proved(self) -> int:
        return sum(claim.proved for claim in self.claims)

    @property
    def finished(self) -> bool:
        """Whether it reached its end with nothing skipped."""
        return self.run.state is records.RunState.FINISHED and not self.remarks["skipped"]

    @property
    def remarks(self) -> dict[str, tuple[str, ...]]:
        """For programs: each remark, with the ids of the stages that it is about."""
        lab = self.run.sha256  # when the run began
        return {
            "skipped": self._ids(lambda stage: stage.state is StageState.SKIPPED),
            "not_reached": self._ids(lambda stage: stage.state is StageState.AHEAD),
            "asked_nobody": self._ids(lambda it: it.done_by(How.YES, How.ALONE, How.BREAK)),
            "tried_again": self._ids(
                lambda it: any(each.seconds is not None for each in it.attempts[:-1])
            ),
            "lab_changed": self._ids(lambda it: any(each.lab != lab for each in it.attempts)),
        }

    @property
    def notes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """For people: the remarks that apply, with the ids of the stages."""
        found, to_break = self.remarks, self._ids(lambda stage: stage.done_by(How.BREAK))
        alone = tuple(stage for stage in found["asked_nobody"] if stage not in to_break)
        every = (
            ("skipped", found["skipped"]),
            ("not reached", found["not_reached"]),
            ("begun more than once", found["tried_again"]),
            ("nobody was asked (--yes, or no terminal)", alone),
            ("set up by stslab break", to_break),
            ("with another lab than the run began with", found["lab_changed"]),
        )
        return tuple((words, stages) for words, stages in every if stages)

    @property
    def summary(self) -> str:
        """How many of the claims were proved, and the notes, in a sentence."""
        many = "" if len(self.claims) == 1 else "s"
        proved = f"{self.proved} of {len(self.claims)} claim{many} proved"
        return "; ".join((proved, *(f"{words}: {', '.join(ids)}" for words, ids in self.notes)))

    def as_dict(self) -> dict[str, Any]:
        """For programs, in JSON's types; a report has more."""
        return {
            "run": self.run.id,
            **{name: getattr(self.run, name) for name in _TOLD},
            "claims": len(self.claims),
            "proved": self.proved,
            **self.remarks,
            "stages": [
                {
                    "stage": stage.id,
                    "state": str(stage.state),
                    "held": stage.state is StageState.DONE,
                    "attempts": len(stage.attempts),
                }
                for stage in self.stages
            ],
        }

    def _ids(self, about: Callable[[StageStanding], bool]) -> tuple[str, ...]:
        return tuple(stage.id for stage in self.stages if about(stage))


def standing(past: Past) -> Standing:
    """How far the run has come; JournalError: it is unknown."""
    run = past.run()
    return Standing(
        run,
        tuple(_stages(run, past)),
        tuple(
            _claim(stage, number, claim, past)
            for stage in run.outline
            for number, claim in enumerate(stage.claims)
        ),
    )


def _stages(run: records.RunRecord, past: Past) -> Iterator[StageStanding]:
    """Each stage. One that was not begun, but a later one was, counts as skipped."""
    kinds = records.Entered | records.Skipped
    bodies = (record.body for record in past.recorded(records.Entered, records.Skipped))
    last = {body.stage: body for body in bodies if isinstance(body, kinds)}
    attempts = {stage.id: _attempts(stage.id, past) for stage in run.outline}
    begun = [number for number, stage in enumerate(run.outline) if attempts[stage.id]]
    for number, stage in enumerate(run.outline):
        tried = attempts[stage.id]
        outcomes = [attempt.outcome for attempt in tried]
        state = outcomes[-1] if outcomes else StageState.AHEAD
        passed = number < max(begun, default=-1)
        if StageState.DONE in outcomes:
            state = StageState.DONE
        elif isinstance(last.get(stage.id), records.Skipped) or (passed and not tried):
            state = StageState.SKIPPED
        yield StageStanding(stage.id, stage.title, state, tried)


def _attempts(stage: str, past: Past) -> tuple[Attempt, ...]:
    attempts = list[Attempt]()
    for record in past.recorded(records.Entered, records.StageRecord):
        body = record.body
        if isinstance(body, records.Entered) and body.stage == stage:
            attempts.append(Attempt(record.at, body.how, body.sha256))
        elif isinstance(body, records.StageRecord) and body.stage == stage:
            outcome = StageState.DONE if body.held else StageState.FAILED
            if attempts and attempts[-1].seconds is None:
                attempts[-1] = replace(attempts[-1], outcome=outcome, seconds=body.seconds)
    return tuple(attempts)


def _claim(
    stage: records.StageOutline, number: int, claim: records.ClaimOutline, past: Past
) -> ClaimStanding:
    place = (stage.id, number)
    checks = past.every(records.CheckRecord)
    tried = [check for check in checks if (check.stage, check.number) == place]
    good = [check for check in tried if _verdict(check, claim) in PROVED]
    last = next(reversed(good or tried), None)
    told = records.shared(last.claim if last else claim, ClaimStanding)
    told |= records.shared(last, ClaimStanding) if last else {}
    own = {"stage": stage.id, "title": stage.title, "tries": len(tried)}
    return ClaimStanding(**told | own, verdict=_verdict(last, claim))


def _verdict(tried: records.CheckRecord | None, claim: records.ClaimOutline) -> ClaimState:
    if tried is None:
        return ClaimState.NOT_TRIED
    if not tried.held:
        return ClaimState.NOT_PROVED
    if tried.claim.proves != claim.proves:
        return ClaimState.CHANGED
    if tried.void:
        return ClaimState.NEVER_MADE
    return ClaimState.DENIED if tried.denied else ClaimState.ALLOWED


class Concept(msgspec.Struct, frozen=True):
    name: str
    right: int  # how many of the learner's predictions about it were right
    of: int


def by_concept(predictions: Iterable[records.Prediction]) -> tuple[Concept, ...]:
    """The concepts, in the order in which they came up. A question's first answer counts."""
    first: dict[tuple[str, int], records.Prediction] = {}
    for prediction in predictions:
        first.setdefault((prediction.stage, prediction.number), prediction)
    counted: dict[str, list[bool]] = {}
    for prediction in first.values():
        counted.setdefault(prediction.concept, []).append(prediction.right)
    return tuple(Concept(name, sum(each), len(each)) for name, each in counted.items())
