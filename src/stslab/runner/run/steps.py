"""Does a stage's steps: journal the intent, call, save, journal the outcome.

A step that an earlier process left half-done is settled first: what it made is adopted
where its response can be had again, or else taken back and made anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stslab.errors import CredentialsError, NotOwn, RunError
from stslab.kinds.creations import is_repeatable
from stslab.kinds.kind import EXISTS, RUN_TAG
from stslab.kinds.table import KINDS
from stslab.lab.model import Stage, Step
from stslab.lab.references import evaluate
from stslab.runner.calls.look import Lookout, complete, label
from stslab.runner.calls.own import not_own
from stslab.runner.calls.waits import Waits
from stslab.runner.calls.work import Work
from stslab.runner.events import CallShown, StepFailed, StepFinished, StepSkipped, StepStarted
from stslab.runner.journal.records import Entry, EntryState, Result, Thing
from stslab.runner.ports import Answer, Lost, Refusal
from stslab.runner.run.credentials import credentials_in, has_expired
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

    def __init__(self, work: Work, scope: Callable[[], Mapping[str, Any]]) -> None:
        self._work = work
        self._scope = scope
        self._lookout = Lookout(work)
        self._settler = Settler(work)
        self._takeback = TakeBack(work)
        self._waits = Waits(work)
        self._stacks = Stacks(work)

    def do(self, stage: Stage, number: int) -> None:
        """Do one step (``number`` counts from 0), or what is left of it.

        Raises:
            RunError: its call failed; AWS's message is in it.
            CredentialsError: its identity can't be used.
            NotOwn: it, or its undo, would change what is not the run's own.
        """
        step = stage.steps[number]
        entry = self._work.journal.latest(self._work.run.id, stage.id, number)
        if entry and entry.state is EntryState.DONE and not self._profile_lost(step):
            self._work.emit(StepSkipped(stage.id, step.title))
            return
        prepared = prepare(stage, number, self._scope(), self._work.account.target)
        self._work.calls.learn(prepared.params)
        doing = Doing(stage, prepared, self._work.clock.monotonic())
        shown = self._shown(doing)
        of, why = len(stage.steps), step.why or ""
        self._work.emit(StepStarted(stage.id, step.title, shown, number + 1, of, why))
        try:
            self._go_on(doing, entry)
        except StepError as error:
            self._fail(doing, error)
        except NotOwn as error:
            where = f"The step “{step.title}” of stage {stage.id}"
            raise NotOwn(f"{where}: {error.message}", error.hint) from error

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
            adopted = self._settler.adopt_existing(prepared)
            if adopted:
                return seq, Answer(adopted)
            self._conclude(seq, Result(EntryState.NOT_OURS, _existed(thing), refusal.request_id))
            message = f"{refusal.message} {_existed(thing)}"
            raise StepError(refusal.code, message, refusal.request_id)
        message = self._work.calls.clean_text(refusal.message)
        self._conclude(seq, Result(EntryState.REFUSED, message, refusal.request_id))
        raise StepError(refusal.code, message, refusal.request_id)

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
        self._finish(doing, seq, shown=tuple(shown.items()), request_id=answer.request_id)

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

    def _profile_lost(self, step: Step) -> bool:
        """Whether the step's profile is not there any more, is another's, or has expired."""
        if step.profile is None:
            return False
        name = step.profile.name
        known = {one.name: one for one in self._work.journal.profiles(self._work.run.id)}
        credentials = self._work.profiles.get(name)
        if credentials is None or name not in known:
            return True
        other = credentials.access_key_id != known[name].access_key_id
        return other or has_expired(credentials.expiration, self._work.clock.now())

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
