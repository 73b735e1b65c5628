"""Plays the learner: is each task reached by its own command, and only then; each fault fixed?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from stslab.cli.inside import TARGET, InsideAccount, proofs
from stslab.errors import StslabError
from stslab.lab.model import Fault, Lab, Stage, Step, Wait
from stslab.lab.references import evaluate, resolve
from stslab.lesson.byhand import ByHand, tasks_of
from stslab.runner.ports import Answer, Credentials, Refusal
from stslab.runner.run.run import Runner

_LOOKS = 5000


@dataclass(frozen=True, slots=True)
class Tried:
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
    return tuple(
        Tried(one.after, one.title, one.line, _wrong(one, proved[name]))
        for name, one in declared.items()
    )


def _wrong(fault: Fault, proved: object) -> str:
    if isinstance(proved, str):
        return proved
    return "" if fault.hints else "it has no hint"


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
