"""Run a lab from its first stage to its last in a throw-away account, with its tasks and faults.

Each task and fault must be solved by its own command, and not before.
"""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from stslab.cli.accounts import open_account
from stslab.cli.bench import load_lab
from stslab.cli.describing import describer
from stslab.cli.in_memory import TARGET, InMemoryAccount, proofs
from stslab.cli.labs.mutation import Note, wrong_cells
from stslab.cli.options import Where
from stslab.errors import CheckFailed, InvalidLab, StslabError, UndoIncomplete
from stslab.home import Home
from stslab.lab.model import Lab, Stage, Step, Wait
from stslab.lab.references import evaluate, resolve
from stslab.lesson.byhand import ByHand, tasks_of
from stslab.runner.events import CheckFinished, Event
from stslab.runner.journal.records import UNFINISHED, How
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Answer, Credentials, Refusal
from stslab.runner.run.run import Runner
from stslab.sandbox.server import client

_LOOKS = 5000


class Tried(msgspec.Struct, frozen=True):
    """A task, fault or cell, and ``why`` it failed, or ""."""

    stage: str
    title: str
    line: int
    why: str = ""


def tasks(lab: Lab) -> tuple[Tried, ...]:
    """Solve each task of the lab, in order, by the command that its hints end with."""
    if not any(step.task for stage in lab.stages for step in stage.steps):
        return ()
    account = InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        return tuple(_Learner(lab, account, runner).all())


def faults(lab: Lab) -> tuple[Tried, ...]:
    """Plant and fix each fault that the lab declares."""
    proved = {fault.id: proof for fault, proof in proofs(lab)} if lab.faults else {}
    tried = []
    for fault in lab.faults:
        proof = proved[fault.id]
        why = proof if isinstance(proof, str) else "" if fault.hints else "it has no hint"
        tried.append(Tried(fault.after, fault.title, fault.line, why))
    return tuple(tried)


class _Learner:
    """A learner who works by hand: calls the account past the runner."""

    def __init__(self, lab: Lab, account: InMemoryAccount, runner: Runner) -> None:
        self._lab = lab
        self._account = account
        self._runner = runner
        self._hand = ByHand(lab, runner, account.decide, lambda: ())

    def all(self) -> Iterator[Tried]:
        """Every task with a text, up to the first stage that can't be done."""
        for stage in (each for each in self._lab.stages if not each.cleanup):
            for number, step in enumerate(stage.steps):
                why = self._solve(stage, number, step)
                if step.task or why:
                    yield Tried(stage.id, step.task or step.title, step.line, why)
                if why:
                    return
            for number, check in enumerate(stage.checkpoint):
                if not self._runner.prove(stage, number).held:
                    why = "all tasks are done, but this does not hold"
                    yield Tried(stage.id, check.says, check.line, why)
                    return

    def _solve(self, stage: Stage, number: int, step: Step) -> str:
        """Do a task by hand. Return why it can't be done, or does not count as done; or ""."""
        try:
            if number not in {at for at, _ in tasks_of(stage)}:
                self._runner.do(stage, number)
                return ""
            if step.task and self._is_done(stage, number):
                return "it counts as done before anybody did anything"
            if step.task and not step.hints:
                return "it has no hint except the command"
            refused = self._call(step)
            if refused:
                return f"its command is refused: {refused}"
            return "" if self._is_done(stage, number) else "its command does not complete it"
        except StslabError as error:
            return error.message

    def _is_done(self, stage: Stage, number: int) -> bool:
        return next(task.done for task in self._hand.look(stage).tasks if task.number == number)

    def _call(self, step: Step) -> str:
        """Make the step's call. Return the error code of a refusal, or ""."""
        params = resolve(step.params, self._runner.scope())
        outcome = self._account.call(step.identity, step.service, step.operation, params)
        if isinstance(outcome, Refusal):
            return outcome.code
        if step.profile and isinstance(outcome, Answer):
            answer = evaluate(step.profile.source, outcome.data, self._runner.scope())
            keys = Credentials.found_in(answer)
            if keys:
                self._account.files.save(step.profile.name, keys.spoilt(step.profile.spoil))
        return self._wait(step, step.wait) if step.wait else ""

    def _wait(self, step: Step, wait: Wait) -> str:
        """Wait as the step does. Return what was not reached, or ""."""
        params = resolve(wait.params, self._runner.scope())
        for _ in range(_LOOKS):
            state = self._account.probe(step.identity, step.service, wait.waiter, params).state
            if state != "retry":
                return "" if state == "success" else f"{wait.waiter} is not reached"
            time.sleep(TARGET.pace)
        return f"{wait.waiter} is not reached"


class Claim(msgspec.Struct, frozen=True):
    """A check of the lab, and its result: ``held`` is None if it was not reached."""

    stage: str
    says: str
    line: int
    held: bool | None = None
    why: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """The result of a lab. ``error`` is what stopped it, ``left`` what it left in the account.

    ``events`` are all events, in order. ``mutants`` is how many were run (None: not asked for),
    ``unnoticed`` are those that no check noticed, ``idle`` the checks that noticed none.
    ``tasks`` are those of work by hand, ``faults`` those that the lab declares, ``cells`` the
    wrong cells of the access table.
    """

    lab: str
    file: str
    error: StslabError | None = None
    left: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    events: tuple[Event, ...] = ()
    mutants: int | None = None
    unnoticed: tuple[Note, ...] = ()
    idle: tuple[Note, ...] = ()
    tasks: tuple[Tried, ...] = ()
    faults: tuple[Tried, ...] = ()
    cells: tuple[Tried, ...] = ()

    @property
    def exit_code(self) -> int:
        """The worst exit code: 0 if the lab ran, proved everything, and left nothing."""
        if self.left:
            return UndoIncomplete.exit_code
        if self.error:
            return self.error.exit_code
        bad = self.unnoticed or self.idle or self.unsolved
        return CheckFailed.exit_code if bad else 0

    @property
    def unsolved(self) -> tuple[Tried, ...]:
        """The tasks and faults that can't be solved, and the wrong cells."""
        return tuple(tried for tried in (*self.cells, *self.tasks, *self.faults) if tried.why)


_OTHERWISE = "the `changes` of the stages say otherwise"
_ADMINS = frozenset({"admin", "default", "partner"})


def tried(path: Path, spec: str | None) -> Verdict:
    """Run the lab in this file, in a throw-away account; ``spec`` makes it rehearse."""
    try:
        lab = load_lab(path)
    except InvalidLab as invalid:
        return Verdict(path.stem, str(path), invalid)
    home = Home(Path(tempfile.mkdtemp(prefix="stslab-test-")))
    try:
        verdict = _tried(lab, home, spec)
    finally:
        client.stop(home.sandbox)
        shutil.rmtree(home.root, ignore_errors=True)
    if verdict.error:
        return verdict
    wrong = tuple(
        Tried(
            stage,
            f"{who} may {lab.access[name].says}",
            lab.access[name].line,
            f"it is {decision}; {_OTHERWISE}",
        )
        for (stage, name, who), decision in sorted(wrong_cells(lab).items())
    )
    return replace(verdict, tasks=tasks(lab), faults=faults(lab), cells=wrong)


def _tried(lab: Lab, home: Home, spec: str | None) -> Verdict:
    """Run the lab from its first stage to its last, undo it, and look for leftovers."""
    open_account(home, Where())  # first, since it makes the administrator's profile
    client.control(home.sandbox, "POST", "mark")
    if spec is not None:
        client.rehearse(home.sandbox, spec)
    opened = open_account(home, Where())  # again, since it may rehearse now
    events: list[Event] = []
    began, error, describe = time.monotonic(), None, describer(lab)
    with Journal(home.journal) as journal:
        runner = opened.runner(lab, journal, events.append, describe=describe, how=How.ALONE)
        run = runner.start_or_resume().run.id
        try:
            for stage in lab.stages:
                runner.run_stage(stage.id)
        except StslabError as stopped:
            error = stopped
        if runner.run.state in UNFINISHED:
            try:
                opened.cleanup(journal, events.append, describe=describe).run(run)
            except StslabError as stopped:
                error = stopped
        calls = runner.finish().calls
    took = time.monotonic() - began
    if spec is not None:
        client.rehearse(home.sandbox, None)
    names = (name for name in opened.profiles.names() if name not in _ADMINS)
    profiles = (f"profile {name} is left" for name in names)
    left = (*client.control(home.sandbox, "GET", "changed")["changed"], *profiles)
    claims = tuple(_claims(lab, events))
    return Verdict(lab.id, str(lab.path), error, left, claims, calls, took, tuple(events))


def _claims(lab: Lab, events: Iterable[Event]) -> Iterator[Claim]:
    """Every check of the lab with its last result."""
    last = {(event.stage, event.says): event for event in events
            if isinstance(event, CheckFinished)}  # fmt: skip
    for stage in lab.stages:
        for check in stage.checkpoint:
            result = last.get((stage.id, check.says))
            held, why = (result.held, result.why) if result else (None, "")
            yield Claim(stage.id, check.says, check.line, held, why)
