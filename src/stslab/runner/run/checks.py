"""Proves a checkpoint's claims: a call each, repeated within its time until it holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stslab.errors import CredentialsError, NotOwn, UnresolvedReference
from stslab.kinds.creations import creation_of
from stslab.kinds.table import KINDS
from stslab.lab.model import Check, Stage
from stslab.lab.references import evaluate, resolve, truthy
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.look import complete
from stslab.runner.calls.patience import Verdict
from stslab.runner.calls.work import Work
from stslab.runner.events import CheckFinished, CheckStarted
from stslab.runner.journal.records import CheckRecord, EntryState, Intent, Result
from stslab.runner.ports import Answer, Lost, Outcome, Refusal
from stslab.runner.run.owning import require_own
from stslab.runner.run.prepare import thing_made
from stslab.runner.run.proof_text import compared
from stslab.runner.undo.remove import removal_of

_NO_CREDENTIALS = "NoCredentials"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a claim was tried once. ``why`` says what did not hold."""

    held: bool
    proof: str
    why: str = ""
    code: str = ""
    denied: bool = False
    request_id: str = ""


class Checks:
    """Proves claims, for one run. ``scope`` gives what the run knows at the moment."""

    def __init__(self, work: Work, scope: Callable[[], Mapping[str, Any]]) -> None:
        self._work = work
        self._scope = scope

    def prove(self, stage: Stage, number: int) -> CheckRecord:
        """Try one claim of the stage (``number`` counts from 0), and remember how it went.

        Raises:
            CredentialsError: the learner's own credentials can't be used.
            UnresolvedReference: the claim refers to something that the run does not know.
            NotOwn: its call would change what is not the run's own.
        """
        check = stage.checkpoint[number]
        started = self._work.clock.monotonic()
        scope = self._scope()
        params = resolve(check.params, scope)
        shown = (
            self._work.calls.shown(check.identity, check.service, check.operation, params)
            if check.call
            else None
        )
        self._work.emit(CheckStarted(stage.id, _said(check.says, scope), shown))
        finding = self._tried(stage, number, params, scope) if check.call else self._gone(check)
        finding = replace(finding, proof=self._work.calls.clean_text(finding.proof))
        return self._remembered(stage, number, finding, started)

    def said(self, text: str) -> str:
        """A claim's sentence, with what is known put in."""
        return _said(text, self._scope())

    def _tried(
        self, stage: Stage, number: int, params: Mapping[str, Any], scope: Mapping[str, Any]
    ) -> Finding:
        """Once; or until it holds, within the check's time, where changes take time to spread."""
        check = stage.checkpoint[number]
        spreading = self._work.account.target.eventually_consistent
        limit = (check.within or 0.0) if spreading else 0.0
        call = self._making(stage, number, params)

        def attempt() -> Finding:
            return _judged(check, call(), scope)

        def judge(finding: Finding) -> Verdict:
            return Verdict(0.0 if finding.held else limit, check.says)

        return self._work.calls.patience.until(attempt, judge)

    def _making(
        self, stage: Stage, number: int, params: Mapping[str, Any]
    ) -> Callable[[], Outcome]:
        """The check's call. One that would make a thing is journaled, lest it does and is left."""
        check = stage.checkpoint[number]
        self._require_own(check, params)
        creation, target = creation_of(check.call or "", params), self._work.account.target
        thing = thing_made(creation, params, {}, target)
        if thing is None or KINDS[thing.kind].parent or not complete(thing):
            return lambda: self._called(check, params)
        intent = Intent(
            stage=stage.id,
            step=-1 - number,
            title=check.says,
            identity=check.identity,
            service=check.service,
            operation=check.operation,
            params=self._work.calls.clean(params),
            thing=thing,
            undo=(removal_of(thing),),
        )
        run, journal = self._work.run.id, self._work.journal
        seq = journal.intend(run, intent)
        made: list[bool] = []

        def call() -> Outcome:
            outcome = self._called(check, params)
            made.append(isinstance(outcome, Answer))
            if not isinstance(outcome, Lost):
                state = EntryState.DONE if any(made) else EntryState.REFUSED
                journal.conclude(run, seq, Result(state, "", outcome.request_id))
            return outcome

        return call

    def _require_own(self, check: Check, params: Mapping[str, Any]) -> None:
        try:
            require_own(self._work, check.identity, check.service, check.operation, params)
        except NotOwn as error:
            raise NotOwn(f"The check “{check.says}”: {error.message}", error.hint) from error

    def _called(self, check: Check, params: Mapping[str, Any]) -> Outcome:
        try:
            outcome = self._work.calls.make(
                check.identity, check.service, check.operation, params, expected=check.fails
            )
        except CredentialsError as error:
            if check.identity == ADMIN:
                raise
            return Refusal(_NO_CREDENTIALS, error.message)
        if isinstance(outcome, Answer):
            self._work.calls.learn(outcome.data)
            return replace(outcome, data=self._work.calls.clean(outcome.data))
        return outcome

    def _gone(self, check: Check) -> Finding:
        there = [name for name in check.profiles_gone if self._work.profiles.get(name)]
        every = ", ".join(check.profiles_gone)
        if there:
            return Finding(held=False, proof="", why=f"still there: {', '.join(there)}")
        return Finding(held=True, proof=f"the profile files no longer hold {every}")

    def _remembered(
        self, stage: Stage, number: int, finding: Finding, started: float
    ) -> CheckRecord:
        check = stage.checkpoint[number]
        says = _said(check.says, self._scope())
        record = CheckRecord(
            stage=stage.id,
            number=number,
            title=stage.title,
            says=says,
            held=finding.held,
            denied=finding.denied,
            code=finding.code,
            proof=finding.proof,
            request_id=finding.request_id,
            seconds=self._work.clock.monotonic() - started,
            at=self._work.clock.now().isoformat(timespec="milliseconds"),
        )
        self._work.journal.checked(self._work.run.id, record)
        self._work.emit(
            CheckFinished(
                stage=stage.id,
                says=says,
                held=record.held,
                denied=record.denied,
                code=record.code,
                proof=record.proof,
                because=_said(check.because or "", self._scope()),
                why=self._work.calls.clean_text(finding.why),
                request_id=record.request_id,
                seconds=record.seconds,
            )
        )
        return record


def _judged(check: Check, outcome: Outcome, scope: Mapping[str, Any]) -> Finding:
    if isinstance(outcome, Lost):
        return Finding(held=False, proof="", why=f"no answer came: {outcome.reason}")
    if isinstance(outcome, Refusal):
        return _refused(check, outcome)
    if check.fails:
        why = f"the call succeeded, where {' or '.join(check.fails)} was to be the answer"
        return Finding(held=False, proof="", why=why, request_id=outcome.request_id)
    return _answered(check.expect, outcome, scope)


def _refused(check: Check, refusal: Refusal) -> Finding:
    held = refusal.code in check.fails
    wanted = " or ".join(check.fails)
    why = f"{wanted} was to be the answer" if wanted else "the call was to succeed"
    return Finding(
        held=held,
        proof=refusal.message,
        why="" if held else f"AWS answered {refusal.code}, where {why}",
        code=refusal.code,
        denied=held,
        request_id=refusal.request_id,
    )


def _answered(expect: str | None, answer: Answer, scope: Mapping[str, Any]) -> Finding:
    if expect is None:
        return Finding(held=True, proof="the call succeeded", request_id=answer.request_id)
    try:
        held = truthy(evaluate(expect, answer.data, scope))
        problem = f"not so: {expect}"
    except UnresolvedReference as error:
        held, problem = False, error.message
    return Finding(
        held=held,
        proof=compared(expect, answer.data),
        why="" if held else problem,
        request_id=answer.request_id,
    )


def _said(text: str, scope: Mapping[str, Any]) -> str:
    """A sentence with what is known put in: it is shown even where something is not."""
    try:
        return str(resolve(text, scope))
    except UnresolvedReference:
        return text
