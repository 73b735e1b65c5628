"""``stslab test``: run labs without a learner, and prove that they leave nothing behind."""

import json
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TextIO
from xml.etree.ElementTree import Element

import click
from msgspec import to_builtins
from msgspec.structs import replace

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.bench import load_lab, renderer
from stslab.cli.describing import describer
from stslab.cli.failures import tell
from stslab.cli.labs.mutation import Mutated, Note, idle_checks, mutated
from stslab.cli.labs.trial import Verdict, tried
from stslab.errors import InvalidLab, StslabError
from stslab.lab.loader import load
from stslab.lab.reading.listing import find, labs_in
from stslab.lab.reading.problems import Allowed
from stslab.render.report.junit import Case, add_suite, written
from stslab.render.terminal.console import make_console
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import visible
from stslab.resources import bundled_labs, text_of
from stslab.runner.events import CleanupFinished, Event, RunStarted
from stslab.sandbox.rehearsal.spec import parse


def tested(
    labs: tuple[str, ...], spec: str | None, junit: TextIO | None, *, mutate: bool, as_json: bool
) -> int:
    """Test these labs, and print each result. Return the exit code."""
    if spec and "=" not in spec:  # `--rehearse my-lab.yaml`
        labs, spec = (*labs, spec), ""
    verdicts = []
    for verdict in _verdicts(_paths(labs, spec), spec, mutate):
        verdicts.append(verdict)
        if as_json:
            click.echo(json.dumps(_fields(verdict)))
        else:
            _print(verdict)
    if junit:
        junit.write(_junit(verdicts))
    bad = [verdict.exit_code for verdict in verdicts if verdict.exit_code]
    return bad[0] if bad else 0


def _verdicts(paths: list[Path], spec: str | None, mutate: bool) -> Iterator[Verdict]:
    """The verdicts in order. Several labs run at once, each in its own process."""
    if len(paths) == 1 and not mutate:
        yield tried(paths[0], spec)
        return

    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        trials = [pool.submit(tried, path, spec) for path in paths]
        for path, trial in zip(paths, trials, strict=True):
            verdict = trial.result()
            mutating = mutate and not verdict.exit_code
            yield _mutated(verdict, path, pool, workers) if mutating else verdict


def _mutated(verdict: Verdict, path: Path, pool: Executor, workers: int) -> Verdict:
    """The verdict with the results of the lab's mutants, except for what its author allows."""
    shares = [pool.submit(mutated, path, share, workers) for share in range(workers)]
    lab, allowed = load(path, catalogue=BotocoreCatalogue()), Allowed(text_of(path))
    results = sum((share.result() for share in shares), Mutated())

    def not_allowed(notes: Iterable[Note]) -> tuple[Note, ...]:
        kept = (note for note in notes if not allowed.has(note.rule, note.line))
        return tuple(sorted(kept, key=lambda note: note.line))

    unnoticed, idle = map(not_allowed, (results.unnoticed, idle_checks(lab, results.failed)))
    return replace(verdict, mutants=results.mutants, unnoticed=unnoticed, idle=idle)


def _paths(labs: tuple[str, ...], spec: str | None) -> list[Path]:
    """The files of the labs. Raises an error for an unknown lab or an invalid rehearsal."""
    if spec:
        parse(spec)
    folders = {name: labs_in(Path(name)) for name in labs if Path(name).is_dir()}
    paths = [path for name in labs for path in folders.get(name) or [find(name)]]
    return paths or list(bundled_labs())


def _print(verdict: Verdict) -> None:
    """Print a line for a lab that passes; for another, everything that happened."""
    if verdict.exit_code == 0:
        claims, calls = counted(len(verdict.claims), "claim"), counted(verdict.calls, "call")
        further = (
            (len(verdict.tasks), "task", "solved"),
            (len(verdict.faults), "fault", "fixed"),
            (verdict.mutants or 0, "mutant", "noticed"),
        )
        parts = [claims, calls, spoken(verdict.seconds), "nothing left"]
        parts += [f"{counted(number, noun)} {how}" for number, noun, how in further if number]
        click.echo(f"passed  {verdict.lab}: {', '.join(parts)}")
        return
    if verdict.left or verdict.error:
        _replay(verdict)
    click.echo(f"FAILED  {verdict.lab} ({verdict.file})")
    for line in (*verdict.left, *_notes(verdict)):
        click.echo(visible(f"        {line}"))
    if verdict.error:
        tell(_without_advice(verdict.error, verdict.file))


def _notes(verdict: Verdict) -> Iterator[str]:
    """The problems with its tasks, faults and mutants, each with its place."""
    for one in verdict.unsolved:
        yield f"{verdict.file}:{one.line}: after {one.stage}, “{one.title}”: {one.why}"
    for note in verdict.unnoticed:
        yield f"{verdict.file}:{note.line}: nobody notices {note.what} [{note.rule}]"
        if note.could:
            yield f"    What could: {note.could}"
    for note in verdict.idle:
        yield f"{verdict.file}:{note.line}: no mutant fails “{note.what}” [{note.rule}]"
    if verdict.unnoticed or verdict.idle:
        yield "To allow one, put this in the line above it: # stslab: allow RULE reason"


def _without_advice(error: StslabError, file: str) -> StslabError:
    """The error without commands for the deleted account, and how to repeat it on a lasting one."""
    if isinstance(error, InvalidLab):
        return error
    shown = StslabError(error.message, f"Repeat it yourself:\n  stslab run {shlex.quote(file)}")
    for note in getattr(error, "__notes__", ()):
        shown.add_note(note)
    return shown


def _replay(verdict: Verdict) -> None:
    if not verdict.events:
        return
    describe = describer(load_lab(verdict.file))
    render = renderer(make_console(sys.stdout), describe, as_json=False)
    for event in verdict.events:
        render(_of_a_gone_account(event))
    render.close()


def _of_a_gone_account(event: Event) -> Event:
    """The event without commands for the account, which is gone."""
    if isinstance(event, RunStarted):
        return replace(event, target="a throw-away account")
    if isinstance(event, CleanupFinished):
        return replace(event, remaining=tuple((thing, "") for thing, _ in event.remaining))
    return event


def _junit(verdicts: Iterable[Verdict]) -> str:
    """JUnit XML: a suite for each lab, a case for each claim, cell, task, fault and mutant."""
    root = Element("testsuites", name="stslab test")
    counts = {"failures": "failure", "errors": "error"}
    for verdict in verdicts:
        add_suite(root, verdict.lab, [*_cases(verdict)], counts, time=f"{verdict.seconds:.3f}")
    return written(root)


def _cases(verdict: Verdict) -> Iterator[Case]:
    outcomes = {True: "", False: "failure", None: "skipped"}
    for claim in verdict.claims:
        yield Case(claim.says, outcomes[claim.held], claim.why)
    for one in (*verdict.cells, *verdict.tasks, *verdict.faults):
        yield Case(f"after {one.stage}: {one.title}", "failure" if one.why else "", one.why)
    for note in (*verdict.unnoticed, *verdict.idle):
        yield Case(f"{note.rule}, line {note.line}: {note.what}", "failure", note.could)
    for left in verdict.left:
        yield Case(left, "failure", "it is left in the account")
    if verdict.error and not any(claim.held is False for claim in verdict.claims):
        yield Case("The lab runs", "error", verdict.error.message)


def _fields(verdict: Verdict) -> dict[str, Any]:
    mutants = {
        "mutants": verdict.mutants,
        "unnoticed": list(map(to_builtins, verdict.unnoticed)),
        "idle_checks": list(map(to_builtins, verdict.idle)),
    }
    return {
        "lab": verdict.lab,
        "file": verdict.file,
        "passed": verdict.exit_code == 0,
        "exit_code": verdict.exit_code,
        "error": verdict.error.message if verdict.error else None,
        "places": list(getattr(verdict.error, "__notes__", ())),
        "left": list(verdict.left),
        "claims": list(map(to_builtins, verdict.claims)),
        "wrong_cells": list(map(to_builtins, verdict.cells)),
        "tasks": list(map(to_builtins, verdict.tasks)),
        "faults": list(map(to_builtins, verdict.faults)),
        "calls": verdict.calls,
        "seconds": round(verdict.seconds, 3),
        **({} if verdict.mutants is None else mutants),
    }
