"""Does a stage's steps: each once, and again where what it did is gone."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stslab.errors import UnresolvedReference
from stslab.kinds.creations import is_repeatable
from stslab.lab.embedded import LIVE
from stslab.lab.model import Stage
from stslab.lab.references import names_used
from stslab.runner.calls.work import Work
from stslab.runner.events import StepDrifted, StepSkipped
from stslab.runner.journal.records import Entry, EntryState, Result
from stslab.runner.ports import Data
from stslab.runner.run.doing import Doing
from stslab.runner.run.inspection import Inspection
from stslab.runner.run.prepare import prepare


@dataclass(frozen=True, slots=True)
class Looks:
    """The steps that this process did, and those that it looked at: neither needs another look.

    ``remade`` are the names of the things of steps that were done again.
    """

    made: set[tuple[str, int]] = field(default_factory=set)
    looked: set[tuple[str, int]] = field(default_factory=set)
    remade: set[str] = field(default_factory=set)

    def has(self, stage: Stage, number: int) -> bool:
        return (stage.id, number) in self.made | self.looked

    def at(self, stage: Stage, number: int) -> None:
        """The step was looked at: there is nothing to do, or nothing that would be done."""
        self.looked.add((stage.id, number))

    def done(self, stage: Stage, number: int, before: Entry | None = None) -> None:
        """The step is done. ``before`` is the entry that it was done by earlier, if it was."""
        self.made.add((stage.id, number))
        if before:
            self.looked.clear()  # what comes after it may have hung on what it did
        if before and before.thing:
            self.remade.update(before.thing.names.values())

    def forget(self) -> None:
        """Something failed: look at everything again."""
        self.made.clear()
        self.looked.clear()


class Steps:
    """Does steps, for one run. ``scope`` gives what the run knows at the moment."""

    def __init__(self, work: Work, scope: Callable[[], Data], looks: Looks) -> None:
        self._work = work
        self._scope = scope
        self._looks = looks
        self._inspection = Inspection(work, looks.remade)

    def do(self, stage: Stage, number: int, *, quietly: bool = False) -> None:
        """Do one step (``number`` counts from 0), or what is left of it.

        One that was done before is looked at, and done again if what it did is gone, unless
        somebody did that by hand. ``quietly``: nothing is said of one where all is as it was.

        Raises: as :meth:`Doing.go_on`.
        """
        entry, doing = self._latest(stage, number), self._doing(stage, number)
        if entry and entry.state is EntryState.DONE:
            drifted = self._to_be_done_again(stage, number, entry, quietly=quietly)
            if drifted is None:
                return
            if drifted.differences:  # it is there: the call itself makes it as it was
                doing = replace(doing, prepared=doing.prepared.again(entry.seq))
                entry = None
        doing.go_on(entry)
        self._looks.done(stage, number, entry)

    def drifted(self, stage: Stage, number: int) -> StepDrifted | None:
        """What is no longer as the step left it; None where all is, or it was not done."""
        entry = self._latest(stage, number)
        if not entry or entry.state is not EntryState.DONE or self._looks.has(stage, number):
            return None
        prepared = self._doing(stage, number).prepared
        if names_used(prepared.step.params) & LIVE.keys():  # they stood for something else then
            prepared = prepared.called_with(entry.intent.params)
        seen = self._inspection.of(prepared, entry, self._scope())
        if not seen.what:
            self._looks.at(stage, number)
            return None
        by_itself = seen.gone or is_repeatable(prepared.step.call)
        return StepDrifted(
            stage=stage.id,
            number=number,
            title=prepared.step.title,
            what=seen.what,
            again=by_itself,
            differences=seen.differences,
            fix=() if by_itself else seen.fix,
        )

    def adopt(self, stage: Stage, number: int) -> bool:
        """Take up what somebody did by hand in the step's place; False where nothing such is."""
        entry = self._latest(stage, number)
        try:
            done = entry and entry.state is EntryState.DONE and not self.drifted(stage, number)
            return bool(done) or self._adopt(stage, number)
        except UnresolvedReference:
            return False

    def _adopt(self, stage: Stage, number: int) -> bool:
        doing = self._doing(stage, number)
        answer = doing.by_hand()
        if answer is None:
            return False
        doing.adopt(answer)
        self._looks.done(stage, number)
        return True

    def _to_be_done_again(
        self, stage: Stage, number: int, entry: Entry, *, quietly: bool
    ) -> StepDrifted | None:
        """Why a step that was done is to be done again; None where it is not."""
        emit, drifted = self._work.calls.emit, self.drifted(stage, number)
        if drifted is None:
            if not quietly:
                emit(StepSkipped(stage.id, stage.steps[number].title))
            return None
        if drifted.again and self._adopt(stage, number):
            self._looks.done(stage, number, entry)
            self._supersede(entry, drifted.what)
            return None
        emit(drifted)
        if drifted.again:
            return drifted
        self._looks.at(stage, number)
        return None

    def _supersede(self, entry: Entry, why: str) -> None:
        """What the run made itself is gone, if what was taken up has its name."""
        latest = self._work.journal.past(entry.run).latest(entry.intent.stage, entry.intent.step)
        if entry.thing and latest and latest.thing and entry.thing.same(latest.thing):
            self._work.conclude(entry.seq, Result(EntryState.UNDONE, why))

    def _latest(self, stage: Stage, number: int) -> Entry | None:
        return self._work.journal.past(self._work.run.id).latest(stage.id, number)

    def _doing(self, stage: Stage, number: int) -> Doing:
        work, scope = self._work, self._scope
        place = work.place_of(stage.steps[number].identity)
        prepared = prepare(stage, number, scope(), place)
        work.calls.learn(prepared.params)
        return Doing(work, scope, self._inspection, stage, prepared, work.calls.clock.monotonic())
