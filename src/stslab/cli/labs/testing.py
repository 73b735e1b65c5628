"""``stslab test``: run labs without a learner, and prove that they leave nothing behind."""

import json
import os
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO
from xml.etree.ElementTree import Element

import click
import msgspec
from msgspec import to_builtins
from msgspec.structs import asdict, replace

from stslab.cli.accounts import open_account
from stslab.cli.failures import tell
from stslab.cli.in_memory import InMemoryAccount, proofs
from stslab.cli.labs.mutation import Note, Place, idle_checks, mutated, play
from stslab.cli.options import Where
from stslab.cli.workspace import load_lab, renderer
from stslab.durations import counted, spoken
from stslab.errors import CheckFailed, InvalidLab, StslabError, UndoIncomplete
from stslab.home import Home
from stslab.lab.lint import rules_allowed
from stslab.lab.listing import find
from stslab.lab.model import Lab, Stage, Step
from stslab.lab.references import evaluate, resolve
from stslab.lesson.byhand import ByHand, tasks_of
from stslab.lesson.evidence import call_of
from stslab.render.report.junit import Case, add_suite, written
from stslab.render.text.safe import visible
from stslab.resources import bundled_labs, labs_in, text_of
from stslab.runner.calls.waiters import wait
from stslab.runner.events import CheckFinished, CleanupFinished, Event, RunStarted
from stslab.runner.journal.records import UNFINISHED, How
from stslab.runner.journal.store import Journal
from stslab.runner.ports import Answer, Call, Credentials, Refusal
from stslab.runner.run.run import Runner
from stslab.sandbox.rehearsal.spec import parse
from stslab.sandbox.server import client


class Tried(msgspec.Struct, frozen=True):
    """A task, fault or cell, and ``why`` it failed, or ""."""

    stage: str
    title: str
    line: int
    why: str = ""


def tasks(lab: Lab) -> tuple[Tried, ...]:
    """Solve each task of the lab, in order, by the command that its hints end with."""
    if not any(step.task for step in lab.steps):
        return ()
    account = InMemoryAccount()
    with account.running(lab, lambda _: None) as runner:
        return tuple(_Solver(account, runner).tried())


def faults(lab: Lab) -> tuple[Tried, ...]:
    """Plant and fix each fault that the lab declares."""
    proved = {fault.id: proof for fault, proof in proofs(lab)} if lab.faults else {}
    tried = []
    for fault in lab.faults:
        proof = proved[fault.id]
        why = proof if isinstance(proof, str) else "" if fault.hints else "it has no hint"
        tried.append(Tried(fault.after, fault.title, fault.line, why))
    return tuple(tried)


class _Solver(msgspec.Struct):
    """A learner who works by hand: calls the account past the runner."""

    account: InMemoryAccount
    runner: Runner

    def tried(self) -> Iterator[Tried]:
        """Every task with a text, up to the first stage that can't be done."""
        for stage in (each for each in self.runner.lab.stages if not each.cleanup):
            for number, step in enumerate(stage.steps):
                try:
                    why = self._solve(stage, number, step)
                except StslabError as error:
                    why = error.message
                if step.task or why:
                    yield Tried(stage.id, step.task or step.title, step.line, why)
                if why:
                    return
            for number, check in enumerate(stage.checkpoint):
                if not self.runner.prove(stage, number).held:
                    why = "all tasks are done, but this does not hold"
                    yield Tried(stage.id, check.says, check.line, why)
                    return
            self.runner.end_stage(stage, ())  # the tasks of the next count on its cells

    def _solve(self, stage: Stage, number: int, step: Step) -> str:
        """Do a task by hand. Return why it can't be done, or does not count as done; or ""."""
        if number not in {at for at, _ in tasks_of(stage)}:
            self.runner.do(stage, number)
            return ""
        if step.task and self._is_done(stage, number):
            return "it counts as done before anybody did anything"
        if step.task and not step.hints:
            return "it has no hint except the command"
        refused = self._call(step)
        if refused:
            return f"its command is refused: {refused}"
        return "" if self._is_done(stage, number) else "its command does not complete it"

    def _is_done(self, stage: Stage, number: int) -> bool:
        look = ByHand(self.runner, self.account.decide, lambda: ()).look(stage)
        return next(task.done for task in look.tasks if task.number == number)

    def _call(self, step: Step) -> str:
        """Make the step's call, and wait. Return an error code or what was not reached, or ""."""
        outcome = self.account.call(call_of(step, self.runner.scope()))
        if isinstance(outcome, Refusal):
            return outcome.code
        if step.profile and isinstance(outcome, Answer):
            answer = evaluate(step.profile.source, outcome.data, self.runner.scope())
            if keys := Credentials.found_in(answer):
                self.account.files.save(step.profile.name, keys.spoilt(step.profile.spoil))
        if step.wait is None:
            return ""
        params = resolve(step.wait.params, self.runner.scope())
        return wait(self.runner.work, Call(step.identity, step.service, step.wait.waiter, params))


class CheckResult(msgspec.Struct, frozen=True):
    """A check of the lab, and its result: ``held`` is None if it was not reached."""

    stage: str
    says: str
    line: int
    held: bool | None = None
    why: str = ""


class Trial(msgspec.Struct, frozen=True):
    lab: str
    file: str
    error: StslabError | None = None  # what stopped it
    left: tuple[str, ...] = ()  # in the account
    claims: tuple[CheckResult, ...] = ()
    calls: int = 0
    seconds: float = 0.0
    events: tuple[Event, ...] = ()  # in order
    mutants: int | None = None  # how many were run; None: not asked for
    unnoticed: tuple[Note, ...] = ()  # mutants that no check noticed
    idle_checks: tuple[Note, ...] = ()  # checks that noticed no mutant
    tasks: tuple[Tried, ...] = ()  # of work by hand
    faults: tuple[Tried, ...] = ()  # that the lab declares
    wrong_cells: tuple[Tried, ...] = ()  # of the access table

    @property
    def exit_code(self) -> int:
        """The worst exit code: 0 if the lab ran, proved everything, and left nothing."""
        if self.left:
            return UndoIncomplete.exit_code
        if self.error:
            return self.error.exit_code
        return CheckFailed.exit_code if self.unnoticed or self.idle_checks or self.unsolved else 0

    @property
    def unsolved(self) -> tuple[Tried, ...]:
        return tuple(tried for tried in (*self.wrong_cells, *self.tasks, *self.faults) if tried.why)


def tried(path: Path, spec: str | None) -> Trial:
    """Run the lab in this file, in a throw-away account; ``spec`` makes it rehearse."""
    try:
        lab = load_lab(path)
    except InvalidLab as invalid:
        return Trial(path.stem, str(path), invalid)
    with tempfile.TemporaryDirectory(prefix="stslab-test-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder))
        try:
            trial = _tried(lab, home, spec)
        finally:
            client.stop(home.sandbox)
    if trial.error:
        return trial
    wrong = []
    cells = play(lab, InMemoryAccount()).cells if lab.access else {}
    for (stage, name, who), decision in sorted(cells.items()):
        row = lab.access[name]
        why = f"it is {decision}; the `changes` of the stages say otherwise"
        wrong.append(Tried(stage, f"{who} may {row.says}", row.line, why))
    return replace(trial, tasks=tasks(lab), faults=faults(lab), wrong_cells=tuple(wrong))


def _tried(lab: Lab, home: Home, spec: str | None) -> Trial:
    open_account(home, Where())  # first, since it makes the administrator's profile
    client.control(home.sandbox, "POST", "mark")
    if spec is not None:
        client.control(home.sandbox, "POST", "rehearse", {"spec": spec})
    opened = open_account(home, Where())  # again, since it may rehearse now
    events: list[Event] = []
    began, error = time.monotonic(), None
    with Journal(home.journal) as journal:
        runner = opened.runner(lab, journal, events.append, How.ALONE)
        runner.start_or_resume()
        try:
            for stage in lab.stages:
                runner.run_stage(stage.id)
        except StslabError as stopped:
            error = stopped
        if runner.run.state in UNFINISHED:
            try:
                opened.cleanup(journal, events.append).run(runner.run.id)
            except StslabError as stopped:
                error = stopped
        calls = runner.finish().calls
    took = time.monotonic() - began
    if spec is not None:
        client.control(home.sandbox, "POST", "rehearse", {"spec": None})
    names = {*opened.profiles.names()} - {"admin", "default", "partner"}
    profiles = (f"profile {name} is left" for name in sorted(names))
    left = (*client.control(home.sandbox, "GET", "changed")["changed"], *profiles)
    finished = (event for event in events if isinstance(event, CheckFinished))
    last = {(event.stage, event.says): (event.held, event.why) for event in finished}
    claims = tuple(
        CheckResult(stage.id, check.says, check.line, *last.get((stage.id, check.says), ()))
        for stage in lab.stages
        for check in stage.checkpoint
    )
    return Trial(lab.id, str(lab.path), error, left, claims, calls, took, tuple(events))


# -- several labs, and their results ---------------------------------------------------------------


def tested(
    labs: tuple[str, ...], spec: str | None, junit: TextIO | None, *, mutate: bool, as_json: bool
) -> int:
    if spec and "=" not in spec:  # `--rehearse my-lab.yaml`
        labs, spec = (*labs, spec), ""
    if spec:
        parse(spec)  # it raises an error for an invalid rehearsal
    paths = [path for name in labs for path in labs_in(Path(name)) or [find(name)]]
    trials = []
    for trial in _trials(paths or list(bundled_labs()), spec, mutate):
        trials.append(trial)
        if as_json:
            click.echo(json.dumps(to_builtins(_fields(trial))))
        else:
            _print(trial)
    if junit:
        root = Element("testsuites", name="stslab test")
        counts = {"failures": "failure", "errors": "error"}
        for trial in trials:
            add_suite(root, trial.lab, [*_cases(trial)], counts, time=f"{trial.seconds:.3f}")
        junit.write(written(root))
    return next(filter(None, (trial.exit_code for trial in trials)), 0)


def _trials(paths: list[Path], spec: str | None, mutate: bool) -> Iterator[Trial]:
    """The trials in order. Several labs run at once, each in its own process."""
    if len(paths) == 1 and not mutate:
        yield tried(paths[0], spec)
        return
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(tried, path, spec) for path in paths]
        for path, future in zip(paths, begun, strict=True):
            trial = future.result()
            yield _mutated(trial, path, pool, workers) if mutate and not trial.exit_code else trial


def _mutated(trial: Trial, path: Path, pool: Executor, workers: int) -> Trial:
    """The trial with the results of the lab's mutants, except for what its author allows."""
    begun = [pool.submit(mutated, path, share, workers) for share in range(workers)]
    lab, allowed = load_lab(path), rules_allowed(text_of(path))
    shares = [share.result() for share in begun]
    failed = set[Place]().union(*(share.failed for share in shares))

    def not_allowed(notes: Iterable[Note]) -> tuple[Note, ...]:
        kept = (note for note in notes if not allowed(note.rule, note.line))
        return tuple(sorted(kept, key=lambda note: note.line))

    return replace(
        trial,
        mutants=sum(share.mutants for share in shares),
        unnoticed=not_allowed(note for share in shares for note in share.unnoticed),
        idle_checks=not_allowed(idle_checks(lab, failed)),
    )


def _print(trial: Trial) -> None:
    if trial.exit_code == 0:
        claims, calls = counted(len(trial.claims), "claim"), counted(trial.calls, "call")
        parts = [claims, calls, spoken(trial.seconds), "nothing left"]
        for number, noun, how in (
            (len(trial.tasks), "task", "solved"),
            (len(trial.faults), "fault", "fixed"),
            (trial.mutants or 0, "mutant", "noticed"),
        ):
            parts += [f"{counted(number, noun)} {how}"] if number else []
        click.echo(f"passed  {trial.lab}: {', '.join(parts)}")
        return
    if trial.events and (trial.left or trial.error):
        render, _ = renderer(load_lab(trial.file), as_json=False)
        for event in trial.events:  # without commands for the account, which is gone
            if isinstance(event, RunStarted):
                render(replace(event, target="a throw-away account"))
            elif isinstance(event, CleanupFinished):
                render(replace(event, remaining=tuple((thing, "") for thing, _ in event.remaining)))
            else:
                render(event)
        render.close()
    click.echo(f"FAILED  {trial.lab} ({trial.file})")
    for line in (*trial.left, *_notes(trial)):
        click.echo(visible(f"        {line}"))
    if trial.error and not isinstance(trial.error, InvalidLab):  # its account is gone
        trial.error.hint = f"Repeat it yourself:\n  stslab run {shlex.quote(trial.file)}"
    if trial.error:
        tell(trial.error)


def _notes(trial: Trial) -> Iterator[str]:
    for one in trial.unsolved:
        yield f"{trial.file}:{one.line}: after {one.stage}, “{one.title}”: {one.why}"
    for note in trial.unnoticed:
        yield f"{trial.file}:{note.line}: nothing notices {note.what} [{note.rule}]"
        if note.could:
            yield f"    What could notice it: {note.could}"
    for note in trial.idle_checks:
        yield f"{trial.file}:{note.line}: no mutant fails “{note.what}” [{note.rule}]"
    if trial.unnoticed or trial.idle_checks:
        yield "To allow one, put this in the line above it: # stslab: allow RULE reason"


def _cases(trial: Trial) -> Iterator[Case]:
    outcomes = {True: "", False: "failure", None: "skipped"}
    for claim in trial.claims:
        yield Case(claim.says, outcomes[claim.held], claim.why)
    for one in (*trial.wrong_cells, *trial.tasks, *trial.faults):
        yield Case(f"after {one.stage}: {one.title}", "failure" if one.why else "", one.why)
    for note in (*trial.unnoticed, *trial.idle_checks):
        yield Case(f"{note.rule}, line {note.line}: {note.what}", "failure", note.could)
    for left in trial.left:
        yield Case(left, "failure", "it is left in the account")
    if trial.error and not any(claim.held is False for claim in trial.claims):
        yield Case("The lab runs", "error", trial.error.message)


def _fields(trial: Trial) -> dict[str, object]:
    unasked = ("mutants", "unnoticed", "idle_checks") if trial.mutants is None else ()
    members = asdict(trial).items()
    return {name: value for name, value in members if name not in ("events", *unasked)} | {
        "passed": trial.exit_code == 0,
        "exit_code": trial.exit_code,
        "error": trial.error.message if trial.error else None,
        "places": getattr(trial.error, "__notes__", ()),
        "seconds": round(trial.seconds, 3),
    }
