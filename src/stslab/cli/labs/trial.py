"""Tries labs out, each from its first stage to its last, in an account that is thrown away.

Its tasks and faults are tried too: each is solved by its own command, and only then.
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
from stslab.cli.inside import TARGET, InsideAccount, proofs
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
    """A task or a fault, and ``why`` it can't be solved as the lab has it; empty where it can."""

    stage: str
    title: str
    line: int
    why: str = ""


def tasks(lab: Lab) -> tuple[Tried, ...]:
    """Each task of the lab, solved in the order of its steps by the calls that its hints end in."""
    if not any(step.task for stage in lab.stages for step in stage.steps):
        return ()
    account = InsideAccount()
    with account.running(lab, lambda _: None) as runner:
        return tuple(_Learner(lab, account, runner).all())


def faults(lab: Lab) -> tuple[Tried, ...]:
    """Each fault that the lab declares, planted and fixed."""
    declared = {one.id: one for one in lab.faults}
    proved = {one.id: proof for one, proof in proofs(lab)} if declared else {}
    tried = []
    for name, one in declared.items():
        proof = proved[name]
        why = proof if isinstance(proof, str) else "" if one.hints else "it has no hint"
        tried.append(Tried(one.after, one.title, one.line, why))
    return tuple(tried)


class _Learner:
    """Calls past the runner, as a person does in a shell."""

    def __init__(self, lab: Lab, account: InsideAccount, runner: Runner) -> None:
        self._lab = lab
        self._account = account
        self._runner = runner
        self._hand = ByHand(lab, runner, account.decide, lambda: ())

    def all(self) -> Iterator[Tried]:
        """Every task that has a text; a stage that can't be done ends it."""
        for stage in (one for one in self._lab.stages if not one.cleanup):
            for number, step in enumerate(stage.steps):
                why = self._solve(stage, number, step)
                if step.task or why:
                    yield Tried(stage.id, step.task or step.title, step.line, why)
                if why:
                    return
            for number, check in enumerate(stage.checkpoint):
                if not self._runner.prove(stage, number).held:
                    why = "all tasks are done, and this does not hold"
                    yield Tried(stage.id, check.says, check.line, why)
                    return

    def _solve(self, stage: Stage, number: int, step: Step) -> str:
        """Do what a task asks for, by hand; why it could not be done, or is not seen."""
        try:
            if number not in {at for at, _ in tasks_of(stage)}:
                self._runner.do(stage, number)
                return ""
            if step.task and self._is_done(stage, number):
                return "it is done before anybody did anything"
            if step.task and not step.hints:
                return "it has no hint but the command"
            refused = self._call(step)
            if refused:
                return f"its command is refused: {refused}"
            return "" if self._is_done(stage, number) else "its command does not reach it"
        except StslabError as error:
            return error.message

    def _is_done(self, stage: Stage, number: int) -> bool:
        return next(one.done for one in self._hand.look(stage).tasks if one.number == number)

    def _call(self, step: Step) -> str:
        """Make the step's call; what it was refused with, or nothing."""
        params = resolve(step.params, self._runner.scope())
        outcome = self._account.call(step.identity, step.service, step.operation, params)
        if isinstance(outcome, Refusal):
            return outcome.code
        if step.profile and isinstance(outcome, Answer):
            answer = evaluate(step.profile.source, outcome.data, self._runner.scope())
            found = Credentials.found_in(answer)
            if found:
                self._account.files.save(step.profile.name, found.spoilt(step.profile.spoil))
        return self._wait(step, step.wait) if step.wait else ""

    def _wait(self, step: Step, wait: Wait) -> str:
        """Wait as the step does; what it waited for in vain, or nothing."""
        params = resolve(wait.params, self._runner.scope())
        for _ in range(_LOOKS):
            state = self._account.probe(step.identity, step.service, wait.waiter, params).state
            if state != "retry":
                return "" if state == "success" else f"{wait.waiter} does not come about"
            time.sleep(TARGET.pace)
        return f"{wait.waiter} does not come about"


class Claim(msgspec.Struct, frozen=True):
    """A check of the lab, and how it went: ``held`` is None where it was not reached."""

    stage: str
    says: str
    line: int
    held: bool | None = None
    why: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """How a lab did. ``error`` is what stopped it, ``left`` what it left in the account.

    ``events`` are all that happened, in order. Where its mutants were played, there are so many,
    some ``unnoticed``, and the checks that noticed none are ``idle``. ``tasks`` are those of who
    works by hand, ``faults`` those that the lab declares, ``cells`` those of the access table that
    are wrong.
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
        """That of what is worst: 0 where the lab ran, proved all, and left nothing."""
        if self.left:
            return UndoIncomplete.exit_code
        if self.error:
            return self.error.exit_code
        bad = self.unnoticed or self.idle or self.unsolved
        return CheckFailed.exit_code if bad else 0

    @property
    def unsolved(self) -> tuple[Tried, ...]:
        """The tasks and faults that can't be solved as the lab has them, and its wrong cells."""
        return tuple(one for one in (*self.cells, *self.tasks, *self.faults) if one.why)


_OTHERWISE = "the `changes` of the stages say otherwise"
_ADMINS = frozenset({"admin", "default", "partner"})


def tried(path: Path, spec: str | None) -> Verdict:
    """Try the lab in this file, in a throw-away sandbox; with ``spec`` it is as a real account."""
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
            f"it is {said}; {_OTHERWISE}",
        )
        for (stage, name, who), said in sorted(wrong_cells(lab).items())
    )
    return replace(verdict, tasks=tasks(lab), faults=faults(lab), cells=wrong)


def _tried(lab: Lab, home: Home, spec: str | None) -> Verdict:
    """Run the lab from its first stage to its last, undo it, and look what is left."""
    open_account(home, Where())  # its administrator's profile is no lab's
    client.control(home.sandbox, "POST", "mark")
    if spec is not None:
        client.rehearse(home.sandbox, spec)
    opened = open_account(home, Where())  # as it is from now on
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
    """Every check of the lab, as it went last."""
    told = {(one.stage, one.says): one for one in events if isinstance(one, CheckFinished)}
    for stage in lab.stages:
        for check in stage.checkpoint:
            found = told.get((stage.id, check.says))
            held, why = (found.held, found.why) if found else (None, "")
            yield Claim(stage.id, check.says, check.line, held, why)
