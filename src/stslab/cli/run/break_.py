"""``stslab break``: a working set-up with one fault in it, to be found and fixed."""

import hashlib
import json
import secrets
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from stslab.cli.names import complete_lab
from stslab.cli.options import Where, json_option
from stslab.errors import RunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.cli.run.loop import Loop
    from stslab.lab.model import Lab
    from stslab.lesson.faults import Faults
    from stslab.runner.journal.records import Broken, Fault

_MANY = 10_000


@click.command("break")
@click.argument("lab", default="", shell_complete=complete_lab)
@click.option("--fault", default="", metavar="ID", help="This fault; --list tells which there are.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N",
              help="The fault of this number: the same for everybody.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="Only list the faults (of all labs).")
@json_option("With --list: a JSON array, on stdout.")
def command(*, lab: str, fault: str, seed: int | None, listed: bool, as_json: bool) -> None:
    """Set up LAB in the embedded account, break one thing, and let you find and fix it.

    You see what a colleague would report. Diagnose it at the prompt or in another terminal, with
    `why`, the log, `stslab simulate` and the aws CLI, and fix it. It counts when everybody may do
    again what they should, and nobody more. Without --fault and --seed, chance decides.
    """
    if listed:
        _list(lab, as_json=as_json)
        return
    if as_json or (fault and seed is not None):
        raise UsageError(
            "--json goes with --list." if as_json else "--fault and --seed do not go together.",
            "See `stslab break --help`.",
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "A person looks for the fault: it needs a terminal.",
            "Without one: stslab break --list; and `stslab test` plays each fault by itself.",
        )
    from stslab.cli.bench import bench, load_lab
    from stslab.cli.failures import Interrupted

    loaded = load_lab(lab or "assume-role")
    asked = f"--fault {fault}" if fault else f"--seed {seed}" if seed is not None else ""
    with bench("stslab break", lab=loaded) as laid:
        try:
            _Breaking(laid, loaded, asked).go()
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted("Stopped.", _GOES_ON) from None


_ANOTHER = "Undo the set-up: stslab cleanup. Then try another one: stslab break"
_GOES_ON = "`stslab break` goes on from here, `stslab cleanup` undoes everything."


def _list(lab: str, *, as_json: bool) -> None:
    from stslab.aws.catalogue import BotocoreCatalogue
    from stslab.lab.loader import load
    from stslab.lab.reading.listing import find
    from stslab.resources import bundled_labs

    rows = []
    for path in [find(lab)] if lab else bundled_labs():
        loaded = load(path, catalogue=BotocoreCatalogue())
        rows += [
            {"id": one.id, "lab": loaded.id, "title": one.title, "derived": one.derived}
            for one in offered(loaded)
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("No fault can be proved: declare one, or add an `access` table.", err=True)
    width = shutil.get_terminal_size().columns
    for row in rows:
        click.echo(f"{row['id']}  ({row['lab']}{', derived' if row['derived'] else ''})")
        click.echo(click.wrap_text(str(row["title"]), width, "  ", "  "))


def offered(lab: "Lab") -> "list[Fault]":
    """The faults that are proved, by their ids."""
    from stslab.cli.inside import proofs

    return sorted((one for _, one in proofs(lab) if one), key=lambda one: one.id)


def chosen(lab: "Lab", faults: "Sequence[Fault]", asked: str) -> "Fault":
    """The fault that ``asked``, a flag and its value, means.

    Raises:
        UsageError: there is no such fault, or none at all.
    """
    flag, value = asked.split(" ", 1)
    if not faults:
        raise UsageError(
            f"The lab {lab.id} has no fault that can be proved.",
            "Declare one in `faults:`; what is derived needs an `access` table.",
        )
    if flag == "--seed":
        number = int.from_bytes(hashlib.sha256(f"{lab.id} {value}".encode()).digest()[:8])
        return faults[number % len(faults)]
    found = next((one for one in faults if one.id == value), None)
    if found is None:
        raise UsageError(
            f"The lab {lab.id} has no fault {value}.", "See which it has: stslab break --list"
        )
    return found


@dataclass
class _Breaking:
    """One fault, from its choice to the cleanup."""

    laid: "Bench"
    lab: "Lab"
    asked: str

    def go(self) -> None:
        """Go on with the fault that is there, or plant one; fixed, everything is undone."""
        from stslab.cli.accounts import open_account
        from stslab.cli.run.lesson import set_up
        from stslab.cli.run.loop import Quit, Skip
        from stslab.lesson.faults import Faults
        from stslab.render.terminal.paper import Paper
        from stslab.runner.journal.records import FaultState, How
        from stslab.sandbox.server.client import control

        opened = open_account(self.laid.home, Where())
        stands = self._stands(opened)
        loop = set_up(self.laid, opened, self.lab, How.BREAK)
        if stands is None:
            stands = self._chosen(loop)
        runner, control = loop.runner, partial(control, self.laid.home.sandbox)
        runner.start_or_resume()
        run = runner.run.id
        faults = Faults(self.lab, runner, opened.account, opened.profiles, loop.decide, control)
        if stands.state is not FaultState.FIXED:
            if stands.state is not FaultState.PLANTED:
                stands = self._planted(loop, faults, stands)
            with suppress(Quit, Skip):
                stands = self._worked(loop, opened, faults, stands)
        if stands.state is FaultState.FIXED:
            Paper(self.laid.console).prose("Everything of it is undone ...")
            opened.cleanup(
                self.laid.home, self.laid.journal, lambda _: None, describe=self.laid.describe
            ).run(run)
            return
        Paper(self.laid.console).prose(_GOES_ON)

    def _stands(self, opened: "Open") -> "Broken | None":
        """The fault of the run that goes on; None where no run does.

        Raises:
            UsageError: the run that goes on has no fault, or another one than was asked for.
        """
        unfinished = self.laid.journal.unfinished(opened.target.info.name, self.lab.id)
        for run in unfinished:
            if not opened.goes_on(run) or run.instance != opened.target.info.instance:
                continue
            told = self.laid.journal.past(run.id).broken()
            if not told:
                raise UsageError(
                    f"Run {run.id} of this lab goes on, and a fault would spoil it.",
                    "End it first: `stslab run`, or `stslab cleanup`.",
                )
            if self.asked and self.asked != told[-1].asked:
                raise UsageError(
                    f"A fault is planted already: {told[-1].asked}.",
                    "Go on with it: stslab break. Or undo it first: stslab cleanup.",
                )
            return told[-1]
        return None

    def _chosen(self, loop: "Loop") -> "Broken":
        from stslab.runner.journal.records import Broken, FaultState

        asked = self.asked or f"--seed {secrets.randbelow(_MANY)}"
        loop.screen.say("Looking for what can be broken, and be fixed again ...")
        fault = chosen(self.lab, offered(self.lab), asked)
        loop.runner.start_or_resume()
        stands = Broken(fault, FaultState.CHOSEN, asked)
        self.laid.journal.write(loop.runner.run.id, stands)
        return stands

    def _planted(self, loop: "Loop", faults: "Faults", stands: "Broken") -> "Broken":
        """Make the set-up, as far as it is not there, and break it.

        Raises:
            RunError: it is not broken as it was in the proof.
        """
        from stslab.lesson import access
        from stslab.runner.journal.records import FaultState
        from stslab.sandbox.api.identifiers import PARTNER

        runner, journal, fault = loop.runner, self.laid.journal, stands.fault
        if stands.state is FaultState.PLANTING:  # it was stopped in the middle
            faults.fix(fault)
        for stage in self.lab.stages:
            if stage.id not in runner.stages_done:
                loop.screen.say(f"{stage.title} ...")
                runner.run_stage(stage.id)
            if stage.id == fault.after:
                break
        there = faults.there(fault.after, PARTNER)
        here = next((one for one in there if one.id == fault.id), None)
        if here is None:
            raise RunError(f"There is no fault {fault.id} here.", _ANOTHER)
        fault = replace(here, title=fault.title, cells=fault.cells)
        before, policies = faults.table(), faults.policies()
        stands = replace(stands, fault=fault, state=FaultState.PLANTING)
        journal.write(runner.run.id, stands)
        faults.plant(fault)
        if access.changed(before, faults.table()) != {*fault.cells}:
            faults.fix(fault)
            raise RunError(
                "The fault does here what it did not do in its proof, so it was taken out.",
                _ANOTHER,
            )
        told = faults.diagnosed(fault, policies)
        stands = replace(
            stands, state=FaultState.PLANTED, gate=told.gate, where=told.where, advice=told.advice
        )
        journal.write(runner.run.id, stands)
        return self.laid.journal.past(runner.run.id).broken()[-1]

    def _worked(self, loop: "Loop", opened: "Open", faults: "Faults", stands: "Broken") -> "Broken":
        """Let the learner work until it is fixed.

        Raises:
            Quit: they leave.
        """
        from stslab.cli.run.faulty import FaultExercise, result
        from stslab.runner.journal.records import FaultState

        loop.follows, loop.stage = True, self.lab.stage(stands.fault.after)
        exercise = FaultExercise(self.laid, opened, loop, faults, stands)
        loop.words = {"why": exercise.draw_why}
        loop.prompt.status = exercise.status
        loop.work(exercise)
        fixed = replace(exercise.stands, state=FaultState.FIXED)
        self.laid.journal.write(loop.runner.run.id, fixed)
        loop.screen.page(lambda paper: result(paper, self.lab, exercise))
        return fixed
