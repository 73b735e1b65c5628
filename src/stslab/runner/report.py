"""What a run did, told from the journal alone, and what can be known of a report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import MsgspecError, convert, to_builtins
from msgspec.json import decode, encode
from msgspec.structs import replace

from stslab import __version__
from stslab.errors import JournalError, StslabError, UsageError
from stslab.kinds.own import Own
from stslab.lab.effects import subjects
from stslab.runner.calls.look import complete, label
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import (
    HINT,
    WHY,
    Entry,
    EntryState,
    Link,
    Prediction,
    RunRecord,
    RunState,
    Thing,
    first_broken,
)
from stslab.runner.journal.standing import Concept, StageState, Standing, by_concept, standing
from stslab.runner.journal.store import Journal

ABOUT = (
    "The learner's own machine made this report, unsupervised, from the journal that it keeps."
    " It says what that journal says. It can't show who sat there, nor that the journal was not"
    " written again."
)
"""What a report says of itself."""

_OVER = (
    EntryState.UNDONE,
    EntryState.NEVER_MADE,
    EntryState.REFUSED,
    EntryState.REPLACED,
    EntryState.NOT_OURS,
)
_IS_CLEAN = (RunState.FINISHED, RunState.CLEANED)


class CallTold(msgspec.Struct, frozen=True):
    """A call of a step, what it changed, and what it made, a profile's session among it.

    ``seconds`` is None where no answer is known.
    """

    stage: str
    title: str
    identity: str
    call: str
    changes: tuple[str, ...]
    at: str
    outcome: str
    request_id: str
    seconds: float | None
    made: tuple[Thing, ...] = ()
    profile: str = ""


class RemovedTold(msgspec.Struct, frozen=True):
    """Something that was undone, by which calls, and when (ISO 8601 in UTC)."""

    thing: str
    calls: tuple[str, ...]
    at: str


class FaultTold(msgspec.Struct, frozen=True):
    """A fault that the learner was to find. What it was is told once it is fixed.

    ``asked`` are the flags that choose it, ``tries`` is how often somebody changed something, and
    ``opened`` that more was open than before. ``solved``: stslab fixed it.
    """

    asked: str
    fixed: bool
    title: str
    where: str
    hints: int
    whys: int
    solved: bool
    tries: int
    opened: bool
    seconds: float | None


class Report(msgspec.Struct, frozen=True):
    """What a run did. ``removed`` was undone, ``remaining`` was not (yet).

    ``clean`` is true once cleanup has proved that nothing is left. ``seconds`` is the time
    from the run's begin to its end, pauses included; None while it goes on. ``links`` are the
    run's records as the journal has them. ``learner`` is who they say they are.
    """

    standing: Standing
    clean: bool
    seconds: float | None
    predicted: tuple[Prediction, ...]
    predictions: tuple[Concept, ...]
    hints: int
    calls: tuple[CallTold, ...]
    removed: tuple[RemovedTold, ...]
    remaining: tuple[str, ...]
    links: tuple[Link, ...]
    fault: FaultTold | None = None
    learner: str = ""

    @property
    def run(self) -> RunRecord:
        return self.standing.run

    def as_dict(self) -> Mapping[str, Any]:
        """The report for programs, in JSON's types."""
        stands = self.standing
        run = {name: value for name, value in to_builtins(self.run).items() if name != "outline"}
        return {
            "report": ABOUT,
            "stslab": __version__,
            "learner": self.learner,
            "run": run,
            "proved": stands.proved,
            "clean": self.clean,
            "seconds": self.seconds,
            "skipped": stands.skipped,
            "not_reached": stands.not_reached,
            "asked_nobody": stands.asked_nobody,
            "tried_again": stands.tried_again,
            "lab_changed": stands.changed,
            "stages": [
                {"stage": one.id, "held": one.state is StageState.DONE, **to_builtins(one)}
                for one in stands.stages
            ],
            "claims": [to_builtins(one) for one in stands.claims],
            "predicted": [to_builtins(one) for one in self.predicted],
            "predictions": [to_builtins(one) for one in self.predictions],
            "hints": self.hints,
            "fault": to_builtins(self.fault) if self.fault else None,
            "calls": [to_builtins(one) for one in self.calls],
            "removed": [to_builtins(one) for one in self.removed],
            "remaining": self.remaining,
            "records": [one._asdict() for one in self.links],
        }


def report(journal: Journal, run_id: str) -> Report:
    """What the run did. Raises JournalError: there is no such run, or it can't be read."""
    return told(journal.past(run_id), journal.links(run_id))


def told(past: Past, links: tuple[Link, ...]) -> Report:
    """What a run did, from its records; ``links`` are the same as the journal has them."""
    stands = standing(past)
    if stands is None:
        raise JournalError(f"There is no run {past.run_id}.", "See which there are: stslab status.")
    run, calls = stands.run, past.entries()
    # What was made or perhaps made and is not known to be gone.
    remaining = tuple(_name(one) for one in calls if one.undo and one.state not in _OVER)
    return Report(
        standing=stands,
        clean=run.state in _IS_CLEAN,
        seconds=_between(run.started, run.ended),
        predicted=past.predictions(),
        predictions=by_concept(past.predictions()),
        hints=len(past.hints()),
        calls=tuple(_call(run, one, past.things(one.seq)) for one in calls),
        removed=tuple(_removed(past, calls)),
        remaining=() if run.state is RunState.LOST else remaining,
        links=links,
        fault=fault_told(past),
    )


def fault_told(past: Past) -> FaultTold | None:
    """What came of the run's fault; None where none was planted."""
    told = past.broken()
    if not told:
        return None
    last, fixed = told[-1], past.fixed()
    hints, whys = (sum(one.step == kind for one in past.hints()) for kind in (HINT, WHY))
    return FaultTold(
        asked=last.asked,
        fixed=bool(fixed),
        title=last.fault.title if fixed else "",
        where=last.where if fixed else "",
        hints=hints,
        whys=whys,
        solved=any(one.solved for one in told),
        tries=max(one.tries for one in told),
        opened=any(one.opened for one in told),
        seconds=_between(last.at, fixed),
    )


def _call(run: RunRecord, entry: Entry, inside: tuple[Thing, ...]) -> CallTold:
    """The call of an entry; ``inside`` is what else it made: what a stack has in it."""
    intent, own = entry.intent, Own(run.id, run.account, run.partition)
    known = entry.thing.names if entry.thing else {}
    changes = subjects(entry.call, {**intent.params, **known}, own)
    if entry.thing and inside:
        changes = (f"{label(entry.thing)} with {', '.join(map(label, inside))}",)
    return CallTold(
        stage=intent.stage,
        title=intent.title,
        identity=intent.identity,
        call=entry.call,
        changes=changes,
        at=entry.started,
        outcome=str(entry.happened),
        request_id=entry.request_id,
        seconds=_between(entry.started, entry.answered),
        made=(*([entry.thing] if entry.thing else []), *inside),
        profile=intent.profile,
    )


def _removed(past: Past, calls: Sequence[Entry]) -> Iterator[RemovedTold]:
    """What was undone, in that order; what a stack had made goes with it."""
    undone = [one for one in calls if one.undo and one.state is EntryState.UNDONE]
    for one in sorted(undone, key=lambda one: (one.ended, -one.seq)):
        by = tuple(call.call.name for call in one.undo)
        yield RemovedTold(_name(one), by, one.ended)
        for thing in past.things(one.seq):
            yield RemovedTold(label(thing), by, one.ended)


def _name(entry: Entry) -> str:
    known = entry.thing and complete(entry.thing)
    return label(entry.thing) if entry.thing and known else entry.intent.title


def _between(start: str, end: str) -> float | None:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return None
    return round(passed.total_seconds(), 3)


UNKNOWABLE = (
    "who sat at the machine, and whether they worked alone",
    "whether somebody wrote all the records anew, with their seals: no seal needs a secret",
    "whether records at the end were left out",
    "whether the machine's clock was right, and the account the one that it says",
)
"""What no report of a machine of somebody else's can show."""

_HOW = "Hand in what `stslab report RUN --json` prints: it carries the run's records."
# Told by the stslab that made the report, or by the learner, not by the run.
_OF_STSLAB = ("stslab", "report", "learner")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: whether it is as it should be, in a sentence."""

    right: bool
    says: str


def verify(text: str) -> tuple[Report | None, tuple[Finding, ...]]:
    """What the report in JSON says by its records, and what was found.

    There is no report where the chain is broken.

    Raises:
        UsageError: it is no report in JSON.
    """
    handed_in = _parsed(text)
    run = str(handed_in["run"].get("id"))
    try:
        rows = [[one[name] for name in Link._fields] for one in handed_in["records"]]
        links = convert(rows, tuple[Link, ...])
    except (LookupError, TypeError, MsgspecError):
        raise UsageError("Its records are none of stslab's journal.", _HOW) from None
    broken = first_broken(run, links)
    if broken is not None:
        says = f"Record {broken} of {len(links)} is not as it was written, or one before it is gone"
        return None, (Finding(right=False, says=says),)
    whole = Finding(right=True, says=f"The chain of its {len(links)} records is whole")
    try:
        report = replace(
            told(Past.of(run, links), links), learner=str(handed_in.get("learner", ""))
        )
    except (ValueError, LookupError, MsgspecError, StslabError) as error:
        return None, (whole, Finding(right=False, says=f"Its records tell of no run: {error}"))
    return report, (whole, *_compared(handed_in, report))


def _compared(handed_in: Mapping[str, Any], report: Report) -> Iterator[Finding]:
    """Whether the report says what its own records say."""
    ours = decode(encode(report.as_dict()))
    names = [name for name in ours if name not in _OF_STSLAB and ours[name] != handed_in.get(name)]
    more = [name for name in handed_in if name not in ours]
    if names or more:
        yield Finding(
            right=False, says=f"It says otherwise than them of: {', '.join(names + more)}"
        )
    else:
        yield Finding(right=True, says="All that it says follows from them")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("This is no report in JSON: it can't be verified.", _HOW) from None
    if isinstance(found, dict) and found.get("masked"):
        raise UsageError("This report is masked, without its records: it can't be verified.", _HOW)
    wanted = {"run": dict, "records": list}
    if not isinstance(found, dict) or any(
        not isinstance(found.get(name), kind) for name, kind in wanted.items()
    ):
        raise UsageError("This is no report of stslab's: it can't be verified.", _HOW)
    return found
