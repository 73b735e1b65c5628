"""Do a stage's steps: each once, and again if its work is gone.

A step that an earlier process left half-done is settled first: its thing is adopted if its
answer can be obtained again, or else undone and made again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from stslab.errors import CredentialsError, NotOwn, RunError, UnresolvedReference
from stslab.kinds.table import EXISTS, KINDS, is_repeatable
from stslab.lab.embedded import LIVE
from stslab.lab.model import Profile, Stage
from stslab.lab.references import evaluate, names_used
from stslab.runner import events
from stslab.runner.calls.look import STACK, identified, look, made_by_hand, remember, require_own
from stslab.runner.calls.waiters import wait
from stslab.runner.calls.work import Work, not_own
from stslab.runner.journal.records import Entry, EntryState, Result, SavedProfile
from stslab.runner.ports import Answer, Credentials, Data, Lost, Refusal
from stslab.runner.run import prepare
from stslab.runner.run.inspection import Inspection
from stslab.runner.run.prepare import Prepared
from stslab.runner.run.scope import refused, scope

Shown = tuple[tuple[str, object], ...]  # labels and values
FIX = "Fix the cause, then continue with `stslab run`, or undo everything with `stslab cleanup`."


@dataclass(eq=False)
class StepError(Exception):
    """A step's call did not do what the lab needs."""

    code: str
    message: str  # holds no secret
    request_id: str = ""


class Steps:
    """Does one run's steps. ``scope`` returns the run's known names."""

    def __init__(self, work: Work, scope: Callable[[], Data]) -> None:
        self._work, self._scope = work, scope
        self._emit, self._clock = work.calls.emit, work.calls.clock
        self._known = set[tuple[str, int]]()  # done or inspected by this process: not again
        self._remade = set[str]()  # the names of the things of steps that were done again
        self._inspection = Inspection(work, self._remade)
        self._started = 0.0  # when the present step was begun

    def forget(self) -> None:
        """Inspect everything again."""
        self._known.clear()

    def do(self, stage: Stage, number: int, *, quietly: bool = False) -> None:
        """Do one step (``number`` counts from 0), or the rest of it.

        A step that was done is inspected. If its work is gone, it is adopted if made again by
        hand, and else done again. ``quietly``: emit nothing if all is as it was.

        RunError: the call failed. CredentialsError: the identity can't be used. NotOwn: the call,
        or its undo, would change something that is not the run's own.
        """
        self._started = self._clock.monotonic()
        entry, prepared = self._latest(stage, number), self._prepared(stage, number)
        if entry and entry.state is EntryState.DONE:
            drifted = self._to_be_done_again(stage, number, entry, quietly=quietly)
            if drifted is None:
                return
            if drifted.differences:  # the thing exists: the call itself restores it
                prepared, entry = prepared.intending(replaces=entry.seq), None
        self._go_on(prepared, entry, of=len(stage.steps))
        self._note(stage, number, entry)

    def drifted(self, stage: Stage, number: int) -> events.StepDrifted | None:
        """How the step's work has changed since; None if it has not, or the step was not done."""
        entry, place = self._latest(stage, number), (stage.id, number)
        if not entry or entry.state is not EntryState.DONE or place in self._known:
            return None
        prepared = self._prepared(stage, number)
        if names_used(prepared.step.params) & LIVE.keys():  # live names had other values then
            prepared = prepared.intending(params=entry.intent.params)
        seen = self._inspection.of(prepared, entry, self._scope())
        if not seen.what:
            self._known.add(place)
            return None
        by_itself = seen.gone or is_repeatable(prepared.step.call)
        return events.StepDrifted(
            stage=stage.id,
            number=number,
            title=prepared.step.title,
            what=seen.what,
            again=by_itself,
            differences=seen.differences,
            fix=() if by_itself else seen.fix,
        )

    def adopt(self, stage: Stage, number: int) -> bool:
        """Adopt the step's work if it was done by hand; False if it was not."""
        with suppress(UnresolvedReference):
            return self.stands(stage, number) or self._adopt(stage, number)
        return False

    def lacks(self, stage: Stage, number: int) -> str:
        """The thing that the step makes, if it does not exist; else ""."""
        thing = self._prepared(stage, number).intent.thing
        there = thing is None or not thing.complete or look(self._work, thing).there
        return "" if thing is None or there is not False else thing.label

    def stands(self, stage: Stage, number: int) -> bool:
        """Whether the step was done and its work is unchanged."""
        entry = self._latest(stage, number)
        done = entry is not None and entry.state is EntryState.DONE
        return done and not self.drifted(stage, number)

    def _adopt(self, stage: Stage, number: int) -> bool:
        self._started = self._clock.monotonic()
        prepared = self._prepared(stage, number)
        answer = self._by_hand(prepared)
        if answer is None:
            return False
        seq = self._intend(prepared)
        self._emit(events.StepAdopted(stage.id, prepared.step.title))
        self._answered(prepared, seq, Answer(answer))
        self._note(stage, number)
        return True

    def _to_be_done_again(
        self, stage: Stage, number: int, entry: Entry, *, quietly: bool
    ) -> events.StepDrifted | None:
        """How a step's work has changed, if the step must be done again; else None."""
        drifted = self.drifted(stage, number)
        if drifted is None:
            if not quietly:
                self._emit(events.StepSkipped(stage.id, stage.steps[number].title))
            return None
        if drifted.again and not drifted.differences and self._adopt(stage, number):
            self._note(stage, number, entry)
            latest = self._latest(stage, number)
            if entry.thing and latest and latest.thing and entry.thing.same(latest.thing):
                # The run's own thing is gone: the adopted thing has its name.
                self._work.conclude(entry.seq, Result(EntryState.UNDONE, drifted.what))
            return None
        self._emit(drifted)
        if drifted.again:
            return drifted
        self._known.add((stage.id, number))
        return None

    def _note(self, stage: Stage, number: int, before: Entry | None = None) -> None:
        """Note that the step is done. ``before`` is its earlier entry, if it was done before."""
        if before:
            self._known.clear()  # other stages may depend on it
        if before and before.thing:
            self._remade.update(before.thing.names.values())
        # What the stage's later steps read may have changed.
        self._known -= {(stage.id, at) for at in range(number + 1, len(stage.steps))}
        self._known.add((stage.id, number))

    def _latest(self, stage: Stage, number: int) -> Entry | None:
        return self._work.past.latest(stage.id, number)

    def _prepared(self, stage: Stage, number: int) -> Prepared:
        place = self._work.place_of(stage.steps[number].identity)
        prepared = prepare.prepare(stage, number, self._scope(), place)
        self._work.calls.learn(prepared.params)
        return prepared

    def _go_on(self, prepared: Prepared, entry: Entry | None, *, of: int) -> None:
        """Do the step (there are ``of``), or the rest of it if ``entry`` began it."""
        step, stage, number = prepared.step, prepared.intent.stage, prepared.intent.step + 1
        call = self._work.calls.shown(prepared.call)
        self._emit(events.StepStarted(stage, step.title, call, number, of, step.why or ""))
        where = f"The step “{step.title}” of stage {stage}"
        try:
            if entry and entry.state is EntryState.ANSWERED:
                self._finish(prepared, entry.seq)
            else:
                prepared = prepare.restoring(self._work, prepared, entry)
                self._answered(prepared, *self._call(prepared, entry))
        except StepError as error:
            reason = (error.code, error.message, error.request_id)
            took = self._clock.monotonic() - self._started
            self._emit(events.StepFailed(stage, step.title, call, *reason, took))
            message = f"{where} failed: {step.call}: {error.code}: {error.message}"
            raise RunError(message, FIX) from error
        except NotOwn as error:
            raise NotOwn(f"{where}: {error.message}", error.hint) from error

    def _by_hand(self, prepared: Prepared, *, saves: bool = True) -> Data | None:
        """The answer that the step's call would give, if its work was done by hand; else None.

        Only on the embedded account: elsewhere a thing that the run did not make is not its own.
        With ``saves`` the answer has all values that the step saves.
        """
        step, embedded = prepared.step, self._work.calls.target.embedded
        seen = self._inspection.by_hand(prepared) if embedded else None
        if seen is None:
            return None
        names = step.save.values() if saves else ()
        if any(evaluate(text, seen.answer, self._scope()) is None for text in names):
            return None
        if seen.what:
            stage, differences = prepared.intent.stage, seen.differences
            self._emit(events.StepDiffers(stage, step.title, seen.what, differences))
            return None
        return seen.answer

    def _call(self, prepared: Prepared, entry: Entry | None) -> tuple[int, Answer]:
        """Make the call, again if its answer was lost. Return the final entry and the answer."""
        intent = prepared.intent
        for _ in range(1 if is_repeatable(prepared.step.call) else 4):
            found, replaces = prepare.settle(self._work, entry, prepared) if entry else (None, 0)
            if entry and found is not None:
                return entry.seq, Answer(found)
            answered = self._call_once(prepared.intending(replaces=replaces or intent.replaces))
            if answered:
                return answered
            entry = self._work.past.latest(intent.stage, intent.step)
        raise StepError("NoAnswer", "its answer was lost several times")

    def _call_once(self, prepared: Prepared) -> tuple[int, Answer] | None:
        """Journal the intent and make the call. None if the answer was lost."""
        require_own(self._work, prepared.call)
        for _, objection in self._work.objections_to(prepared.intent.undo, prepared.intent.thing):
            raise not_own(objection, "Its undo")
        self._refuse_existing(prepared)
        seq, conclude = self._intend(prepared), self._work.conclude
        try:
            outcome = self._work.calls.make(prepared.call, within=prepared.step.within or 0.0)
        except CredentialsError as error:
            conclude(seq, Result(EntryState.REFUSED, error.message))
            raise
        if isinstance(outcome, Answer):
            return seq, outcome
        if isinstance(outcome, Lost):
            conclude(seq, Result(EntryState.LOST, outcome.text))
            return None
        answer = self._refused(prepared, seq, outcome)
        return (seq, answer) if answer else None

    def _intend(self, prepared: Prepared) -> int:
        intent = prepare.written(self._work, prepared.intent)
        return self._work.journal.intend(self._work.run.id, intent)

    def _refuse_existing(self, prepared: Prepared) -> None:
        creation, thing = prepared.creation, prepared.intent.thing
        if not (creation and creation.overwrites and thing) or prepared.intent.replaces:
            return
        if KINDS[thing.kind].parent:  # the guard has checked that it is the run's own
            return
        sight = look(self._work, thing)
        if sight.there is None:
            raise StepError("LookupFailed", f"{thing.label} can't be looked up: {sight.proof}")
        if sight.there:
            raise StepError("AlreadyExists", refused("not ours", thing=thing.label)[0])

    def _refused(self, prepared: Prepared, seq: int, refusal: Refusal) -> Answer | None:
        """The answer after a refusal because the run's own thing exists; else a StepError.

        None if the learner made it differently, and it must be made again.
        """
        work, thing = self._work, prepared.intent.thing
        state, message = EntryState.REFUSED, work.calls.clean_text(refusal.message)
        detail = message
        if refusal.code in EXISTS and thing:
            adopted = prepare.adopt_existing(work, prepared)
            if not adopted:
                adopted = self._by_hand(prepared, saves=False)
                if adopted is not None:
                    self._emit(events.StepAdopted(prepared.intent.stage, prepared.step.title))
            if adopted is not None:
                return Answer(adopted)
            if made_by_hand(work, thing):
                work.conclude(seq, Result(EntryState.FAILED, "made by hand, otherwise"))
                other = f"The {thing.label} that you made differs from the lab's."
                hint = "It is removed, and made as the step says."
                self._emit(events.Notice("info", other, hint))
                return None
            state, detail = EntryState.NOT_OURS, refused("not ours", thing=thing.label)[0]
            message = f"{message} {detail}"
        work.conclude(seq, Result(state, detail, refusal.request_id))
        raise StepError(refusal.code, message, refusal.request_id)

    def _answered(self, prepared: Prepared, seq: int, answer: Answer) -> None:
        """Save the answer: credentials to their profile first, then everything else at once."""
        work, step = self._work, prepared.step
        work.calls.learn(answer.data)
        profile = self._save_profile(step.profile, answer.data) if step.profile else None
        if step.token:
            work.calls.profiles.save_token(answer.data["Token"])
        profiles = [*work.past.profiles(), *([profile] if profile else ())]
        clean, known = work.calls.clean(answer.data), scope(self._scope(), {}, profiles)
        saved = {name: evaluate(text, clean, known) for name, text in step.save.items()}
        missing = [f"{step.save[name]} (for {name})" for name in saved if saved[name] is None]
        if missing:
            raise StepError("UnexpectedAnswer", f"the answer does not have {'; '.join(missing)}")
        known = {**known, **saved}
        thing, undo = prepare.completed(prepared, clean, known)
        foreign = list(work.objections_to(undo, thing))
        if foreign:  # known only from the answer: the thing is undone all the same
            undo = tuple(each for each in undo if all(each is not call for call, _ in foreign))
            undo = undo or ((thing.removal,) if thing and thing.complete else ())
        thing, clean_calls = prepare.cleaned(work, thing, undo)
        state = EntryState.ANSWERED if prepared.wait else EntryState.DONE
        work.conclude(seq, Result(state, "", answer.request_id, thing, clean_calls, saved, profile))
        known_by = thing and identified(work, thing)
        if known_by != thing:
            work.conclude(seq, Result(state, thing=known_by))
        for _, objection in foreign:
            raise not_own(objection, "Its undo")
        values = {name: evaluate(text, clean, known) for name, text in step.show.items()}
        shown = tuple((name, value) for name, value in values.items() if value is not None)
        self._finish(prepared, seq, shown, answer.request_id)

    def _save_profile(self, profile: Profile, data: Data) -> SavedProfile:
        profiles = self._work.calls.profiles
        new = Credentials.found_in(evaluate(profile.source, data, self._scope()))
        # An adopted answer has no secret: it is in the profile already.
        saved, ends = profiles.get(profile.name), f"{profile.source}.Expiration || ''"
        end = str(evaluate(ends, data, self._scope()))
        if saved and not saved.expiration:
            saved = replace(saved, expiration=end)
        credentials = new or saved
        if credentials is None:
            raise StepError("NoCredentials", f"{profile.source} gives no credentials")
        profiles.save(profile.name, credentials.spoilt(profile.spoil) if new else credentials)
        return SavedProfile(profile.name, credentials.access_key_id, credentials.expiration)

    def _finish(self, prepared: Prepared, seq: int, shown: Shown = (), request: str = "") -> None:
        """Wait for the result of the call, if the step says so; then the step is done."""
        work, step = self._work, prepared.step
        if prepared.wait:
            why = wait(work, prepared.wait)
            if why:
                reason = work.calls.clean_text(why)
                work.conclude(seq, Result(EntryState.FAILED, reason))
                raise StepError("WaitFailed", reason)
        if prepared.intent.thing and prepared.intent.thing.kind == STACK:
            remember(work, prepared.intent.thing, seq)
        if prepared.wait:
            work.conclude(seq, Result(EntryState.DONE))
        known = work.past.saved()
        finished = events.StepFinished(
            stage=prepared.intent.stage,
            title=step.title,
            shown=shown,
            saved={name: known[name] for name in step.save if name in known},
            profile=step.profile.name if step.profile else None,
            request_id=request,
            seconds=self._clock.monotonic() - self._started,
        )
        self._emit(finished)
