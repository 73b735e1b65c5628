"""Run a lab's mutants in memory, and see which of them a check or a cell of `access` notices."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial, reduce
from itertools import islice
from pathlib import Path

import msgspec

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import InMemoryAccount
from stslab.errors import StslabError
from stslab.lab.embedded import embedded_only
from stslab.lab.loader import load
from stslab.lab.model import DENIALS, Check, Lab, Stage, Step
from stslab.lesson import access
from stslab.lesson.evidence import call_of
from stslab.lesson.mutants import OF_CONTENT, UNDO, mutants
from stslab.runner.run.run import Runner
from stslab.sandbox.rehearsal.rehearsal import Lag
from stslab.sandbox.rehearsal.spec import parse
from stslab.sandbox.state.snapshot import View
from stslab.vocabulary import ADMIN

Place = tuple[str, int]  # a stage's id, and the number of a step or check in it, from 0


class Played(msgspec.Struct):
    failed: set[Place] = set()  # checks that did not hold
    # The decisions of the cells (stage, row, who) that were not as expected.
    cells: dict[tuple[str, str, str], str] = {}
    stopped: dict[Place, str] = {}  # error codes of steps that failed
    left: tuple[str, ...] = ()  # things that cleanup left


def play(lab: Lab, account: InMemoryAccount, keeps: str = "") -> Played:
    """Run the lab from its first stage to its last, past failures."""
    account.begin(keeps=keeps)
    played = Played()
    with account.running(lab, lambda _: None) as runner:
        done: list[str] = []
        for stage in lab.stages:
            for number in range(len(stage.steps)):
                try:
                    runner.do(stage, number)
                except StslabError as error:
                    code = getattr(error.__cause__, "code", type(error).__name__)  # a StepError's
                    played.stopped[stage.id, number] = code
            played.failed |= set(_failing(runner, stage))
            done.append(stage.id)
            cells = access.table(lab, done, runner.scope(), account.decide)
            for cell in () if stage.cleanup else cells:
                wrong_gate = cell.expected.by and cell.verdict.by != cell.expected.by
                if not cell.fits or wrong_gate:
                    by = ", ".join(cell.verdict.by)
                    decision = "allowed" if cell.verdict.allowed else f"refused ({by})"
                    played.cells[stage.id, cell.cell, cell.who] = decision
    played.left = tuple(account.control("GET", "changed")["changed"])
    return played


def waits(lab: Lab, account: InMemoryAccount) -> Iterator["Note"]:
    """Each needless `within` and each missing one, found with IAM's changes spreading late."""
    account.begin()
    with account.running(lab, lambda _: None) as runner:

        def holds(stage: Stage, number: int) -> bool:
            return runner.prove(stage, number).held

        def may(step: Step) -> bool | None:
            return account.decide(call_of(step, runner.scope())).allowed

        spreading = _Spreading(account, real=not embedded_only(lab))
        for stage in lab.stages:
            with spreading.watched("keys=600s,users=600s") as spreading.lately:
                for number, step in enumerate(stage.steps):
                    yield from spreading.notes(step, partial(may, step))
                    with spreading.change():
                        runner.do(stage, number)
                with spreading.change():
                    tuple(_failing(runner, stage) if stage.cleanup else ())
                for number, check in enumerate(stage.checkpoint):
                    yield from spreading.notes(check, partial(holds, stage, number))


class _Spreading:
    """The lab's changes that IAM may not have spread yet.

    New keys and users count as known from the next stage on. Roles and policies never do: the
    checks of another stage may only have read them from IAM. No `within` has waited for the
    changes in ``_unknown``, which matters on a ``real`` account.
    """

    def __init__(self, account: InMemoryAccount, *, real: bool) -> None:
        self._account, self._real = account, real
        self.lately: list[Lag] = []
        self._changes: list[Lag] = []
        self._unknown: list[Lag] = []

    @contextmanager
    def change(self) -> Iterator[None]:
        with self.watched("roles=600s", "policies=600s") as lags:
            yield
        now = self._account.inside.state.snapshot.now()
        changed = [lag for lag in lags if lag.spreading(now)]
        self._changes += changed
        self._unknown += changed

    @contextmanager
    def watched(self, *specs: str) -> Iterator[list[Lag]]:
        lags = [Lag(parse(spec)) for spec in specs]
        ends = [self._account.inside.state.watch(lag.notice) for lag in lags]
        try:
            yield lags
        finally:
            for end in ends:
                end()

    def notes(self, part: Step | Check, attempt: Callable[[], object]) -> Iterator["Note"]:
        administers = part.identity in (ADMIN, *self._account.target.accounts)
        if administers and part.service != "sts":  # such calls see the newest state
            return
        title = part.says if isinstance(part, Check) else part.title
        needed = [lag for lag in self._unknown if self._is_late(attempt, [lag])]
        self._unknown = [lag for lag in self._unknown if lag not in needed]
        late = needed or self._is_late(attempt, [*self._changes, *self.lately])
        if part.within and not late:
            yield Note("idle-within", part.line, f"“{title}”: without its `within`")
        elif needed and self._real and not part.within:
            what = f"that “{title}” may come before the changes that it needs have spread"
            yield Note("lacks-within", part.line, what, "`within: 60s`, on a real account")

    def _is_late(self, attempt: Callable[[], object], unknown: Sequence[Lag]) -> bool:
        """Whether the attempt fails while these changes are unknown."""
        judge, before = self._account.inside.judge, self._account.inside.state.snapshot
        newest, profiles = judge.seen, self._account.files.held

        def older(view: View) -> View:
            return reduce(lambda known, lag: lag.seen(known), reversed(unknown), view)

        judge.seen = older
        try:
            late = attempt() is False
        except StslabError:
            late = True
        finally:
            judge.seen = newest
        self._account.back_to(before, profiles)  # a call that should be refused may have succeeded
        return late


def _failing(runner: Runner, stage: Stage) -> Iterator[Place]:
    """The checks of a stage that do not hold; a cleanup stage undoes everything first."""
    if stage.cleanup:
        with suppress(StslabError):  # something is left: the checks say what
            records = runner.clean_up(stage)
            yield from ((record.stage, record.number) for record in records if not record.held)
            return
    for number in range(len(stage.checkpoint)):
        held = False
        with suppress(StslabError):
            held = runner.prove(stage, number).held
        if not held:
            yield stage.id, number


class Note(msgspec.Struct, frozen=True):
    """Something that a lab does not notice or need (``rule``); ``could``: what would notice it."""

    rule: str
    line: int
    what: str
    could: str = ""


class Mutated(msgspec.Struct):
    """The results of some of a lab's mutants. ``failed`` are the checks that noticed one."""

    mutants: int = 0
    unnoticed: list[Note] = []
    failed: set[Place] = set()


def mutated(path: Path, share: int, of: int) -> Mutated:
    """Run one of ``of`` shares of a lab's mutants; the first share checks each `within` too."""
    catalogue = BotocoreCatalogue()
    lab, account = load(path, catalogue=catalogue), InMemoryAccount()

    def required(call: str) -> frozenset[str]:
        operation = catalogue.operation(*call.split(".", 1))
        return frozenset(operation.input.required) if operation else frozenset()

    results = Mutated()
    for mutant in islice(mutants(lab, required), share, None, of):
        played = play(mutant.lab, account, mutant.keeps)
        # A valid lab: AWS accepts its calls, and a missing undo leaves things.
        code = played.stopped.get((mutant.stage, mutant.step), "")
        accepted = mutant.kind not in OF_CONTENT or not code or code in DENIALS
        viable = played.left if mutant.kind == UNDO else accepted
        if viable:
            results.mutants += 1
            results.failed |= played.failed
            if not (played.failed or played.cells):
                results.unnoticed.append(Note(mutant.rule, mutant.line, mutant.what, mutant.could))
    results.unnoticed += waits(lab, account) if share == 0 else ()
    return results


def idle_checks(lab: Lab, failed: Collection[Place]) -> Iterator[Note]:
    for stage in lab.stages:
        for number, check in enumerate(stage.checkpoint):
            if (stage.id, number) not in failed:
                yield Note("idle-check", check.line, check.says)
