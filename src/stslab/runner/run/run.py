"""Run a lab: begin or resume a run, and do and check its stages, one at a time.

The runner asks nothing and prints nothing. Its caller decides what comes next.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import dropwhile

from stslab.errors import CheckFailed, StslabError, UsageError
from stslab.kinds.operations import changes
from stslab.lab.embedded import live_names
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.runner import events, ports
from stslab.runner.calls.calls import Calls, reason_of
from stslab.runner.calls.work import Work, account_is_gone
from stslab.runner.journal import records
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import CheckRecord, How, RunRecord, RunState
from stslab.runner.journal.standing import standing
from stslab.runner.journal.store import Journal
from stslab.runner.run.checks import NEVER, Checks
from stslab.runner.run.plan import changed_by, needed, require_done, stage_of, stage_started
from stslab.runner.run.scope import basis, configure, live, new_run, refused, scope
from stslab.runner.run.steps import FIX, Steps
from stslab.runner.undo.cleanup import Cleanup

# All its stages are done; or nothing is left in the account. Else it is open.
_OUTCOMES: Mapping[RunState, str] = {RunState.FINISHED: "done", RunState.CLEANED: "clean"}


class Runner:
    """Runs one lab on one account. Call ``start_or_resume`` first."""

    work: Work  # of the run that was begun or resumed, as the next two
    steps: Steps
    checks: Checks

    def __init__(
        self,
        lab: Lab,
        calls: Calls,
        journal: Journal,
        *,
        describe: events.Describe,
        new_id: Callable[[], str] = records.new_run_id,
        services: Collection[str] = (),
        how: How = How.PROMPT,
        tell: ports.Tell = reason_of,
    ) -> None:
        """``services``, beyond the usual four, are those that the person allowed."""
        self.lab, self._journal, self._calls = lab, journal, calls
        self._new_id, self._services, self._how, self._tell = new_id, services, how, tell
        # Cleanup's calls are not counted.
        self._cleanup = Cleanup(journal, replace(calls), describe=describe)
        self._live = live_names(lab)
        self._basis: ports.Data = {}
        self._shown: ports.Data = {}
        self._started = self._entered = self._now()

    def start_or_resume(self) -> None:
        """Continue this lab's unfinished run on this target, or begin a new one.

        CredentialsError: the run began on another account, or the lab uses a service that the
        person did not allow. UndoIncomplete: an earlier run's cleanup can't be completed.
        """
        if not self.resume():
            id_, target, now = self._new_id(), self._calls.target, self._calls.clock.now()
            run = new_run(self.lab, target, id_, now, self._services)
            self._journal.begin(run)
            self._enter(run, resumed=False)

    def resume(self) -> bool:
        """Continue this lab's unfinished run on this target; False if there is none.

        A run whose account is gone is ended; a stopped cleanup is completed.
        """
        stages, emit = self.lab.stages, self._calls.emit
        for run in self._journal.unfinished(self._calls.target.name, self.lab.id):
            held = self._journal.past(run.id).held()
            to_do = [stage for stage in stages if stage.id not in held and not stage.cleanup]
            ends = not to_do and any(stage.cleanup for stage in stages)
            if account_is_gone(run, self._calls.target):
                self._cleanup.end(run.id, RunState.LOST)
                gone = f"The embedded account of run {run.id} is gone with everything in it."
                emit(events.Notice("warning", gone, "The lab starts again."))
            elif run.state is RunState.UNDOING and not ends:
                stopped = f"The cleanup of run {run.id} was stopped; it continues."
                emit(events.Notice("info", stopped))
                self._cleanup.run(run.id)
            else:
                self._enter(run, resumed=True)
                return True
        return False

    def look_back(self) -> RunRecord:
        """Open this lab's newest run on this target, even an ended one; UsageError: it is gone."""
        for run in self._journal.runs(self._calls.target.name, self.lab.id)[:1]:
            if not account_is_gone(run, self._calls.target):
                self._enter(run, resumed=run.state in records.UNFINISHED)
                return run
        raise UsageError(*refused("no run", lab=self.lab.id))

    @property
    def run(self) -> RunRecord:
        return self.past.run()

    @property
    def stages_done(self) -> tuple[str, ...]:
        """The ids of the stages whose checkpoints held, in the lab's order."""
        held = self.past.held()
        return tuple(stage.id for stage in self.lab.stages if stage.id in held)

    def map(self, here: str = "") -> tuple[events.StageShown, ...]:
        """The list of stages. The current one is the first from ``here`` on that is not done."""
        done, stages = self.stages_done, self.lab.stages
        left = dropwhile(lambda stage: here not in ("", stage.id), stages)
        current = next((stage.id for stage in left if stage.id not in done), "")
        states = {**dict.fromkeys(done, "done"), current: "current"}
        return tuple(
            events.StageShown(each.id, each.title, states.get(each.id, "pending"))
            for each in stages
        )

    @property
    def past(self) -> Past:
        return self._journal.past(self._run)

    def note(self, body: records.Body) -> None:
        """Journal what the learner did: a prediction, a hint, a skipped stage."""
        self._journal.write(self._run, body)

    def to_undo(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(planned.thing for planned in self._cleanup.plan(self._run)))

    def scope(self) -> ports.Data:
        known = scope(self._basis, self.past.saved(), self.past.profiles())
        return {**known, **dict(live(self.lab, self._calls, known, self._live)), **self._shown}

    def scope_to_show(self) -> ports.Data:
        """The scope for a step on the screen. Its time stays until a step is done."""
        self._shown = {}
        known = self.scope()
        self._shown = {name: known[name] for name in ("now",) if name in known}
        return known

    def _configure(self) -> None:
        if self.lab.profiles:
            configure(self.lab, self._calls.profiles, self.scope())

    def finish(self) -> events.RunFinished:
        """Emit how the run ended, or that it is interrupted."""
        stands = standing(self.past)
        finished = events.RunFinished(
            run=stands.run.id,
            outcome=_OUTCOMES.get(stands.run.state, "open"),
            proved=stands.proved,
            claims=tuple((each.title, each.says, str(each.verdict)) for each in stands.claims),
            notes=stands.notes,
            left=tuple((each.thing, each.by_hand) for each in self._cleanup.plan(self._run)),
            calls=self._calls.made,
            seconds=self._now() - self._started,
        )
        self._calls.emit(finished)
        return finished

    def missing_for(self, stage_id: str) -> tuple[str, ...]:
        done = self.stages_done
        return tuple(each for each in needed(self.lab, stage_id) if each not in done)

    def run_stage(self, stage_id: str) -> None:
        """Do the stage's steps, or the rest of them, and prove its checkpoint.

        RunError: a stage that it needs is not done, or a step failed. CheckFailed: the checkpoint
        does not hold. UndoIncomplete: it is the cleanup stage, and something is left.
        """
        stage = self.begin_stage(stage_id)
        self.restore(stage_id)
        if stage.cleanup:
            tried = self.clean_up(stage)
        else:
            for number in range(len(stage.steps)):
                self.do(stage, number)
            tried = tuple(self.prove(stage, number) for number in range(len(stage.checkpoint)))
        self.end_stage(stage, tried)

    def begin_stage(self, stage_id: str) -> Stage:
        """Begin the stage and return it; RunError if a stage that it needs is not done."""
        stage = stage_of(self.lab, stage_id)
        lacking = [each for each in self.missing_for(stage.id) if not self._done_by_hand(each)]
        require_done(stage.id, lacking)
        self._journal.write(self._run, records.Entered(stage.id, self.lab.sha256, self._how))
        self._entered = self._now()
        self._calls.emit(stage_started(self.lab, stage))
        return stage

    def clean_up(self, stage: Stage) -> tuple[CheckRecord, ...]:
        """Undo everything of the run, and prove the cleanup stage's checkpoint.

        Checks with a call come first; then the profiles are removed; then come the other checks.
        """
        self._cleanup.undo(self._run)
        checks, numbers = self.checks, range(len(stage.checkpoint))
        calling = [number for number in numbers if stage.checkpoint[number].call]
        tried = [checks.prove_or_recall(stage, number) for number in calling]
        if all(record.held for record in tried):
            named = [name for check in stage.checkpoint for name in check.profiles_gone]
            self._cleanup.remove_profiles(self._run, named)
        others = (number for number in numbers if number not in calling)
        return (*tried, *(checks.prove(stage, number) for number in others))

    def end_stage(self, stage: Stage, tried: tuple[CheckRecord, ...]) -> None:
        """Journal the checkpoint's result and time; CheckFailed if it does not hold."""
        seconds = self._now() - self._entered
        held = all(record.held for record in tried)
        bodies: list[records.Body] = [records.StageRecord(stage.id, held, seconds)]
        if stage.cleanup and held:  # finished, or just cleaned if stages were skipped
            self._cleanup.remove_profiles(self._run)
            every = {each.id for each in self.lab.stages} - {stage.id}
            done = every <= {*self.stages_done}
            bodies.append(records.Marked(RunState.FINISHED if done else RunState.CLEANED))
        self._journal.write(self._run, *bodies)
        self._calls.emit(events.StageFinished(stage.id, held, seconds))
        if not held:
            self.steps.forget()
        self._require_held(stage, tried)

    def check_stage(self, stage_id: str, operations: str = "") -> None:
        """Make the stage's checks again, or those of ``operations`` (a prefix), not journaled.

        CheckFailed: a claim does not hold that should. One that was proved need no longer hold
        once a later stage has changed it.
        """
        stage, past, failed = stage_of(self.lab, stage_id), self.past, []
        begun = past.held() | {each.stage for each in past.every(records.Entered)}
        cleaned = self.run.state is RunState.CLEANED and not stage.cleanup
        if not (stage.cleanup or stage.id in begun):
            raise UsageError(f"The run has not begun {stage.id} yet.", "Go on: stslab run")
        for number, check in enumerate(stage.checkpoint):
            if not check.operation.startswith(operations):
                continue
            by = changed_by(self.lab, stage, check, begun) or ("cleanup" if cleaned else "")
            if stage.cleanup and check.call and self._calls.lacks(check.identity):
                by = stage.id  # its last checks are that the profiles are gone
            proved = past.proved(stage.id, number) if by else None
            if by == stage.id and not proved:
                continue  # nobody can try it any more
            earlier = (proved.at, by) if proved else NEVER
            record = self.checks.try_again(stage, number, earlier, begun=True)
            if not record.held and not proved:
                failed.append((record, self.checks.allowing))
        self.checks.allowing = tuple(one for _, allowing in failed for one in allowing)
        self._require_held(stage, [record for record, _ in failed])

    def drift(self, stage_id: str) -> tuple[events.StepDrifted, ...]:
        """How the work of this stage's steps, and of those it needs, has changed since."""
        stages = [*needed(self.lab, stage_id), stage_id]
        drifted = (self.steps.drifted(stage, number) for stage, number in self._numbered(stages))
        return tuple(filter(None, drifted))

    def restore(self, stage_id: str) -> None:
        """Repeat steps that the stage needs, if their work is gone. Raises as :meth:`do`."""
        for stage, number in self._numbered(needed(self.lab, stage_id)):
            if self._journal.past(self._run).latest(stage.id, number):
                self.do(stage, number, quietly=True)

    def do(self, stage: Stage, number: int, *, quietly: bool = False) -> None:
        """Do one step (``number`` from 0), or the rest of it; RunError if its call fails."""
        with self._placed(stage.steps[number]):
            self.steps.do(stage, number, quietly=quietly)
        self._shown = {}
        self._configure()

    def adopt(self, stage: Stage, number: int) -> bool:
        """Adopt a step's work if it was done by hand, with the same effect; False if it was not."""
        adopted = self.steps.adopt(stage, number)
        self._shown = {} if adopted else self._shown
        self._configure()
        return adopted

    def prove(self, stage: Stage, number: int) -> CheckRecord:
        with self._placed(stage.checkpoint[number]):
            return self.checks.prove(stage, number)

    def _done_by_hand(self, stage_id: str) -> bool:
        """Whether a whole stage was done by hand, and holds. If so, it is adopted."""
        stage = stage_of(self.lab, stage_id)
        if any(self.missing_for(stage_id)) or not stage.steps:
            return False
        for number, step in enumerate(stage.steps):
            if changes(step.call) and not self.steps.adopt(stage, number):
                return False
            if not changes(step.call):
                self.do(stage, number)
        numbers = range(len(stage.checkpoint))
        tried = tuple(self.checks.try_again(stage, number) for number in numbers)
        if not all(record.held for record in tried):
            return False
        self._journal.write(self._run, records.Entered(stage_id, self.lab.sha256, How.HAND), *tried)
        self._entered = self._now()
        self.end_stage(stage, tried)
        return True

    @property
    def _run(self) -> str:
        return self.work.run.id

    def _now(self) -> float:
        return self._calls.clock.monotonic()

    def _numbered(self, stages: Iterable[str]) -> Iterator[tuple[Stage, int]]:
        for stage in (stage_of(self.lab, each) for each in stages):
            yield from ((stage, number) for number in range(len(stage.steps)))

    @contextmanager
    def _placed(self, part: Step | Check) -> Iterator[None]:
        """Add the place in the lab's file to errors inside, and forget what was inspected."""
        try:
            yield
        except StslabError as error:
            self.steps.forget()
            error.add_note(f"{self.lab.path}:{part.line}")
            raise

    def _require_held(self, stage: Stage, tried: Iterable[CheckRecord]) -> None:
        failed = [record for record in tried if not record.held]
        if not failed:
            return
        says = "; ".join(record.says for record in failed)
        error = CheckFailed(f"The checkpoint of stage {stage.id} does not hold: {says}.", FIX)
        for record in failed:
            error.add_note(f"{self.lab.path}:{stage.checkpoint[record.number].line}")
        raise error

    def _enter(self, run: RunRecord, *, resumed: bool) -> None:
        self._calls.learn_profiles(self._calls.profiles.names())
        self.work = Work(run, self._journal, self._calls)
        self.steps = Steps(self.work, self.scope)
        self.checks = Checks(self.work, self.scope, self._tell)
        self._basis = basis(self.lab, run.id, run)
        started = events.RunStarted(
            run=run.id,
            stages=self.map(),
            resumed=resumed,
            **records.shared(run, events.RunStarted) | {"title": self.lab.title},
        )
        self._calls.emit(started)
        if run.sha256 != self.lab.sha256:
            changed = "The lab, or a file that it includes, has changed since this run began."
            hint = "The report says so, and counts the claims that the lab had then."
            self._calls.emit(events.Notice("warning", changed, hint))
