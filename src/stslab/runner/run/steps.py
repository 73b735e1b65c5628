"""Does a stage's steps: journal the intent, call, save, journal the outcome.

A step that an earlier process left half-done is settled first: what it made is adopted
where its response can be had again, or else taken back and made anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stslab.errors import CredentialsError, NotOwn, RunError, UnresolvedReference
from stslab.kinds.creations import is_repeatable
from stslab.kinds.kind import EXISTS, RUN_TAG
from stslab.kinds.table import KINDS
from stslab.lab.model import Stage, Step
from stslab.lab.references import evaluate
from stslab.runner.calls.look import Lookout, complete, label
from stslab.runner.calls.own import not_own
from stslab.runner.calls.waits import Waits
from stslab.runner.calls.work import Work
from stslab.runner.events import (
    CallShown,
    StepAdopted,
    StepDiffers,
    StepDrifted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from stslab.runner.journal.records import Entry, EntryState, Result, Thing
from stslab.runner.ports import Answer, Lost, Refusal
from stslab.runner.run.credentials import credentials_in
from stslab.runner.run.inspection import Inspection
from stslab.runner.run.owning import require_own
from stslab.runner.run.prepare import Prepared, again, completed, prepare
from stslab.runner.run.settle import Settled, Settler
from stslab.runner.undo.remove import removal_of
from stslab.runner.undo.stacks import Stacks
from stslab.runner.undo.takeback import TakeBack

_ROUNDS = 4
_RESUME = "Fix the cause, then go on with `stslab run`, or take all back with `stslab cleanup`."


@dataclass(frozen=True, slots=True)
class Doing:
    """A step that is being done, since ``started`` on the clock."""

    stage: Stage
    prepared: Prepared
    started: float

    @property
    def step(self) -> Step:
        """The step itself."""
        return self.prepared.step


class Steps:
    """Does steps, for one run. ``scope`` gives what the run knows at the moment."""

    def __init__(
        self, work: Work, scope: Callable[[], Mapping[str, Any]], looks: "Looks | None" = None
    ) -> None:
        self._work = work
        self._scope = scope
        self._looks = looks or Looks()
        self._inspection = Inspection(work, self._looks.remade)
        self._lookout = Lookout(work)
        self._settler = Settler(work)
        self._takeback = TakeBack(work)
        self._waits = Waits(work)
        self._stacks = Stacks(work)

    def do(self, stage: Stage, number: int, *, quietly: bool = False) -> None:
        """Do one step (``number`` counts from 0), or what is left of it.

        One that was done before is looked at, and done again if what it did is gone, unless
        somebody did that by hand. ``quietly``: nothing is said of one where all is as it was.

        Raises:
            RunError: its call failed; AWS's message is in it.
            CredentialsError: its identity can't be used.
            NotOwn: it, or its undo, would change what is not the run's own.
        """
        entry = self._work.journal.latest(self._work.run.id, stage.id, number)
        doing = self._doing(stage, number)
        if entry and entry.state is EntryState.DONE:
            drifted = self._to_be_done_again(stage, number, entry, quietly=quietly)
            if drifted is None:
                return
            if drifted.differences:  # it is there: the call itself makes it as it was
                doing = replace(doing, prepared=again(doing.prepared, entry.seq))
                entry = None
        self._do(doing, entry)
        self._looks.done(stage, number, entry)

    def _to_be_done_again(
        self, stage: Stage, number: int, entry: Entry, *, quietly: bool
    ) -> StepDrifted | None:
        """Why a step that was done is to be done again; None where it is not."""
        drifted = self.drifted(stage, number)
        if drifted is None:
            if not quietly:
                self._work.emit(StepSkipped(stage.id, stage.steps[number].title))
            return None
        if drifted.again and self._adopt(stage, number):
            self._looks.done(stage, number, entry)
            self._supersede(entry, drifted.what)
            return None
        self._work.emit(drifted)
        if not drifted.again:
            self._looks.at(stage, number)
        return drifted if drifted.again else None

    def _do(self, doing: Doing, entry: Entry | None) -> None:
        step, stage, number = doing.step, doing.stage, doing.prepared.intent.step
        shown, of = self._shown(doing), len(stage.steps)
        self._work.emit(StepStarted(stage.id, step.title, shown, number + 1, of, step.why or ""))
        try:
            self._go_on(doing, entry)
        except StepError as error:
            self._fail(doing, error)
        except NotOwn as error:
            where = f"The step “{step.title}” of stage {stage.id}"
            raise NotOwn(f"{where}: {error.message}", error.hint) from error

    def drifted(self, stage: Stage, number: int) -> StepDrifted | None:
        """What is no longer as the step left it; None where all is, or it was not done."""
        entry = self._work.journal.latest(self._work.run.id, stage.id, number)
        if not entry or entry.state is not EntryState.DONE or self._looks.has(stage, number):
            return None
        prepared = self._doing(stage, number).prepared
        seen = self._inspection.of(prepared, entry, self._scope())
        if not seen.what:
            self._looks.at(stage, number)
            return None
        by_itself = seen.gone or is_repeatable(prepared.call)
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
        """Take up what somebody did by hand in the step's place; False where nothing such is.

        It is journaled, and so undone later. In the embedded account only: elsewhere what the
        run did not make is not its own.
        """
        entry = self._work.journal.latest(self._work.run.id, stage.id, number)
        try:
            done = entry and entry.state is EntryState.DONE and not self.drifted(stage, number)
            return bool(done) or self._adopt(stage, number)
        except UnresolvedReference:
            return False

    def _adopt(self, stage: Stage, number: int) -> bool:
        if self._work.account.target.kind != "sandbox":
            return False
        doing = self._doing(stage, number)
        seen = self._inspection.by_hand(doing.prepared)
        if seen is None:
            return False
        step, scope = doing.step, self._scope()
        if any(evaluate(text, seen.answer, scope) is None for text in step.save.values()):
            return False
        if seen.what:
            self._work.emit(StepDiffers(stage.id, step.title, seen.what, seen.differences))
            return False
        seq = self._work.journal.intend(self._work.run.id, self._settler.written(doing.prepared))
        self._work.emit(StepAdopted(stage.id, step.title))
        self._answered(doing, seq, Answer(seen.answer))
        self._looks.done(stage, number)
        return True

    def _supersede(self, entry: Entry, why: str) -> None:
        """What the run made itself is gone, if what was taken up has its name."""
        latest = self._work.journal.latest(entry.run, entry.intent.stage, entry.intent.step)
        if entry.thing and latest and latest.thing and entry.thing.same(latest.thing):
            self._conclude(entry.seq, Result(EntryState.UNDONE, why))

    def _doing(self, stage: Stage, number: int) -> Doing:
        prepared = prepare(stage, number, self._scope(), self._work.account.target)
        self._work.calls.learn(prepared.params)
        return Doing(stage, prepared, self._work.clock.monotonic())

    def _shown(self, doing: Doing) -> CallShown:
        step = doing.step
        return self._work.calls.shown(
            step.identity, step.service, step.operation, doing.prepared.params
        )

    def _go_on(self, doing: Doing, entry: Entry | None) -> None:
        if entry and entry.state is EntryState.ANSWERED:
            self._finish(doing, entry.seq)
            return
        prepared, stage = self._settler.restoring(doing.prepared, entry), doing.stage.id
        doing = replace(doing, prepared=prepared)
        for _ in range(1 if is_repeatable(prepared.call) else _ROUNDS):
            settled = self._settler.settle(entry, prepared) if entry else Settled()
            answered = _adopted(settled) or self._called(prepared, settled)
            if answered:
                self._answered(doing, *answered)
                return
            entry = self._work.journal.latest(self._work.run.id, stage, prepared.intent.step)
        raise StepError("NoAnswer", "its answer was lost, again and again")

    def _called(self, prepared: Prepared, settled: Settled) -> tuple[int, Answer] | None:
        """Journal the intent and call. None where the answer was lost."""
        ready = again(prepared, settled.replaces) if settled.replaces else prepared
        self._require_own(ready)
        self._refuse_existing(ready)
        intent = self._settler.written(ready)
        seq = self._work.journal.intend(self._work.run.id, intent)
        step = prepared.step
        try:
            outcome = self._work.calls.make(
                step.identity,
                step.service,
                step.operation,
                prepared.params,
                within=step.within or 0.0,
            )
        except CredentialsError as error:
            self._conclude(seq, Result(EntryState.REFUSED, error.message))
            raise
        if isinstance(outcome, Answer):
            return seq, outcome
        if isinstance(outcome, Lost):
            self._conclude(seq, Result(EntryState.LOST, outcome.reason))
            return None
        return self._refused(ready, seq, outcome)

    def _require_own(self, prepared: Prepared) -> None:
        """Neither the call nor what would undo it changes anything that is not the run's own."""
        step, intent = prepared.step, prepared.intent
        require_own(self._work, step.identity, step.service, step.operation, prepared.params)
        for _, found in self._work.own.objections_to(intent.undo, intent.thing):
            raise not_own(found, "Its undo")

    def _refuse_existing(self, prepared: Prepared) -> None:
        """A call that would overwrite a thing is not made where the thing is there already."""
        creation, thing = prepared.creation, prepared.intent.thing
        if not (creation and creation.overwrites and thing) or prepared.intent.replaces:
            return
        if KINDS[thing.kind].parent:  # which is the run's own, or it would not be called
            return
        sight = self._lookout.look(thing)
        if sight.there is None:
            raise StepError("LookupFailed", f"{label(thing)} can't be looked up: {sight.proof}")
        if sight.there:
            raise StepError("AlreadyExists", _existed(thing))

    def _refused(self, prepared: Prepared, seq: int, refusal: Refusal) -> tuple[int, Answer] | None:
        thing = prepared.intent.thing
        if refusal.code in EXISTS and thing:
            adopted = self._settler.adopt_existing(prepared) or self._by_hand(prepared)
            if adopted is not None:
                return seq, Answer(adopted)
            self._conclude(seq, Result(EntryState.NOT_OURS, _existed(thing), refusal.request_id))
            message = f"{refusal.message} {_existed(thing)}"
            raise StepError(refusal.code, message, refusal.request_id)
        message = self._work.calls.clean_text(refusal.message)
        self._conclude(seq, Result(EntryState.REFUSED, message, refusal.request_id))
        raise StepError(refusal.code, message, refusal.request_id)

    def _by_hand(self, prepared: Prepared) -> Mapping[str, Any] | None:
        """The answer of a call whose thing somebody made by hand, as the step would."""
        if self._work.account.target.kind != "sandbox":
            return None
        step, stage, seen = prepared.step, prepared.intent.stage, self._inspection.by_hand(prepared)
        if seen and seen.what:
            self._work.emit(StepDiffers(stage, step.title, seen.what, seen.differences))
        elif seen:
            self._work.emit(StepAdopted(stage, step.title))
        return seen.answer if seen and not seen.what else None

    def _answered(self, doing: Doing, seq: int, answer: Answer) -> None:
        """Save what came back: credentials to their profile first, then all else at once."""
        self._work.calls.learn(answer.data)
        profile = self._save_profile(doing.step, answer.data)
        clean = self._work.calls.clean(answer.data)
        scope = dict(self._scope())
        if profile:
            known = {"access_key_id": profile[1], "expiration": profile[2]}
            scope["profiles"] = {**scope["profiles"], profile[0]: known}
        saved = self._to_save(doing.step, clean, scope)
        scope |= saved
        thing, undo = completed(doing.prepared, clean, scope, self._work.account.target)
        state = EntryState.ANSWERED if doing.prepared.waiter else EntryState.DONE
        foreign = list(self._work.own.objections_to(undo, thing))
        if foreign:  # what only the answer told: the thing is undone all the same
            kept = tuple(one for one in undo if all(one is not call for call, _ in foreign))
            undo = kept or ((removal_of(thing),) if thing and complete(thing) else ())
        thing, undo = self._settler.clean_thing(thing), self._settler.clean_undo(undo)
        result = Result(state, "", answer.request_id, thing, undo, saved, profile)
        self._conclude(seq, result)
        identified = thing and self._lookout.identified(thing)
        if identified != thing:
            self._conclude(seq, Result(state, thing=identified))
        for _, found in foreign:
            raise not_own(found, "Its undo")
        shown = {name: evaluate(text, clean, scope) for name, text in doing.step.show.items()}
        told = tuple((name, value) for name, value in shown.items() if value is not None)
        self._finish(doing, seq, shown=told, request_id=answer.request_id)

    def _save_profile(self, step: Step, data: Mapping[str, Any]) -> tuple[str, str, str] | None:
        if step.profile is None:
            return None
        found = evaluate(step.profile.source, data, self._scope())
        credentials = credentials_in(found)
        if credentials is None:
            # Adopted: its secret was saved before the process was stopped.
            credentials = self._work.profiles.get(step.profile.name)
        if credentials is None:
            raise StepError("NoCredentials", f"{step.profile.source} gives no credentials")
        self._work.profiles.save(step.profile.name, credentials)
        return step.profile.name, credentials.access_key_id, credentials.expiration

    def _to_save(
        self, step: Step, data: Mapping[str, Any], scope: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = {name: evaluate(text, data, scope) for name, text in step.save.items()}
        missing = [name for name, value in found.items() if value is None]
        if missing:
            wanted = "; ".join(f"{step.save[name]} (for {name})" for name in missing)
            raise StepError("UnexpectedAnswer", f"the answer does not have {wanted}")
        return found

    def _finish(
        self,
        doing: Doing,
        seq: int,
        *,
        shown: tuple[tuple[str, Any], ...] = (),
        request_id: str = "",
    ) -> None:
        """Wait for what the call began, if it is to be waited for; then the step is done."""
        if doing.prepared.waiter:
            self._wait(doing.prepared, seq)
        else:
            self._remember_stack(doing.prepared, seq)
        step = doing.step
        known = self._work.journal.saved(self._work.run.id)
        self._work.emit(
            StepFinished(
                stage=doing.stage.id,
                title=step.title,
                shown=shown,
                saved={name: known[name] for name in step.save if name in known},
                profile=step.profile.name if step.profile else None,
                request_id=request_id,
                seconds=self._work.clock.monotonic() - doing.started,
            )
        )

    def _wait(self, prepared: Prepared, seq: int) -> None:
        step = prepared.step
        waited = self._waits.wait(
            step.identity, step.service, prepared.waiter, prepared.waiter_params
        )
        if not waited.ok:
            reason = self._work.calls.clean_text(waited.reason)
            self._conclude(seq, Result(EntryState.FAILED, reason))
            raise StepError("WaitFailed", reason)
        self._remember_stack(prepared, seq)
        self._conclude(seq, Result(EntryState.DONE))

    def _remember_stack(self, prepared: Prepared, seq: int) -> None:
        thing = prepared.intent.thing
        if thing and thing.kind == "cloudformation.stack":
            self._stacks.remember(thing, seq)

    def _conclude(self, seq: int, result: Result) -> None:
        self._work.journal.conclude(self._work.run.id, seq, result)

    def _fail(self, doing: Doing, error: "StepError") -> None:
        stage, step = doing.stage.id, doing.step
        self._work.emit(
            StepFailed(
                stage=stage,
                title=step.title,
                call=self._shown(doing),
                code=error.code,
                message=error.message,
                request_id=error.request_id,
                seconds=self._work.clock.monotonic() - doing.started,
            )
        )
        raise RunError(
            f"The step “{step.title}” of stage {stage} failed: {step.call}:"
            f" {error.code}: {error.message}",
            _RESUME,
        ) from error


@dataclass(frozen=True, slots=True)
class Looks:
    """The steps that this process did, and those that it looked at: neither needs another look.

    ``remade`` are the names of the things of steps that were done again.
    """

    made: set[tuple[str, int]] = field(default_factory=set)
    looked: set[tuple[str, int]] = field(default_factory=set)
    remade: set[str] = field(default_factory=set)

    def has(self, stage: Stage, number: int) -> bool:
        """Whether the step needs no look."""
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


class StepError(Exception):
    """A step's call did not do what the lab needs. Its message holds no secret."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


def _adopted(settled: Settled) -> tuple[int, Answer] | None:
    """The entry that an earlier process left half-done, and its answer, if it could be had."""
    return None if settled.data is None else (settled.entry, Answer(settled.data))


def _existed(thing: Thing) -> str:
    return (
        f"The {label(thing)} was there before, and was not made by this run (it has no tag"
        f" {RUN_TAG} of it): it is left alone."
    )
