"""``stslab break``: choose a fault, plant it, help with it, and say what a fix still lacks."""

import hashlib
import secrets
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from stslab.cli.accounts import OpenAccount, open_account
from stslab.cli.failures import GOES_ON, interruptible
from stslab.cli.options import SANDBOX, USUAL_LAB, Where
from stslab.cli.run.consent import introduce
from stslab.cli.run.exercises import FaultExercise
from stslab.cli.run.faults import DECLARE, offered
from stslab.cli.run.loop import Loop
from stslab.cli.run.prompt import Quit
from stslab.cli.workspace import Workspace, meant_lab, open_workspace
from stslab.durations import spoken
from stslab.errors import RunError, UsageError
from stslab.lab.model import Lab
from stslab.lesson import access
from stslab.lesson.faults import Faults
from stslab.lesson.verdict import UNKNOWN
from stslab.render.lesson.scenes import heading
from stslab.render.report.text import result
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line
from stslab.runner.journal.records import Broken, FaultState, How, RunFault
from stslab.runner.report import fault_of
from stslab.structures import beside, said

_ANOTHER = "Undo the set-up: stslab cleanup. Then try another one: stslab break"


def _draw_fixed(paper: Paper, exercise: FaultExercise) -> None:
    """Draw what it was, and a line to share that does not give it away."""
    fault = fault_of(exercise.here.runner.past)
    if fault is None:
        return
    heading(paper, f"Fixed in {spoken(fault.seconds or 0.0)}", fault.asked)
    if fault.where:
        paper.prose(one_line(f"It was {fault.where}."), indent=1)
    else:
        paper.prose("This fixes it:", indent=1)
        exercise.fill_in(*exercise.fix())
        paper.command(exercise.elsewhere, indent=3)
    paper.prose("To share:", indent=1, apart=True)
    for line in (f"stslab break {exercise.here.lab.id} {fault.asked}", result(fault)):
        paper.whole(f"   {line}", "bold")


def begin(name: str, asked: str) -> None:
    """Continue with the planted fault, or plant one; once it is fixed, undo everything."""
    lab, command = meant_lab(name or USUAL_LAB, SANDBOX), "stslab break"
    with open_workspace(command, lab=lab) as workspace, interruptible(command):
        opened = open_account(workspace.home, Where())
        stands = _stands(workspace, opened, lab, asked)
        introduce(workspace, opened, lab)
        loop = Loop(workspace, opened, lab, How.BREAK)
        loop.lacks = ("skip", "status")
        if stands is None:
            asked = asked or f"--seed {secrets.randbelow(10_000)}"
            loop.screen.say("Looking for things that can be broken and fixed again ...")
            stands = Broken(chosen(lab, offered(lab), asked), FaultState.CHOSEN, asked)
            loop.runner.start_or_resume()
            loop.runner.note(stands)
        loop.runner.start_or_resume()
        faults, paper = loop.here.faults(), workspace.paper
        if stands.state not in (FaultState.PLANTED, FaultState.FIXED):
            stands = _planted(loop, faults, stands)
        exercise = FaultExercise(loop.here, faults, stands)
        if stands.state is FaultState.PLANTED:
            loop.stage = lab.stage(stands.fault.after)
            loop.verdict = exercise.asked.verdict if exercise.asked else UNKNOWN
            try:
                loop.work(exercise)
            except Quit:
                paper.prose(GOES_ON.format(command))
                return
        loop.screen.page(partial(_draw_fixed, exercise=exercise))
        paper.prose("Undoing everything ...", apart=True)
        opened.cleanup(workspace.journal, lambda _: None).run(loop.runner.run.id)
        paper.line("done", "Everything is undone.")


def _stands(workspace: Workspace, opened: OpenAccount, lab: Lab, asked: str) -> Broken | None:
    """The fault of the unfinished run, or None if there is no such run."""
    for run in workspace.journal.unfinished(opened.target.info.name, lab.id):
        if not opened.goes_on(run) or run.instance != opened.target.info.instance:
            continue
        states = workspace.journal.past(run.id).broken()
        if not states:
            raise UsageError(*said(beside(__file__, "refused.yaml"), "unfinished", run=run.id))
        if asked and asked != states[-1].asked:
            known = states[-1].asked
            raise UsageError(*said(beside(__file__, "refused.yaml"), "another fault", asked=known))
        return states[-1]
    return None


def _planted(loop: Loop, faults: Faults, stands: Broken) -> Broken:
    """Make the rest of the set-up, and break it."""
    runner, fault = loop.runner, stands.fault
    if stands.state is FaultState.PLANTING:  # planting was interrupted
        faults.fix(fault)
    for stage in loop.lab.stages:
        if stage.id not in runner.stages_done:
            loop.screen.say(f"{stage.title} ...")
            runner.run_stage(stage.id)
        if stage.id == fault.after:
            break
    found = next((each for each in faults.there(fault.after) if each.id == fault.id), None)
    if found is None:
        raise RunError(f"There is no fault {fault.id} here.", _ANOTHER)
    fault = replace(found, title=fault.title, cells=fault.cells)
    before, policies = faults.table(), faults.policies()
    stands = replace(stands, fault=fault, state=FaultState.PLANTING, at="")
    runner.note(stands)
    faults.plant(fault)
    if access.changed(before, faults.table()) != {*fault.cells}:
        faults.fix(fault)
        other = "The fault has other effects here than in its proof, so it was removed."
        raise RunError(other, _ANOTHER)
    runner.note(replace(faults.diagnosed(stands, policies), state=FaultState.PLANTED, at=""))
    return runner.past.broken()[-1]


# -- which fault -----------------------------------------------------------------------------------


def chosen(lab: Lab, faults: Sequence[RunFault], asked: str) -> RunFault:
    """The fault for ``asked``, a flag and its value."""
    flag, value = asked.split(" ", 1)
    if not faults:
        raise UsageError(f"The lab {lab.id} has no fault that can be proved.", DECLARE)
    if flag == "--seed":
        number = int.from_bytes(hashlib.sha256(f"{lab.id} {value}".encode()).digest()[:8])
        return faults[number % len(faults)]
    for fault in faults:
        if fault.id == value:
            return fault
    message = f"The lab {lab.id} has no fault {value}."
    raise UsageError(message, "List its faults: stslab break --list")
