"""``stslab break``: choose a fault, plant it, help with it, and say what a fix still lacks."""

import hashlib
import json
import re
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import takewhile

import click
from msgspec.structs import replace

from stslab.cli.accounts import Open, open_account
from stslab.cli.failures import GOES_ON, goes_on_in, interruptible
from stslab.cli.options import USUAL_LAB, Where
from stslab.cli.run.here import Here
from stslab.cli.run.loop import Loop, set_up
from stslab.cli.run.prompt import Quit, Skip
from stslab.cli.workspace import Workspace, load_lab, open_workspace
from stslab.errors import RunError, StslabError, UsageError
from stslab.kinds.operations import changes
from stslab.lab.model import Lab
from stslab.lab.reading.listing import find
from stslab.lab.references import resolve
from stslab.lesson import access, questions
from stslab.lesson.byhand import called, is_own
from stslab.lesson.evidence import documents_of, renamed
from stslab.lesson.faults import Faults, Remaining
from stslab.lesson.verdict import UNKNOWN
from stslab.render.lesson.scenes import Ticket, draw_remaining, heading
from stslab.render.report.text import result
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import spoken
from stslab.render.text.safe import one_line
from stslab.resources import bundled_labs
from stslab.runner.events import CallShown
from stslab.runner.journal.records import HINT, WHY, Broken, Fault, FaultState, Hint, How
from stslab.runner.ports import Call, Refusal
from stslab.runner.report import ReportedFault, fault_of
from stslab.runner.run.run import Runner
from stslab.sandbox.api.identifiers import PARTNER
from stslab.sandbox.pipeline.log_file import newest_first
from stslab.vocabulary import Gate

_ANOTHER = "Undo the set-up: stslab cleanup. Then try another one: stslab break"
_MANY = 10_000
_ABOUT = {HINT: "hint", WHY: "why"}
_LATER = 0.3  # seconds
# Calls by which a learner tests whether it works: for a session, or an object.
_IS_A_TEST = re.compile(r"sts\.|s3\.\w+Objects?$")
_COMMAND = "This is what fixes it; Enter runs it."


@dataclass
class FaultExercise:
    """A planted fault, until all calls are allowed and refused as they should be."""

    here: Here
    faults: Faults
    stands: Broken
    who: str = "admin"
    command: str = ""
    remaining: Remaining = field(init=False)

    def __post_init__(self) -> None:
        self.remaining = self.faults.remaining(self.stands.fault)
        self.asked = self.faults.broken(self.stands.fault)
        self._seen = self._state()

    @property
    def runner(self) -> Runner:
        return self.faults.runner

    @property
    def title(self) -> str:
        return self.stands.fault.title

    @property
    def done(self) -> bool:
        return self.remaining.done

    def scene(self) -> Ticket:
        shown, answer = self._reported
        heading, place = "A colleague reports", self.stands.asked
        return Ticket(self.title, shown, answer, self.remaining, title=heading, place=place)

    def run(self) -> bool:
        solved = not self.command  # otherwise the last hint has filled in the command
        self.command, self.who = "", "admin"
        self.faults.fix(self.stands.fault)
        self._remember(solved=solved)
        return False

    def hint(self) -> str:
        return self._help(HINT, self.stands.fault.hints or self._reasons()[:2])

    def draw_why(self, paper: Paper) -> None:
        """Draw the ticket with the next reason: gate, place, kind of change, command."""
        reason = self._help(WHY, self._reasons())
        calls = map(_shown, self.stands.fault.fix if self.command else ())
        right = {name: document for call in calls for name, document in documents_of(call).items()}
        right = renamed(right, self.here.names())
        replace(self.scene(), reason=reason, documents=right).draw(paper)

    def _reasons(self) -> tuple[str, ...]:
        """The gate that refuses, the place, and the kind of change."""
        stands, cell = self.stands, self.faults.broken(self.stands.fault)
        place = (f"Look at {stands.where}.", stands.advice) if stands.where else stands.fault.hints
        if cell is None or not stands.gate:
            return "Nothing refuses it; something allows more than it should.", *place
        what, gate = questions.target(self.faults.lab.access[cell.cell]), Gate(stands.gate)
        denies = any(read.gate is gate and read.says == "denies" for read in cell.verdict.gates)
        return f"{questions.refused(gate, cell.who, what, denies=denies)}.", *place

    def _help(self, kind: int, grades: Sequence[str]) -> str:
        """The next grade of a kind of help, journaled; the last one fills in the command."""
        runner, stage = self.runner, self.faults.lab.stage(self.stands.fault.after)
        if stage is None:
            return ""
        grade = runner.past.hinted(stage.id, kind)
        if grade <= len(grades):
            runner.note(Hint(stage.id, kind, grade))
        if grade < len(grades):
            return f"{grades[grade]} (`{_ABOUT[kind]}` again says more.)"
        self.command, self.who = self.fix()
        return _COMMAND

    def fix(self) -> tuple[str, str]:
        """The command of the fix, and its profile."""
        fault = self.stands.fault
        calls = [self.faults.renewal(fault.profile)] if fault.profile else fault.fix
        who = calls[0].identity
        return " && ".join(self.here.command(_shown(call), who) for call in calls), who

    def news(self, paper: Paper) -> None:
        before, was = self.remaining, self._seen
        self._seen = self._state()
        self.remaining = now = self.faults.remaining(self.stands.fault)
        if before == now and was == self._seen:
            return
        if was == self._seen:  # a change may be visible before its line in the log
            time.sleep(_LATER)
            self._seen = self._state()
        self._remember(tried=was != self._seen, opened=bool(now.wide))
        if now.still and now == before:
            paper.prose("Something was changed, but the same things are still broken.")
        elif now.wide and not now.still:
            paper.prose("It works, but more is allowed than before. That is not a fix yet.")
        draw_remaining(paper, now)

    def _remember(self, *, tried: bool = False, opened: bool = False, solved: bool = False) -> None:
        was = self.stands
        self.stands = replace(
            was,
            tries=was.tries + tried,
            opened=was.opened or opened,
            solved=was.solved or solved,
        )
        if self.stands != was:
            self.runner.note(self.stands)

    def _state(self) -> tuple[object, ...]:
        """How many calls changed something, and the profiles: if they change, look again."""
        events = takewhile(
            lambda event: str(event["eventTime"]) > self.stands.at,
            newest_first(self.here.workspace.home.sandbox),
        )
        theirs = (event for event in events if "errorCode" not in event and not is_own(event))
        made = sum(changes(call) and not _IS_A_TEST.match(call) for call in map(called, theirs))
        return made, *map(self.here.opened.profiles.get, self.faults.makers())

    @cached_property
    def _reported(self) -> tuple[str, str]:
        """The command that shows the fault, and its answer."""
        cell = self.asked
        if cell is None:
            return "", ""
        row = self.faults.lab.access[cell.cell]
        params = resolve(row.params, self.runner.scope())
        call = Call(cell.who, row.service, row.operation, params)
        shown = self.here.command(_shown(call), "")
        if cell.verdict.allowed:  # the call may destroy something, so it is not made
            return shown, "It would succeed, and should not."
        try:
            outcome = self.here.opened.account.call(
                call.identity, call.service, call.operation, call.params
            )
        except StslabError as error:
            return shown, error.message
        if isinstance(outcome, Refusal):
            failed = f"An error occurred ({outcome.code}) when calling the {call.operation}"
            return shown, f"{failed} operation: {outcome.message}"
        return shown, "It succeeds."

    def status(self) -> str:
        passed = (datetime.now(UTC) - datetime.fromisoformat(self.stands.at)).total_seconds()
        line = f" {self.stands.asked}   {spoken(max(passed, 0.0))}   why  hint  solve  help"
        return line[: self.here.workspace.paper.width]


def _shown(call: Call) -> CallShown:
    return CallShown(call.identity, call.service, call.operation, call.params)


def fixed(paper: Paper, lab: Lab, fault: ReportedFault, fix: str) -> None:
    """Draw the result: what it was, and a line to share that does not give it away."""
    heading(paper, f"Fixed in {spoken(fault.seconds or 0.0)}", fault.asked)
    if fault.where:
        paper.prose(one_line(f"It was {fault.where}."), indent=1)
    else:
        paper.prose("This fixes it:", indent=1)
        paper.command(fix, indent=3)
    paper.blank()
    paper.prose("To share:", indent=1)
    for line in (f"stslab break {lab.id} {fault.asked}", result(fault)):
        paper.whole(f"   {line}", "bold")
    paper.blank()


def begin(name: str, asked: str) -> None:
    """Continue with the planted fault, or plant one; once it is fixed, undo everything."""
    name = name or USUAL_LAB
    lab, command = load_lab(name), "stslab break"
    goes_on_in(name)
    with open_workspace(command, lab=lab) as workspace, interruptible(command):
        opened = open_account(workspace.home, Where())
        stands = _stands(workspace, opened, lab, asked)
        loop = set_up(workspace, opened, lab, How.BREAK)
        if stands is None:
            asked = asked or f"--seed {secrets.randbelow(_MANY)}"
            loop.screen.say("Looking for things that can be broken and fixed again ...")
            stands = Broken(chosen(lab, offered(lab), asked), FaultState.CHOSEN, asked)
            loop.runner.start_or_resume()
            loop.runner.note(stands)
        loop.runner.start_or_resume()
        faults, paper = loop.here.faults(), workspace.paper
        if stands.state is not FaultState.FIXED:
            if stands.state is not FaultState.PLANTED:
                stands = _planted(loop, faults, stands)
            with suppress(Quit, Skip):
                stands = _worked(loop, faults, stands)
        if stands.state is FaultState.FIXED:
            paper.prose("Undoing everything ...")
            cleanup = opened.cleanup(workspace.journal, lambda _: None, workspace.describe)
            cleanup.run(loop.runner.run.id)
        else:
            paper.prose(GOES_ON.format(command))


def _stands(workspace: Workspace, opened: Open, lab: Lab, asked: str) -> Broken | None:
    """The fault of the unfinished run, or None if there is no such run."""
    for run in workspace.journal.unfinished(opened.target.info.name, lab.id):
        if not opened.goes_on(run) or run.instance != opened.target.info.instance:
            continue
        states = workspace.journal.past(run.id).broken()
        if not states:
            raise UsageError(
                f"Run {run.id} of this lab is unfinished, and a fault would spoil it.",
                "End it first: `stslab run`, or `stslab cleanup`.",
            )
        if asked and asked != states[-1].asked:
            raise UsageError(
                f"A fault is planted already: {states[-1].asked}.",
                "Continue with it: stslab break. Or undo it first: stslab cleanup.",
            )
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
    possible = faults.there(fault.after, PARTNER)
    found = next((each for each in possible if each.id == fault.id), None)
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


def _worked(loop: Loop, faults: Faults, stands: Broken) -> Broken:
    """Let the learner work until it is fixed; Quit if they leave."""
    loop.follows, loop.stage = True, loop.lab.stage(stands.fault.after)
    exercise = FaultExercise(loop.here, faults, stands)
    loop.verdict = exercise.asked.verdict if exercise.asked else UNKNOWN
    loop.words, loop.lacks = {"why": exercise.draw_why}, ("skip", "status")
    loop.prompt.status = exercise.status
    loop.work(exercise)
    stands = replace(exercise.stands, state=FaultState.FIXED)
    loop.runner.note(stands)
    fault = fault_of(loop.runner.past)
    if fault:
        loop.screen.page(lambda paper: fixed(paper, loop.lab, fault, exercise.fix()[0]))
    return stands


# -- which fault -----------------------------------------------------------------------------------


def list_faults(lab: str, *, as_json: bool) -> None:
    rows = []
    for path in [find(lab)] if lab else bundled_labs():
        loaded = load_lab(path)
        if sys.stderr.isatty():
            click.echo(f"{loaded.id}: proving which faults can be found and fixed ...", err=True)
        rows += [
            {"id": fault.id, "lab": loaded.id, "title": fault.title, "derived": fault.derived}
            for fault in offered(loaded)
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


def offered(lab: Lab) -> list[Fault]:
    from stslab.cli.in_memory import proofs

    proved = [proof for _, proof in proofs(lab) if not isinstance(proof, str)]
    return sorted(proved, key=lambda fault: fault.id)


def chosen(lab: Lab, faults: Sequence[Fault], asked: str) -> Fault:
    """The fault for ``asked``, a flag and its value."""
    flag, value = asked.split(" ", 1)
    if not faults:
        raise UsageError(
            f"The lab {lab.id} has no fault that can be proved.",
            "Declare one in `faults:`; derived ones need an `access` table.",
        )
    if flag == "--seed":
        number = int.from_bytes(hashlib.sha256(f"{lab.id} {value}".encode()).digest()[:8])
        return faults[number % len(faults)]
    found = next((fault for fault in faults if fault.id == value), None)
    if found is None:
        raise UsageError(
            f"The lab {lab.id} has no fault {value}.", "List its faults: stslab break --list"
        )
    return found
