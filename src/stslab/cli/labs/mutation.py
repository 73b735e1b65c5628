"""Plays a lab and its mutants, to see which of them a check or a cell of the access table notices.

Everything is played by the runner itself, in an account inside this process.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.inside import InsideAccount
from stslab.errors import StslabError
from stslab.lab.loader import load
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lesson import access
from stslab.lesson.mutants import OF_CONTENT, UNDO, Mutant, mutants
from stslab.runner.events import Event, StepFailed
from stslab.runner.ports import ADMIN
from stslab.runner.run.run import Runner
from stslab.sandbox.rehearsal.lag import Lag
from stslab.sandbox.rehearsal.spec import parse
from stslab.sandbox.state.snapshot import View

Place = tuple[str, int]
"""A stage's id, and the number of a step or check in it, from 0."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass
class Played:
    """How a lab went. ``failed`` are checks that did not hold.

    ``cells`` are those that did not fit (stage, row, who), and how each was decided.

    ``stopped`` are the steps that failed, with the code; ``left`` is what cleanup left.
    """

    failed: set[Place] = field(default_factory=set)
    cells: dict[tuple[str, str, str], str] = field(default_factory=dict)
    stopped: dict[Place, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    @property
    def noticed(self) -> bool:
        return bool(self.failed or self.cells)


def play(lab: Lab, account: InsideAccount, keeps: str = "") -> Played:
    """Play the lab from its first stage to its last; what fails stops nothing."""
    account.begin(keeps=keeps)
    played = Played()
    codes: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepFailed):
            codes.append(event.code)

    with account.running(lab, hear) as runner:
        done: list[str] = []
        for stage in lab.stages:
            for number in range(len(stage.steps)):
                codes.clear()
                try:
                    runner.do(stage, number)
                except StslabError as error:
                    played.stopped[stage.id, number] = codes[-1] if codes else type(error).__name__
            played.failed |= set(_failing(runner, stage))
            done.append(stage.id)
            cells = access.table(lab, done, runner.scope(), account.decide)
            for cell in () if stage.cleanup else cells:
                wrong_gate = cell.expected.by and cell.verdict.by != cell.expected.by
                if not cell.fits or wrong_gate:
                    by = ", ".join(cell.verdict.by)
                    said = "allowed" if cell.verdict.allowed else f"refused ({by})"
                    played.cells[stage.id, cell.cell, cell.who] = said
    played.left = tuple(account.control("GET", "changed")["changed"])
    return played


def wrong_cells(lab: Lab) -> Mapping[tuple[str, str, str], str]:
    """The cells of the access table that are not as the stages say, and how each was decided."""
    return play(lab, InsideAccount()).cells if lab.access else {}


def idle_waits(lab: Lab, account: InsideAccount) -> Iterator[Step | Check]:
    """The steps and checks whose `within` waits for nothing, though IAM's changes take long.

    New keys and users are known from the next stage on, roles and policies never: another stage's
    checks may only have asked IAM for them. Nothing is said of what IAM or another service answers
    the administrator: that is always the newest.
    """
    account.begin()
    with account.running(lab, lambda _: None) as runner:
        always = Lag(parse("roles=600s,policies=600s"))
        account.inside.state.watch(always.notice)
        for stage in lab.stages:
            lately = Lag(parse("keys=600s,users=600s"))
            unwatch = account.inside.state.watch(lately.notice)

            def older(view: View, lately: Lag = lately) -> View:
                return always.seen(lately.seen(view))

            for number, step in enumerate(stage.steps):
                do = partial(runner.do, stage, number)
                if _is_idle(step, do, account, older):
                    yield step
                do()
            if stage.cleanup:
                tuple(_failing(runner, stage))
            for number, check in enumerate(stage.checkpoint):
                if _is_idle(check, partial(_holds, runner, stage, number), account, older):
                    yield check
            unwatch()


def _is_idle(
    part: Step | Check,
    attempt: Callable[[], object],
    account: InsideAccount,
    seen: Callable[[View], View],
) -> bool:
    """Whether what has a `within` comes about at once, with requests judged by an older view."""
    administers = part.identity in (ADMIN, *account.target.accounts)
    if not part.within or (administers and part.service != "sts"):
        return False
    judge = account.inside.judge
    newest, judge.seen = judge.seen, seen
    try:
        return attempt() is not False
    except StslabError:
        return False
    finally:
        judge.seen = newest


def _holds(runner: Runner, stage: Stage, number: int) -> bool:
    return runner.prove(stage, number).held


def _failing(runner: Runner, stage: Stage) -> Iterator[Place]:
    """The checks of a stage that do not hold; a cleanup stage undoes everything first."""
    if stage.cleanup:
        try:
            records = runner.clean_up(stage)
        except StslabError:  # something is left: the checks say what
            pass
        else:
            yield from ((one.stage, one.number) for one in records if not one.held)
            return
    for number in range(len(stage.checkpoint)):
        try:
            held = _holds(runner, stage, number)
        except StslabError:
            held = False
        if not held:
            yield stage.id, number


def is_viable(mutant: Mutant, played: Played) -> bool:
    """Whether there is such a lab: AWS takes the call, and what is not undone is left."""
    code = played.stopped.get((mutant.stage, mutant.step), "")
    if mutant.kind == UNDO:
        return bool(played.left)
    return mutant.kind not in OF_CONTENT or not code or code in _DENIED


@dataclass(frozen=True, slots=True)
class Note:
    """What a lab does not notice, or need: by ``rule`` its author may allow it in ``line``.

    ``could`` is what would notice it.
    """

    rule: str
    line: int
    what: str
    could: str = ""


@dataclass(frozen=True, slots=True)
class Mutated:
    """How some of a lab's mutants went. ``failed`` are the checks that noticed one."""

    mutants: int = 0
    unnoticed: tuple[Note, ...] = ()
    failed: frozenset[Place] = frozenset()

    def __add__(self, other: "Mutated") -> "Mutated":
        return Mutated(
            self.mutants + other.mutants,
            (*self.unnoticed, *other.unnoticed),
            self.failed | other.failed,
        )


def mutated(path: Path, share: int, of: int) -> Mutated:
    """Play one of ``of`` shares of a lab's mutants; the first looks at each `within` too."""
    catalogue = BotocoreCatalogue()
    lab, account = load(path, catalogue=catalogue), InsideAccount()
    found = Mutated()
    for mutant in islice(mutants(lab, partial(_required, catalogue)), share, None, of):
        played = play(mutant.lab, account, mutant.keeps)
        if is_viable(mutant, played):
            note = Note(mutant.rule, mutant.line, mutant.what, mutant.could)
            unnoticed = () if played.noticed else (note,)
            found += Mutated(1, unnoticed, frozenset(played.failed))
    waits = idle_waits(lab, account) if share == 0 else ()
    return found + Mutated(0, tuple(Note("idle-within", one.line, _idle(one)) for one in waits))


def idle_checks(lab: Lab, failed: frozenset[Place]) -> Iterator[Note]:
    """The checks that no mutant has failed."""
    for stage in lab.stages:
        for number, check in enumerate(stage.checkpoint):
            if (stage.id, number) not in failed:
                yield Note("idle-check", check.line, check.says)


def _idle(part: Step | Check) -> str:
    said = part.says if isinstance(part, Check) else part.title
    return f"“{said}”: without its `within`"


def _required(catalogue: BotocoreCatalogue, call: str) -> frozenset[str]:
    found = catalogue.operation(*call.split(".", 1))
    return frozenset(found.input.required) if found and found.input else frozenset()
