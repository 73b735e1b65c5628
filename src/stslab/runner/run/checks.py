"""Make the checks of a checkpoint: one call for each claim, repeated until it holds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from stslab.errors import CredentialsError, NotOwn, UnresolvedReference
from stslab.kinds.operations import HOME
from stslab.kinds.table import BY_REMOVAL, KINDS
from stslab.lab.model import Check, Stage
from stslab.lab.reading.expressions import Tree, query
from stslab.lab.references import FIRST_CHILD_ONLY, as_known, evaluate, resolve, searched, truthy
from stslab.policy.messages import in_short
from stslab.runner.calls.calls import TRANSIENT_SECONDS, Patience, mismatch
from stslab.runner.calls.look import require_own
from stslab.runner.calls.work import Work
from stslab.runner.events import CheckFinished, CheckStarted
from stslab.runner.journal import records
from stslab.runner.journal.past import Past
from stslab.runner.journal.records import MADE, CheckRecord, EntryState, Thing, shared
from stslab.runner.ports import Allowing, Answer, Call, Data, Lost, Outcome, Reason, Refusal, Tell
from stslab.runner.run.allowing import foreign, simulated, told
from stslab.runner.run.prepare import thing_made
from stslab.runner.run.scope import claim
from stslab.structures import text_or_json, texts
from stslab.vocabulary import ADMIN

Earlier = tuple[str, str]
"""When a claim was proved, and the id of the stage that has changed that since."""
NEVER: Earlier = ("", "")


class _Try(msgspec.Struct, frozen=True):
    """The result of one try of a claim, which holds if ``why`` says nothing against it."""

    why: str
    proof: str = ""
    code: str = ""
    denied: bool = False
    request_id: str = ""
    gates: tuple[str, ...] = ()
    void: bool = False


_FEW = 3  # equal values that a proof lists
_NEVER_MADE = _Try("", "this run never made it", void=True)


class Checks:
    """Makes one run's checks. ``scope`` returns its known names, ``tell`` why AWS refused."""

    def __init__(self, work: Work, scope: Callable[[], Data], tell: Tell) -> None:
        self._work, self._scope, self._tell = work, scope, tell
        self.answer: Data = {}  # AWS's to the last call; empty if refused, or it may hold a secret
        self.allowing: Allowing = ()  # what allowed the last call, or what it simulated

    def prove(self, stage: Stage, number: int) -> CheckRecord:
        """Make one check of the stage (``number`` counts from 0), and journal its result.

        CredentialsError: the learner's own credentials can't be used. UnresolvedReference: the
        check refers to something unknown. NotOwn: it would change what is not the run's own.
        """
        record = self.try_again(stage, number)
        self._work.journal.write(self._work.run.id, record)
        return record

    def try_again(
        self, stage: Stage, number: int, earlier: Earlier = NEVER, *, begun: bool = False
    ) -> CheckRecord:
        """Like :meth:`prove`, not journaled. The claim need not hold if it did so ``earlier``.

        In a stage that is only ``begun``, what it refers to may still be unknown.
        """
        check, calls = stage.checkpoint[number], self._work.calls
        started = calls.clock.monotonic()
        tried = self._found(stage, number, excused=begun or earlier != NEVER)
        tried = replace(tried, proof=calls.clean_text(tried.proof))
        record = CheckRecord(
            stage=stage.id,
            number=number,
            title=stage.title,
            says=_sentence(check.says, self._scope()),
            claim=claim(check),
            held=not tried.why,
            seconds=calls.clock.monotonic() - started,
            at=calls.clock.now().isoformat(timespec="milliseconds"),
            **shared(tried, CheckRecord),
        )
        self._emit(record, check, tried.why, earlier)
        return record

    def prove_or_recall(self, stage: Stage, number: int) -> CheckRecord:
        """Like :meth:`prove`; but if the caller's profile is gone, an earlier proof counts."""
        check = stage.checkpoint[number]
        if self._work.calls.lacks(check.identity):
            record = self._work.past.proved(stage.id, number)
            if record:
                self._work.calls.emit(CheckStarted(record.stage, record.says, None))
                self._emit(record, check, "")
                return record
        return self.prove(stage, number)

    def _found(self, stage: Stage, number: int, *, excused: bool) -> _Try:
        """Emit that the check is being made, and make it if possible."""
        check, scope = stage.checkpoint[number], self._scope()
        says, calls = _sentence(check.says, scope), self._work.calls
        try:
            params = resolve(check.params, scope)
        except UnresolvedReference as error:
            calls.emit(CheckStarted(stage.id, says, None))
            if stage.cleanup:  # the name is unknown because the thing was never made
                return _NEVER_MADE
            if not excused:
                raise
            return _Try(error.message)
        call = Call(check.identity, check.service, check.operation, params)
        calls.emit(CheckStarted(stage.id, says, calls.shown(call) if check.call else None))
        if stage.cleanup and not was_made(self._work, check, params, scope):
            return _NEVER_MADE
        if check.call:
            return self._tried(stage, number, call)
        there = ", ".join(name for name in check.profiles_gone if not calls.lacks(name))
        if there:
            return _Try(f"still there: {there}")
        return _Try("", f"the profile files no longer hold {', '.join(check.profiles_gone)}")

    def _tried(self, stage: Stage, number: int, call: Call) -> _Try:
        """Make the call; where changes take time to spread, until the claim holds (``within``)."""
        check, scope = stage.checkpoint[number], self._scope()
        limit = (check.within or 0.0) if self._work.calls.target.eventually_consistent else 0.0
        entry = self._intended(stage, number, call)
        outcomes = list[Outcome]()

        def attempt() -> _Try:
            outcomes.append(self._called(check, call))
            return self._judged(check, outcomes[-1], scope)

        def judge(tried: _Try) -> Patience:
            # A call that should be refused is repeated if no answer comes.
            lost = isinstance(outcomes[-1], Lost) and bool(check.fails)
            again = max(limit, TRANSIENT_SECONDS if lost else 0.0)
            return again if tried.why else 0.0, check.says

        tried = self._work.calls.until(attempt, judge)
        made = any(isinstance(outcome, Answer) for outcome in outcomes)
        lost = any(isinstance(outcome, Lost) for outcome in outcomes)
        if entry and (made or not lost):  # else cleanup looks whether the call has made its thing
            state = EntryState.DONE if made else EntryState.REFUSED
            self._work.conclude(entry, records.Result(state, "", tried.request_id))
        return tried

    def _intended(self, stage: Stage, number: int, call: Call) -> int:
        """Journal a check's call if it would make a thing. Return the entry's number, or 0."""
        work, check = self._work, stage.checkpoint[number]
        try:
            require_own(work, call)
        except NotOwn as error:
            raise NotOwn(f"The check “{check.says}”: {error.message}", error.hint) from error
        thing = thing_made(call, {}, work.place_of(call.identity))
        if thing is None or KINDS[thing.kind].parent or not thing.complete:
            return 0
        intent = records.Intent(
            stage=stage.id,
            step=-1 - number,
            title=check.says,
            thing=thing,
            undo=(thing.removal,),
            **shared(work.calls.shown(call), records.Intent),
        )
        return work.journal.intend(work.run.id, intent)

    def _called(self, check: Check, call: Call) -> Outcome:
        calls, self.answer, self.allowing = self._work.calls, {}, ()
        try:
            outcome = calls.make(call, expected=check.fails)
        except CredentialsError as error:
            if calls.administers(check.identity):
                raise
            return Refusal("NoCredentials", error.message)
        if isinstance(outcome, Answer):
            calls.learn(outcome.data)
            clean = calls.clean(outcome.data)
            if call.service in HOME:  # of others it is not known which members are secrets
                self.answer = clean
            return replace(outcome, data=clean)
        return outcome

    def _judged(self, check: Check, outcome: Outcome, scope: Data) -> _Try:
        if isinstance(outcome, Lost):
            return _Try(f"no answer came: {outcome.text}")
        if isinstance(outcome, Refusal):
            reason = self._tell(outcome) if outcome.code in check.fails else None
            key = check.key and _sentence(check.key, scope)
            return _refused(replace(check, key=key), outcome, reason)
        if check.fails:
            why = f"the call succeeded, but should have been refused: {' or '.join(check.fails)}"
            tried = _Try(why, request_id=outcome.request_id)
            reason = self._tell(outcome)
            allowing = reason.allowing if reason else ()
            self.allowing = foreign(allowing, self._work.past.entries()) or allowing
        else:
            tried = _answered(check, outcome, scope)
            if tried.why:
                allowing = simulated(resolve(check.params, scope), outcome.data)
                self.allowing = foreign(allowing, self._work.past.entries())
        by = told(self.allowing)
        return replace(tried, why=f"{tried.why}. {by}") if by else tried

    def _emit(self, record: CheckRecord, check: Check, why: str, earlier: Earlier = NEVER) -> None:
        held_at, changed_by = NEVER if record.held else earlier
        finished = CheckFinished(
            because=_sentence(check.because or "", self._scope()),
            why=self._work.calls.clean_text(why),
            held_at=held_at,
            changed_by=changed_by,
            **shared(record, CheckFinished),
        )
        self._work.calls.emit(finished)


def _refused(check: Check, refusal: Refusal, reason: Reason | None) -> _Try:
    right, wanted = refusal.code in check.fails, " or ".join(check.fails)
    should = f"{wanted} was expected" if wanted else "the call should succeed"
    why = f"{'AWS' if refusal.status else 'The SDK'} answered {refusal.code}, where {should}"
    wrong = mismatch(check, refusal.code, reason) if right else why
    gates = reason.gates if reason else ()
    message, request = in_short(refusal.message), refusal.request_id
    return _Try(wrong, message, refusal.code, not wrong, request, gates)


def _answered(check: Check, answer: Answer, scope: Data) -> _Try:
    expect = check.expect
    if expect is None:
        return _Try("", "the call succeeded", request_id=answer.request_id)
    try:
        held = truthy(evaluate(expect, answer.data, scope))
        why = "" if held else f"not true: {_sentence(expect, scope).strip()}"
    except UnresolvedReference as error:
        why = error.message
    proof = compared(expect, answer.data, shown=check.service in HOME)
    return _Try(why, proof, request_id=answer.request_id)


def _sentence(text: str, scope: Data) -> str:
    """A sentence with its expressions resolved, or unchanged if one is unknown."""
    return str(as_known(text, scope))


# -- whether a run ever made the thing that its cleanup stage says is gone -----------------------
# The absence of a role that never existed proves nothing.

# The kinds of things that a listing of a thing's children shows, by its call.
_LISTED: Mapping[str, frozenset[str]] = {
    f"{kind.service}.{child.listing}": frozenset({removed.id})
    for kind in KINDS.values()
    for child in kind.children
    if (removed := BY_REMOVAL.get(f"{kind.service}.{child.removals[0].operation}"))
}


def was_made(work: Work, check: Check, params: Data, scope: Data) -> bool:
    """Whether the run made the thing that the check's call looks for, and the call's identity."""
    made = [entry for entry in work.past.entries() if entry.state in (*MADE, EntryState.UNDONE)]
    profiles = {entry.intent.profile for entry in made} | {*(work.run.profiles if made else ())}
    if not check.call:
        return not profiles.isdisjoint(check.profiles_gone)
    if check.identity not in {ADMIN, *work.run.accounts, *profiles}:
        return False
    things = [thing for entry in made for thing in work.things_of(entry)]
    kinds = {kind.id for kind in KINDS.values() if f"{kind.service}.{kind.look}" == check.call}
    listed = _LISTED.get(check.call, frozenset())
    if kinds | listed:
        made_so = any(thing.kind in kinds | listed and _is(thing, params) for thing in things)
        return made_so or (bool(listed) and _in_another_form(work.past))
    names = [name for thing in things for name in thing.names.values()]
    named = texts([params, _sentence(check.expect or "", scope)])
    return all(any(name in text for name in names) for text in named if work.run.id in text)


def _in_another_form(past: Past) -> bool:
    """Whether a stage holds that was done by hand, without any thing that the lab would make."""
    begun = past.every(records.Entered)
    by_hand = {entered.stage for entered in begun if entered.how is records.How.HAND}
    return bool((past.held() & by_hand) - {entry.intent.stage for entry in past.entries()})


def _is(thing: Thing, params: Data) -> bool:
    """Whether a lookup with these parameters is for this thing."""
    names = KINDS[thing.kind].look_names
    return all(thing.names.get(name) == params[name] for name in names if name in params)


# -- the proof of a claim, in short --------------------------------------------------------------

LONGEST = 400
_PATHS = {"field", *FIRST_CHILD_ONLY} - {"pipe"}


def compared(expression: str, data: Data, *, shown: bool = True) -> str:
    """``Arn = arn:…`` for each path into the response that the expression compares.

    Only the names unless ``shown``: of other services it is not known which members are secrets.
    """
    tree, _ = query(expression)
    body = data.get("Body")
    if isinstance(body, str):  # an object's content is kept out of journals and reports
        data = {**data, "Body": f"({len(body)} characters)"}
    found = {_written(path): _told(_found(path, data)) for path in _paths(tree)}
    if not shown:
        names = ", ".join(filter(None, found))
        return f"{names} (the values are not kept)" if names else "it holds"
    parts = (f"{name} = {value}" if name else value for name, value in found.items())
    text = "; ".join(parts) or "it holds"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _told(value: object) -> str:
    """The value; of a long list of the same values, how many there are."""
    if isinstance(value, list) and len(value) > _FEW and value.count(value[0]) == len(value):
        return f"{len(value)} times {text_or_json(value[0])}"
    return text_or_json(value)


def _paths(tree: Tree) -> Iterator[Tree]:
    """The outermost paths in a tree, in order."""
    if tree["type"] in _PATHS:
        yield tree
    elif tree["type"] != "expref":
        for child in tree.get("children", [])[: 1 if tree["type"] == "pipe" else None]:
            yield from _paths(child)


def _written(tree: Tree) -> str:
    """The dotted name of a path."""
    if tree["type"] == "field":
        return str(tree["value"])
    filtered = tree["type"] == "filter_projection"  # its last child is the condition
    children = tree["children"][:-1] if filtered else tree["children"]
    names = [_written(child) for child in children if child["type"] in _PATHS]
    return ".".join(filter(None, names))


def _found(tree: Tree, data: Data) -> object:
    with suppress(UnresolvedReference):  # one in the middle of the path is not resolved here
        return searched(tree, data, "")
    return None
