"""Tries labs out, each from its first stage to its last, in an account that is thrown away."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.accounts import Open, sandbox_target
from stslab.cli.describing import describer
from stslab.cli.labs.learner import Tried, faults, tasks
from stslab.cli.labs.mutation import Note, wrong_cells
from stslab.errors import CheckFailed, InvalidLab, StslabError, UndoIncomplete
from stslab.home import Home
from stslab.lab.checking.catalogue import Catalogue
from stslab.lab.model import Lab
from stslab.runner.events import CheckFinished, Event
from stslab.runner.journal.records import UNFINISHED, How
from stslab.runner.journal.store import Journal
from stslab.runner.ports import SystemClock
from stslab.runner.undo.cleanup import Cleanup


@dataclass(frozen=True, slots=True)
class Claim:
    """A check of the lab, and how it went: ``held`` is None where it was not reached."""

    stage: str
    says: str
    line: int
    held: bool | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
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


class Trials:
    """Tries labs in one throw-away sandbox; ``spec`` lets it rehearse a real account."""

    def __init__(self, home: Home, catalogue: Catalogue, spec: str | None) -> None:
        self._home = home
        self._catalogue = catalogue
        self._spec = spec

    def verdict(self, path: Path) -> Verdict:
        from stslab.lab.loader import load

        try:
            lab = load(path, catalogue=self._catalogue)
        except InvalidLab as invalid:
            return Verdict(path.stem, str(path), invalid)
        self._open()  # its administrator's profile is no lab's
        self._ask("POST", "mark")
        events: list[Event] = []
        with self._rehearsing():
            verdict = self._run(lab, events)
        left = (*self._ask("GET", "changed")["changed"], *self._profiles_left())
        verdict = replace(verdict, left=left, events=tuple(events))
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

    def _run(self, lab: Lab, events: list[Event]) -> Verdict:
        opened, clock, error = self._open(), SystemClock(), None
        began = clock.monotonic()
        with Journal(self._home.journal) as journal:
            describe = describer(lab)
            runner = opened.runner(
                lab, self._home, journal, events.append, describe=describe, how=How.ALONE
            )
            run = runner.start_or_resume().run.id
            try:
                for stage in lab.stages:
                    runner.run_stage(stage.id)
            except StslabError as stopped:
                error = stopped
            if runner.run.state in UNFINISHED:
                cleanup = Cleanup(
                    journal, opened.account, opened.profiles, events.append, describe=describer(lab)
                )
                error = _cleaned(cleanup, run) or error
            finished = runner.finish()
        return Verdict(
            lab.id,
            str(lab.path),
            error,
            claims=tuple(_claims(lab, events)),
            calls=finished.calls,
            seconds=clock.monotonic() - began,
        )

    def _open(self) -> Open:
        made = sandbox_target(self._home)
        opened = made.open(self._home.profiles(made.info.name))
        return Open(made, opened.account, opened.profiles)

    def _ask(self, method: str, verb: str) -> Mapping[str, Any]:
        """Let the account remember how it is, and tell later what has changed."""
        from stslab.sandbox.server import client

        return client.control(self._home.sandbox, method, verb)

    def _profiles_left(self) -> tuple[str, ...]:
        names = self._open().profiles.names()
        return tuple(f"profile {name} is left" for name in names if name not in _ADMINS)

    @contextmanager
    def _rehearsing(self) -> Iterator[None]:
        """From its beginning for each lab, so that one has no influence on the next."""
        from stslab.sandbox.server import client

        if self._spec is None:
            yield
            return
        client.rehearse(self._home.sandbox, self._spec)
        try:
            yield
        finally:
            client.rehearse(self._home.sandbox, None)


_OTHERWISE = "the `changes` of the stages say otherwise"
_ADMINS = frozenset({"admin", "default", "partner"})


@contextmanager
def throw_away_home() -> Iterator[Home]:
    """A state folder, and the sandbox in it, that are gone afterwards."""
    from stslab.sandbox.server import client

    home = Home(Path(tempfile.mkdtemp(prefix="stslab-test-")))
    try:
        yield home
    finally:
        client.stop(home.sandbox)
        shutil.rmtree(home.root, ignore_errors=True)


def tried(path: Path, spec: str | None) -> Verdict:
    """Try the lab in this file, in a sandbox of its own."""
    with throw_away_home() as home:
        return Trials(home, BotocoreCatalogue(), spec).verdict(path)


def _claims(lab: Lab, events: Iterable[Event]) -> Iterator[Claim]:
    """Every check of the lab, as it went last."""
    told = {(one.stage, one.says): one for one in events if isinstance(one, CheckFinished)}
    for stage in lab.stages:
        for check in stage.checkpoint:
            found = told.get((stage.id, check.says))
            held, why = (found.held, found.why) if found else (None, "")
            yield Claim(stage.id, check.says, check.line, held, why)


def _cleaned(cleanup: Cleanup, run: str) -> StslabError | None:
    try:
        cleanup.run(run)
    except StslabError as error:
        return error
    return None
