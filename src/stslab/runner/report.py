"""The report of a run, from the journal alone; a report is verified, and masked."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import MsgspecError, convert, to_builtins
from msgspec.json import decode, encode
from msgspec.structs import replace

from stslab import __version__
from stslab.errors import StslabError, UsageError
from stslab.kinds.own import Own
from stslab.lab.effects import subjects
from stslab.runner.journal import records
from stslab.runner.journal.past import Past, read
from stslab.runner.journal.records import REMAINS, Entry, EntryState, Link, RunRecord, RunState
from stslab.runner.journal.standing import Concept, StageState, Standing, by_concept, standing
from stslab.runner.undo import proof
from stslab.structures import beside, without

_TEXTS = beside(__file__, "report.yaml")
ABOUT: str = _TEXTS["about"]
UNKNOWABLE: list[str] = _TEXTS["unknowable"]


class ReportedCall(msgspec.Struct, frozen=True):
    stage: str
    title: str
    identity: str
    call: str
    changes: tuple[str, ...]
    at: str
    outcome: str
    request_id: str
    seconds: float | None  # None if no answer is known
    made: tuple[records.Thing, ...] = ()
    profile: str = ""


class ReportedRemoval(msgspec.Struct, frozen=True):
    thing: str
    calls: tuple[str, ...]  # those that undid it
    at: str  # ISO 8601 in UTC


class ReportedFault(msgspec.Struct, frozen=True):
    """A fault for the learner to find; some members are as in ``records.Broken``."""

    asked: str
    fixed: bool
    title: str  # empty until it is fixed
    where: str  # empty until it is fixed
    hints: int
    whys: int
    solved: bool
    tries: int
    opened: bool
    seconds: float | None


class Report(msgspec.Struct, frozen=True):
    standing: Standing
    clean: bool  # cleanup has proved that nothing is left
    seconds: float | None  # from begin to end, with pauses; None until it ends
    predicted: tuple[records.Prediction, ...]
    predictions: tuple[Concept, ...]
    hints: int
    calls: tuple[ReportedCall, ...]
    removed: tuple[ReportedRemoval, ...]  # things that were undone
    remaining: tuple[str, ...]  # things that are not undone (yet)
    links: tuple[Link, ...]  # the run's stored records
    fault: ReportedFault | None = None
    learner: str = ""  # the name that the learner gave

    @property
    def run(self) -> RunRecord:
        return self.standing.run

    def as_dict(self) -> Mapping[str, Any]:
        """The report for programs, in JSON's types."""
        stands, members = self.standing, to_builtins(self)
        del members["standing"], members["links"]
        return {
            "report": ABOUT,
            "stslab": __version__,
            "run": without(to_builtins(self.run), "outline", "flags"),
            "proved": stands.proved,
            **stands.remarks,
            "stages": [
                {"stage": stage.id, "held": stage.state is StageState.DONE, **to_builtins(stage)}
                for stage in stands.stages
            ],
            "claims": to_builtins(stands.claims),
            **members,
            "records": [link._asdict() for link in self.links],
        }


def report(past: Past, links: tuple[Link, ...]) -> Report:
    """The report of a run with these records; JournalError if it is unknown, or can't be read."""
    stands = standing(past)
    run, calls, predicted = stands.run, past.entries(), past.every(records.Prediction)
    # Things that were made, or may have been, and are not known to be gone.
    remaining = tuple(proof.name(call) for call in calls if call.undo and call.state in REMAINS)
    return Report(
        standing=stands,
        clean=run.state in (RunState.FINISHED, RunState.CLEANED),
        seconds=_between(run.started, run.ended),
        predicted=predicted,
        predictions=by_concept(predicted),
        hints=len(past.every(records.Hint)),
        calls=tuple(_call(run, call, past.things(call.seq)) for call in calls),
        removed=tuple(_removed(past, calls)),
        remaining=() if run.state is RunState.LOST else remaining,
        links=links,
        fault=fault_of(past),
    )


def fault_of(past: Past) -> ReportedFault | None:
    """The run's fault, or None if none was planted."""
    states = past.broken()
    if not states:
        return None
    last, fixed = states[-1], past.fixed()
    helps = [hint.step for hint in past.every(records.Hint)]
    return ReportedFault(
        asked=last.asked,
        fixed=bool(fixed),
        title=last.fault.title if fixed else "",
        where=last.where if fixed else "",
        hints=helps.count(records.HINT),
        whys=helps.count(records.WHY),
        solved=any(state.solved for state in states),
        tries=max(state.tries for state in states),
        opened=any(state.opened for state in states),
        seconds=_between(last.at, fixed),
    )


def _call(run: RunRecord, entry: Entry, inside: tuple[records.Thing, ...]) -> ReportedCall:
    """The call of an entry; ``inside`` are its further things, a stack's resources."""
    intent, own = entry.intent, Own(run.id, run.account, run.partition)
    known = entry.thing.names if entry.thing else {}
    changes = subjects(entry.call, {**intent.params, **known}, own)
    if entry.thing and inside:
        changes = (f"{entry.thing.label} with {', '.join(each.label for each in inside)}",)
    return ReportedCall(
        **records.shared(intent, ReportedCall),
        call=entry.call,
        changes=changes,
        at=entry.started,
        outcome=str(entry.happened),
        request_id=entry.request_id,
        seconds=_between(entry.started, entry.answered),
        made=(*([entry.thing] if entry.thing else []), *inside),
    )


def _removed(past: Past, calls: Sequence[Entry]) -> Iterator[ReportedRemoval]:
    """The things that were undone, in order; a stack's resources follow it."""
    undone = [entry for entry in calls if entry.undo and entry.state is EntryState.UNDONE]
    for entry in sorted(undone, key=lambda entry: (entry.ended, -entry.seq)):
        by = tuple(undo.name for undo in entry.undo)
        yield ReportedRemoval(proof.name(entry), by, entry.ended)
        for thing in past.things(entry.seq):
            yield ReportedRemoval(thing.label, by, entry.ended)


def _between(start: str, end: str) -> float | None:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return None
    return round(passed.total_seconds(), 3)


_HOW = "Hand in the output of `stslab report RUN --json`: it includes the run's records."
# Members that come from the stslab that made the report, or from the learner, not from the run.
_OF_STSLAB = ("stslab", "report", "learner")


class Verified(msgspec.Struct, frozen=True):
    right: bool
    says: str


def verify(text: str) -> tuple[Report | None, tuple[Verified, ...]]:
    """Verify a report in JSON. Return the report that its records give, and the findings.

    The report is None if the chain of records is broken. UsageError: it is not a report in JSON.
    """
    handed_in = _parsed(text)
    run = str(handed_in["run"].get("id"))
    try:
        rows = [[record[name] for name in Link._fields] for record in handed_in["records"]]
        links = convert(rows, tuple[Link, ...])
    except (LookupError, TypeError, MsgspecError):
        raise UsageError("Its records are not those of a stslab journal.", _HOW) from None
    broken = records.first_broken(run, links)
    if broken is not None:
        says = f"Record {broken} of {len(links)} was changed, or one before it is missing"
        return None, (Verified(right=False, says=says),)
    whole = Verified(right=True, says=f"The chain of its {len(links)} records is whole")
    try:
        made = report(Past.of(run, tuple(map(read, links))), links)
        made = replace(made, learner=str(handed_in.get("learner", "")))
    except (ValueError, LookupError, MsgspecError, StslabError) as error:
        return None, (whole, Verified(right=False, says=f"Its records don't make a run: {error}"))
    return made, (whole, _compared(handed_in, made))


def _compared(handed_in: Mapping[str, Any], report: Report) -> Verified:
    """Whether the report agrees with its own records."""
    ours = decode(encode(report.as_dict()))
    names = [name for name in ours if name not in _OF_STSLAB and ours[name] != handed_in.get(name)]
    names += [name for name in handed_in if name not in ours]
    wrong = f"The report does not agree with its records about: {', '.join(names)}"
    return Verified(right=not names, says=wrong if names else "The report follows from its records")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("This is not a report in JSON: it can't be verified.", _HOW) from None
    parts = found if isinstance(found, dict) else {}
    if parts.get("masked"):
        raise UsageError("This report is masked, without its records: it can't be verified.", _HOW)
    if not (isinstance(parts.get("run"), dict) and isinstance(parts.get("records"), list)):
        raise UsageError("This is not a report of stslab: it can't be verified.", _HOW)
    return parts


_T = TypeVar("_T")


def masked(value: _T) -> _T:
    """A copy with X for the digits of account ids, and for unique ids that contain one."""
    text = re.sub(r"(?<!\w)\d{12}(?!\w)", "X" * 12, encode(value).decode())
    # An account's id can be computed from the unique id of a key, a user or a role.
    text = re.sub(r"\b(A(?:KI|SI|ID|RO|GP|NP)A)[A-Z2-7]{12,}\b", r"\1XXXXXXXX", text)
    return decode(text, type=type(value))
