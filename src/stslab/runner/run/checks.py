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
from stslab.runner.calls.reasons import mismatch
from stslab.runner.calls.work import Work
from stslab.runner.events import CheckFinished, CheckStarted
from stslab.runner.journal.records import CheckRecord, EntryState, Intent, Result
from stslab.runner.ports import Answer, Lost, Outcome, Reason, Refusal, Tell
from stslab.runner.run.gone import was_made
from stslab.runner.run.outline import claim
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
    gates: tuple[str, ...] = ()
    void: bool = False


_NEVER_MADE = Finding(held=True, proof="this run never made it", void=True)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A claim that was proved, and the stage (its id) that has changed what it is about since."""

    at: str
    changed_by: str


class Checks:
    """Proves claims, for one run. ``scope`` gives what the run knows at the moment.

    ``tell`` tells why AWS refused.
    """

    def __init__(self, work: Work, scope: Callable[[], Mapping[str, Any]], tell: Tell) -> None:
        self._work = work
        self._scope = scope
        self._tell = tell

    def prove(self, stage: Stage, number: int) -> CheckRecord:
        """Try one claim of the stage (``number`` counts from 0), and remember how it went.

        Raises:
            CredentialsError: the learner's own credentials can't be used.
            UnresolvedReference: the claim refers to something that the run does not know.
            NotOwn: its call would change what is not the run's own.
        """
        record = self.try_again(stage, number, None)
        self._work.journal.checked(self._work.run.id, record)
        return record

    def try_again(self, stage: Stage, number: int, earlier: Earlier | None) -> CheckRecord:
        """The same without remembering it. ``earlier`` is why it need not hold any more.

        Raises: as :meth:`prove`.
        """
        check, started = stage.checkpoint[number], self._work.clock.monotonic()
        finding = self._found(stage, number, earlier)
        record = CheckRecord(
            stage=stage.id,
            number=number,
            title=stage.title,
            says=self.said(check.says),
            claim=claim(check),
            held=finding.held,
            denied=finding.denied,
            code=finding.code,
            proof=self._work.calls.clean_text(finding.proof),
            request_id=finding.request_id,
            seconds=self._work.clock.monotonic() - started,
            at=self._work.clock.now().isoformat(timespec="milliseconds"),
            void=finding.void,
            gates=finding.gates,
        )
        self._emit(record, check, finding.why, None if finding.held else earlier)
        return record

    def tell_again(self, record: CheckRecord, check: Check) -> None:
        """Tell of a claim that was proved before and can't be tried any more."""
        self._work.emit(CheckStarted(record.stage, record.says, None))
        self._emit(record, check, "", None)

    def said(self, text: str) -> str:
        """A claim's sentence, with what is known put in."""
        return _said(text, self._scope())

    def _found(self, stage: Stage, number: int, earlier: Earlier | None) -> Finding:
        """Tell that the claim is being tried, and try it, if it can be."""
        check, scope = stage.checkpoint[number], self._scope()
        try:
            params = resolve(check.params, scope)
        except UnresolvedReference as error:
            self._work.emit(CheckStarted(stage.id, self.said(check.says), None))
            if stage.cleanup:  # only its making would have told the name
                return _NEVER_MADE
            if not earlier:
                raise
            return Finding(held=False, proof="", why=error.message)
        call = (
            self._work.calls.shown(check.identity, check.service, check.operation, params)
            if check.call
            else None
        )
        self._work.emit(CheckStarted(stage.id, self.said(check.says), call))
        if stage.cleanup and not was_made(self._work, check, params, scope):
            return _NEVER_MADE
        return self._tried(stage, number, params, scope) if check.call else self._gone(check)

    def _tried(
        self, stage: Stage, number: int, params: Mapping[str, Any], scope: Mapping[str, Any]
    ) -> Finding:
        """Once; or until it holds, within the check's time, where changes take time to spread."""
        check = stage.checkpoint[number]
        spreading = self._work.account.target.eventually_consistent
        limit = (check.within or 0.0) if spreading else 0.0
        call = self._making(stage, number, params)

        def attempt() -> Finding:
            return self._judged(check, call(), scope)

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

    def _judged(self, check: Check, outcome: Outcome, scope: Mapping[str, Any]) -> Finding:
        if isinstance(outcome, Lost):
            return Finding(held=False, proof="", why=f"no answer came: {outcome.reason}")
        if isinstance(outcome, Refusal):
            reason = self._tell(outcome) if outcome.code in check.fails else None
            return _refused(check, outcome, reason)
        if check.fails:
            why = f"the call succeeded, where {' or '.join(check.fails)} was to be the answer"
            return Finding(held=False, proof="", why=why, request_id=outcome.request_id)
        return _answered(check.expect, outcome, scope)

    def _emit(self, record: CheckRecord, check: Check, why: str, earlier: Earlier | None) -> None:
        self._work.emit(
            CheckFinished(
                stage=record.stage,
                says=record.says,
                held=record.held,
                denied=record.denied,
                code=record.code,
                proof=record.proof,
                because=self.said(check.because or ""),
                why=self._work.calls.clean_text(why),
                request_id=record.request_id,
                seconds=record.seconds,
                gates=record.gates,
                void=record.void,
                held_at=earlier.at if earlier else "",
                changed_by=earlier.changed_by if earlier else "",
            )
        )


def _refused(check: Check, refusal: Refusal, reason: Reason | None) -> Finding:
    right = refusal.code in check.fails
    wanted = " or ".join(check.fails)
    why = f"{wanted} was to be the answer" if wanted else "the call was to succeed"
    wrong = mismatch(check, refusal.code, reason)
    return Finding(
        held=right and not wrong,
        proof=refusal.message,
        why=wrong if right else f"AWS answered {refusal.code}, where {why}",
        code=refusal.code,
        denied=right and not wrong,
        request_id=refusal.request_id,
        gates=reason.gates if reason else (),
    )


def _answered(expect: str | None, answer: Answer, scope: Mapping[str, Any]) -> Finding:
    if expect is None:
        return Finding(held=True, proof="the call succeeded", request_id=answer.request_id)
    try:
        held = truthy(evaluate(expect, answer.data, scope))
        problem = f"not so: {_said(expect, scope).strip()}"
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
