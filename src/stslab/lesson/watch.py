"""The state of a run for ``stslab watch``: its current stage and tasks, and what is missing."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from stslab.lab.model import Lab
from stslab.lesson import access
from stslab.lesson.byhand import Lack, missing, sentences, task_text, tasks_of
from stslab.lesson.verdict import Decide
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import MADE, FaultState, How, RunRecord
from stslab.runner.journal.standing import standing
from stslab.runner.run.scope import basis, scope


class Now(msgspec.Struct, frozen=True):
    """The current stage of a run. ``how`` is guided, by hand or break."""

    run: str
    lab: str
    how: str
    stage: str
    title: str
    number: int
    of: int
    tasks: tuple[tuple[str, bool], ...] = ()  # the stage's tasks, and whether each is done
    missing: tuple[str, ...] = ()  # what is wrong, in sentences


@dataclass(frozen=True, slots=True)
class Status:
    running: bool  # the account is running
    now: Now | None
    ends: Mapping[str, str]  # when each profile's session ends (ISO 8601); "" for long-term keys
    time: datetime = field(compare=False)  # the account's

    def left(self) -> Iterator[tuple[str, float | None]]:
        """Each profile, and how many seconds its session lasts; None for a long-term key."""
        for name, end in self.ends.items():
            seconds = 0.0 if end else None
            with suppress(ValueError, TypeError):
                seconds = (datetime.fromisoformat(end) - self.time).total_seconds()
            yield name, seconds


def now(lab: Lab, run: RunRecord, past: Past, decide: Decide) -> Now | None:
    """The run's current stage; None if none is left."""
    held = past.held()
    stage = next((one for one in lab.stages if one.id not in held), None)
    if stage is None:
        return None
    known = scope(basis(lab, run.id, run), past.saved(), past.profiles())

    def lacking(done: Collection[str], cells: Iterable[access.Key]) -> list[Lack]:
        return [*missing(access.table(lab, done, known, decide), {*cells}, past.entries())]

    planted = (FaultState.PLANTED, FaultState.FIXED)  # a moment ago
    fault = next((one.fault for one in past.broken()[-1:] if one.state in planted), None)
    if fault:
        stage = lab.stage(fault.after) or stage
        title, how = "Find the fault, and fix it", str(How.BREAK)
        lacks = lacking(held, fault.cells)
        tasks = [(fault.title, not lacks)]
    else:
        ways = {one.id: one.attempts[-1].how for one in standing(past).stages if one.attempts}
        title, how = stage.title, str(ways.get(stage.id, ""))
        made = {(one.intent.stage, one.intent.step) for one in past.entries() if one.state in MADE}
        steps = tasks_of(stage)
        tasks = [(task_text(lab, step, brief=True), (stage.id, at) in made) for at, step in steps]
        lacks = lacking({*held, stage.id}, [(one.cell, one.identity) for one in stage.changes])
        if not all(done for _, done in tasks):  # as in the lesson, which asks about the others
            lacks = [one for one in lacks if one.limits]
    number, of = lab.stages.index(stage) + 1, len(lab.stages)
    wrong = tuple(sentences(lacks))
    return Now(run.id, lab.id, how, stage.id, title, number, of, tuple(tasks), wrong)
