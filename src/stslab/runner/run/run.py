"""A run of a lab: begins or resumes it, and does and proves its stages, one at a time.

It asks nothing and prints nothing: what happens is told in events, and who drives it
(the command line, a test) decides what comes next between the stages.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import dropwhile

import msgspec

from stslab.errors import CheckFailed, RunError, StslabError
from stslab.kinds.operations import changes
from stslab.lab.embedded import live_names
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.runner import events, ports
from stslab.runner.calls.calls import Calls, told
from stslab.runner.calls.work import Pin, Work, pinned
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import (
    Body,
    CheckRecord,
    Entered,
    How,
    RunRecord,
    RunState,
    Thing,
    new_run_id,
)
from stslab.runner.journal.standing import standing
from stslab.runner.journal.store import Journal
from stslab.runner.run.checks import Checks, Earlier
from stslab.runner.run.plan import changed_by, missing, needed, stage_of, stage_started
from stslab.runner.run.scope import basis, configure, live, new_run, scope
from stslab.runner.run.steps import Looks, Steps
from stslab.runner.undo.cleanup import Cleanup

_OUTCOMES: Mapping[RunState, str] = {RunState.FINISHED: "done", RunState.CLEANED: "clean"}
_FIX = "Fix what is wrong, then go on with `stslab run`, or undo everything with `stslab cleanup`."


class Begun(msgspec.Struct, frozen=True):
    """Where a run stands. ``done`` are the ids of the stages whose checkpoints held."""

    run: RunRecord
    resumed: bool
    done: tuple[str, ...]


class Runner:
    """Runs one lab on one account. Made without any call; ``start_or_resume`` comes first.

    Each method raises UsageError for a stage that the lab does not have.
    """

    def __init__(  # noqa: PLR0917 - the ports, in the seam's order
        self,
        lab: Lab,
        account: ports.Account,
        profiles: ports.Profiles,
        journal: Journal,
        emit: Callable[[events.Event], None],
        clock: ports.Clock | None = None,
        *,
        describe: events.Describe,
        new_id: Callable[[], str] = new_run_id,
        services: Collection[str] = (),
        how: How = How.PROMPT,
        tell: ports.Tell = told,
        hand: ports.Hand | None = None,
    ) -> None:
        """``services`` are those that the person allowed, beyond the four, on a real account.

        ``how`` is how the stages are gone through, ``tell`` tells why AWS refused a call,
        ``hand`` what the learner did beside the steps.
        """
        self._lab = lab
        self._journal = journal
        self._new_id = new_id
        self._services = services
        self._how = how
        self._tell = tell
        self._calls = Calls(account, profiles, emit, clock or ports.Clock(), hand)
        self._cleanup = Cleanup(
            journal, account, profiles, emit, self._calls.clock, describe=describe, hand=hand
        )
        self._live = live_names(lab)
        self._looks = Looks()
        self._begun: Work | None = None
        self._basis: ports.Data = {}
        self._started = self._now()

    # The run

    def start_or_resume(self) -> Begun:
        """Go on with this lab's unfinished run on this target, or begin a new one.

        Raises:
            CredentialsError: the run began on another account, or the lab uses a service that
                the person did not allow.
            UndoIncomplete: an earlier run's cleanup was stopped, and can't be ended.
        """
        begun = self.resume()
        if begun:
            return begun
        calls = self._calls
        run = new_run(self._lab, calls.target, self._new_id(), calls.clock.now(), self._services)
        self._journal.begin(run)
        return self._enter(run, resumed=False)

    def resume(self) -> Begun | None:
        """Go on with this lab's unfinished run on this target, if there is one.

        A run whose account is gone is ended; one whose cleanup was stopped is cleaned up.

        Raises: as :meth:`start_or_resume`.
        """
        for run in self._journal.unfinished(self._calls.target.name, self._lab.id):
            if self._goes_on(run):
                return self._enter(run, resumed=True)
        return None

    def look_back(self) -> RunRecord | None:
        """Look at this lab's newest run on this target, ended or not, if its account is there."""
        target = self._calls.target
        for run in self._journal.runs():
            if (run.target, run.lab) == (target.name, self._lab.id):
                gone = pinned(run, target) is Pin.GONE
                return None if gone else self._enter(run, resumed=True).run
        return None

    @property
    def run(self) -> RunRecord:
        """The run as it stands now. Raises RunError: it has not been begun."""
        return self._journal.run(self._run) or self._work.run

    @property
    def stages_done(self) -> tuple[str, ...]:
        """The ids of the stages whose checkpoints held, in the lab's order."""
        held = self.past.held()
        return tuple(stage.id for stage in self._lab.stages if stage.id in held)

    def map(self, here: str = "") -> tuple[events.StageShown, ...]:
        """The lab's stages: done, pending, or current, the first from here on not done."""
        done, stages = self.stages_done, self._lab.stages
        left = dropwhile(lambda one: here not in ("", one.id), stages)
        current = next((stage.id for stage in left if stage.id not in done), "")
        states = {**dict.fromkeys(done, "done"), current: "current"}
        return tuple(
            events.StageShown(one.id, one.title, states.get(one.id, "pending")) for one in stages
        )

    def account_of(self, identity: str) -> str:
        """The account that this identity calls in."""
        return self._work.place_of(identity).account

    @property
    def past(self) -> Past:
        """What the run's records tell."""
        return self._journal.past(self._run)

    def note(self, body: Body) -> None:
        """Remember what a person did: a prediction, a hint, a stage that they left out."""
        self._journal.write(self._run, body)

    def to_undo(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.thing for one in self._cleanup.plan(self._run)))

    def call(self, call: ports.Call) -> ports.Outcome:
        """Make a call that is no step's, if it changes only what is the run's own."""
        return self._work.calls.once(call)

    def made(self) -> tuple[Thing, ...]:
        """Everything that the run is known to have made."""
        return self._work.made()

    def scope(self) -> ports.Data:
        """What the run knows now, for a lab's expressions."""
        known = scope(self._basis, self.past.saved(), self.past.profiles())
        return {**known, **dict(live(self._lab, self._calls, known, self._live))}

    def _configure(self) -> None:
        if self._lab.profiles:
            configure(self._lab, self._calls.profiles, self.scope())

    def finish(self, outcome: str = "") -> events.RunFinished:
        """Tell how the run ended, or that it stands still; ``outcome`` overrides the word for it.

        The word is ``done`` where nothing is left to do, ``clean`` where nothing is left in
        the account, else ``open``.
        """
        stands = standing(self.past)
        if stands is None:
            raise RunError("The run is not in its journal.")
        finished = events.RunFinished(
            run=stands.run.id,
            outcome=outcome or _OUTCOMES.get(stands.run.state, "open"),
            proved=stands.proved,
            claims=tuple((one.title, one.says, str(one.verdict)) for one in stands.claims),
            notes=stands.notes,
            left=self._cleanup.left(stands.run.id),
            calls=self._calls.made,
            seconds=self._now() - self._started,
        )
        self._calls.emit(finished)
        return finished

    # Stages

    def missing_for(self, stage_id: str) -> tuple[str, ...]:
        """The stages that this one needs and that are not done, in order."""
        return missing(self._lab, stage_id, self.stages_done)

    def run_stage(self, stage_id: str) -> tuple[CheckRecord, ...]:
        """Do the stage's steps, or what is left of them, and prove its checkpoint.

        Raises:
            RunError: a stage that it needs is not done, or a step failed.
            CheckFailed: its checkpoint does not hold.
            UndoIncomplete: it is the cleanup stage, and something is left.
        """
        stage, started = self.begin_stage(stage_id), self._now()
        self.restore(stage_id)
        if stage.cleanup:
            records = self.clean_up(stage)
        else:
            for number in range(len(stage.steps)):
                self.do(stage, number)
            records = tuple(self.prove(stage, number) for number in range(len(stage.checkpoint)))
        self.end_stage(stage, records, self._now() - started)
        return records

    def begin_stage(self, stage_id: str) -> Stage:
        """The stage of this id, which is begun. Raises RunError: what it needs is not done."""
        stage = stage_of(self._lab, stage_id)
        lacking = [one for one in self.missing_for(stage.id) if not self._done_by_hand(one)]
        if lacking:
            raise RunError(
                f"The stage {stage.id} needs what these make, and they are not done:"
                f" {', '.join(lacking)}.",
                f"Do them first: stslab step {stage.id} --with-needed.",
            )
        self._journal.write(self._run, Entered(stage.id, self._lab.sha256, self._how))
        self._calls.emit(stage_started(self._lab, stage))
        return stage

    def clean_up(self, stage: Stage) -> tuple[CheckRecord, ...]:
        """Undo everything of the run, and prove the cleanup stage's checkpoint.

        The claims that need a call come first; then the profiles go; then the claims about them.

        Raises:
            UndoIncomplete: something is left.
        """
        self._cleanup.undo(self._run)
        checks, numbers = self._checks(), range(len(stage.checkpoint))
        calling = [number for number in numbers if stage.checkpoint[number].call]
        records = [checks.prove_or_recall(stage, number) for number in calling]
        if all(record.held for record in records):
            named = [name for one in stage.checkpoint for name in one.profiles_gone]
            self._cleanup.remove_profiles(self._run, named)
        others = (number for number in numbers if number not in calling)
        return (*records, *(checks.prove(stage, number) for number in others))

    def end_stage(self, stage: Stage, records: tuple[CheckRecord, ...], seconds: float) -> None:
        """Remember how the checkpoint went, and how long it took. CheckFailed: it does not hold."""
        held, ends = all(record.held for record in records), None
        if stage.cleanup and held:  # finished, or cleaned if stages were left out
            self._cleanup.remove_profiles(self._run)
            every = {one.id for one in self._lab.stages} - {stage.id}
            ends = RunState.FINISHED if every <= {*self.stages_done} else RunState.CLEANED
        self._journal.staged(self._run, stage.id, held=held, seconds=seconds, ends=ends)
        self._calls.emit(events.StageFinished(stage.id, held, seconds))
        if not held:
            self._looks.forget()
        self._require_held(stage, records)

    def check_stage(self, stage_id: str) -> None:
        """Try the stage's claims again. The record of the run stays as it is.

        A claim that was proved need not hold any more once a later stage has changed what it is
        about.

        Raises:
            CheckFailed: a claim does not hold that should.
        """
        stage, checks, failed = stage_of(self._lab, stage_id), self._checks(), []
        for number in range(len(stage.checkpoint)):
            earlier = self._earlier(stage, number)
            record = checks.try_again(stage, number, earlier)
            if not record.held and not earlier:
                failed.append(record)
        self._require_held(stage, failed)

    # Steps and claims

    def drift(self, stage_id: str) -> tuple[events.StepDrifted, ...]:
        """What is no longer as this stage's steps, and those of what it needs, left it.

        A session that has ended, things that are gone, policies that were changed. What this
        process did or looked at is not looked at again, unless something failed since.
        """
        steps, stages = self._steps(), [*needed(self._lab, stage_id), stage_id]
        found = (steps.drifted(stage, number) for stage, number in self._numbered(stages))
        return tuple(one for one in found if one)

    def restore(self, stage_id: str) -> None:
        """Do again what the stage needs, if it was done and is gone. Raises as :meth:`do`."""
        for stage, number in self._numbered(needed(self._lab, stage_id)):
            if self._journal.past(self._run).latest(stage.id, number):
                self.do(stage, number, quietly=True)

    def do(self, stage: Stage, number: int, *, quietly: bool = False) -> None:
        """Do one step (``number`` from 0), or the rest of it. Raises RunError: its call failed."""
        with self._placed(stage.steps[number]):
            self._steps().do(stage, number, quietly=quietly)
        self._configure()

    def try_claim(self, stage: Stage, number: int) -> CheckRecord:
        """Try one claim; the record of the run stays as it is."""
        return self._checks().try_again(stage, number, None)

    def stands(self, stage: Stage, number: int) -> bool:
        """Whether a step was done before and all is as it left it: to do it is to say so."""
        return self._steps().stands(stage, number)

    def adopt(self, stage: Stage, number: int) -> bool:
        """Take up what somebody did by hand in a step's place; False where nothing such is.

        It must be in effect what the step makes: in what it is not, is told.
        """
        adopted = self._steps().adopt(stage, number)
        self._configure()
        return adopted

    def prove(self, stage: Stage, number: int) -> CheckRecord:
        """Prove one claim of the stage's checkpoint (``number`` counts from 0)."""
        with self._placed(stage.checkpoint[number]):
            return self._checks().prove(stage, number)

    def _earlier(self, stage: Stage, number: int) -> Earlier | None:
        """When a claim was proved, and the stage that has changed what it is about since."""
        past, check = self.past, stage.checkpoint[number]
        by = changed_by(self._lab, stage, check, past.held())
        lost = self._calls.lacks(check.identity)
        if stage.cleanup and check.call and lost:
            by = stage.id  # its last claims are that the profiles are gone
        proved = past.proved(stage.id, number)
        return Earlier(proved.at, by) if proved and by else None

    def _done_by_hand(self, stage_id: str) -> bool:
        """Whether somebody did all of a stage by hand, and it holds: then the run takes it up."""
        stage, steps, checks = stage_of(self._lab, stage_id), self._steps(), self._checks()
        if any(self.missing_for(stage_id)) or not stage.steps:
            return False
        for number, step in enumerate(stage.steps):
            if changes(step.call) and not steps.adopt(stage, number):
                return False
            if not changes(step.call):
                self.do(stage, number)
        numbers = range(len(stage.checkpoint))
        tried = tuple(checks.try_again(stage, number, None) for number in numbers)
        if not all(record.held for record in tried):
            return False
        self._journal.write(self._run, Entered(stage_id, self._lab.sha256, How.HAND), *tried)
        self.end_stage(stage, tried, 0.0)
        return True

    # What they share

    @property
    def _work(self) -> Work:
        if self._begun is None:
            raise RunError("No run has been begun.", "Begin one with `stslab run`.")
        return self._begun

    @property
    def _run(self) -> str:
        return self._work.run.id

    def _now(self) -> float:
        return self._calls.clock.monotonic()

    def _steps(self) -> Steps:
        return Steps(self._work, self.scope, self._looks)

    def _checks(self) -> Checks:
        return Checks(self._work, self.scope, self._tell)

    def _numbered(self, stages: Iterable[str]) -> Iterator[tuple[Stage, int]]:
        for stage in (stage_of(self._lab, one) for one in stages):
            yield from ((stage, number) for number in range(len(stage.steps)))

    @contextmanager
    def _placed(self, part: Step | Check) -> Iterator[None]:
        """An error in here says where in the lab's file; what was done is looked at again then."""
        try:
            yield
        except StslabError as error:
            self._looks.forget()
            error.add_note(self._place(part))
            raise

    def _place(self, part: Step | Check) -> str:
        return f"{self._lab.path}:{part.line}"

    def _require_held(self, stage: Stage, records: Iterable[CheckRecord]) -> None:
        failed = [record for record in records if not record.held]
        if not failed:
            return
        says = "; ".join(one.says for one in failed)
        error = CheckFailed(f"The checkpoint of stage {stage.id} does not hold: {says}.", _FIX)
        for one in failed:
            error.add_note(f"{self._place(stage.checkpoint[one.number])}: {one.says}")
        raise error

    def _goes_on(self, run: RunRecord) -> bool:
        """Whether an unfinished run can be resumed; if not, it is ended."""
        if pinned(run, self._calls.target) is Pin.GONE:
            self._cleanup.end(run.id, RunState.LOST)
            gone = f"The embedded account of run {run.id} is gone, and all that it made with it."
            self._calls.emit(events.Notice("warning", gone, "The lab begins anew."))
            return False
        held, stages = self._journal.past(run.id).held(), self._lab.stages
        only_cleanup_left = any(stage.cleanup for stage in stages) and all(
            stage.id in held for stage in stages if not stage.cleanup
        )
        if run.state is RunState.UNDOING and not only_cleanup_left:
            stopped = f"The cleanup of run {run.id} was stopped; it goes on."
            self._calls.emit(events.Notice("info", stopped))
            self._cleanup.run(run.id)
            return False
        return True

    def _enter(self, run: RunRecord, *, resumed: bool) -> Begun:
        self._calls.learn_profiles(self._calls.profiles.names())
        self._begun = Work(run, self._journal, self._calls)
        self._basis = basis(self._lab, run.id, run)
        self._calls.emit(
            events.RunStarted(
                run=run.id,
                lab=self._lab.id,
                title=self._lab.title,
                target=run.target,
                account=run.account,
                region=run.region,
                stages=self.map(),
                resumed=resumed,
            )
        )
        if resumed and run.sha256 != self._lab.sha256:
            changed = "The lab, or what it includes, has changed since this run began."
            hint = "The report says so, and counts the claims as the lab had them then."
            self._calls.emit(events.Notice("warning", changed, hint))
        return Begun(run, resumed, self.stages_done)
