"""``stslab cleanup``: undo runs and prove it; sweep an account for leftovers."""

from collections.abc import Sequence
from functools import partial

from stslab.aws.command import describer
from stslab.aws.target import name_of, selecting
from stslab.cli.accounts import open_account
from stslab.cli.failures import for_same_run, tried_all
from stslab.cli.options import Where
from stslab.cli.run.consent import require_consent
from stslab.cli.workspace import Workspace, agrees, open_workspace
from stslab.durations import counted
from stslab.errors import StslabError, UndoIncomplete, UsageError
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line
from stslab.runner.journal.records import RunRecord
from stslab.runner.ports import TargetInfo
from stslab.runner.undo.cleanup import Cleanup, Planned
from stslab.runner.undo.proof import by_hand
from stslab.runner.undo.sweep import FoundRun, Swept, adopt, find
from stslab.structures import beside

_describe = describer(None)


def clean_up(
    run: str, where: Where, *, every: bool, sweep: bool, dry_run: bool, as_json: bool
) -> None:
    """Undo everything that a run (by default the current one), or every run, has made."""
    if sweep and every:
        raise UsageError("--sweep and --all do not go together.", "--sweep finds all runs anyway.")
    with open_workspace("stslab cleanup", as_json=as_json, yes=where.yes) as workspace:
        if sweep:
            sweep_account(workspace, where, run, dry_run=dry_run)
            return
        unfinished = workspace.journal.unfinished(name_of(where.target))
        chosen = unfinished if every else unfinished[:1]
        if run:
            chosen = tuple(each for each in workspace.journal.runs() if each.id == run)
            if not chosen:
                raise UsageError(f"There is no run {run!r}.", "List the runs: stslab status")
        if not chosen:
            workspace.paper.prose("There is nothing to clean up.")
        # Each run is undone in its region: a stack is found only there.
        places: dict[str, list[RunRecord]] = {}
        for each in chosen:
            place = "" if each.kind == "sandbox" else each.region
            places.setdefault(place, []).append(each)
        for place, runs in places.items():
            _clean_up(workspace, where.at(place), runs, dry_run=dry_run)
        for other in (each for each in workspace.journal.unfinished() if each not in chosen):
            place = f"account {other.account} ({other.target})"
            workspace.paper.line("warning", f"Run {other.id} on {place} is unfinished:")
            workspace.paper.command(selecting(other, f"stslab cleanup {other.id}"))


def _clean_up(workspace: Workspace, where: Where, runs: list[RunRecord], *, dry_run: bool) -> None:
    opened = open_account(workspace.home, where)
    cleanup = opened.cleanup(workspace.journal, workspace.render)
    if not dry_run:
        require_consent(where, opened, interactive=workspace.asks)
    real = opened.kind != "sandbox"
    asks = real and workspace.asks
    for run in runs if dry_run or asks else ():
        show_cleanup(workspace.paper, run.id, cleanup.plan(run.id, extras=real))
    info = opened.target.info
    others = "".join(f" and account {account}" for account in info.accounts.values())
    place = one_line(f"In account {info.account} ({info.region}){others}, as {info.caller}.")
    if not dry_run and (not asks or agrees(f"{place}\nUndo this?")):
        clean(cleanup, [run.id for run in runs])


def clean(cleanup: Cleanup, runs: list[str]) -> None:
    """Clean up runs (by id), past failures, such as a run whose second account is not named."""
    errors = tried_all((partial(cleanup.run, run) for run in runs), StslabError)
    for error in sorted(errors, key=lambda each: isinstance(each, UndoIncomplete))[:1]:
        for other in (each for each in errors if each is not error):
            hint = "" if other.hint == error.hint else for_same_run(other.hint)
            error.add_note(f"{other.message} {hint}".strip())
        raise error


def sweep_account(workspace: Workspace, where: Where, run: str, *, dry_run: bool) -> None:
    """Find leftovers (of all runs, or one), show them, ask, and undo them.

    UndoIncomplete: something with stslab's tag is left.
    """
    opened = open_account(workspace.home, where)
    if not dry_run:
        require_consent(where, opened, interactive=workspace.asks)
    opened.reach_others()
    calls = opened.calls(workspace.render)
    found = find(workspace.journal, calls)
    # By default all that are not unfinished on this machine.
    chosen = tuple(each for each in found.runs if (each.id == run if run else not each.unfinished))
    if run and not chosen:
        fix = "List what there is: stslab cleanup --sweep --dry-run"
        raise UsageError(f"Nothing in the account can be undone as run {run!r}'s.", fix)
    info = opened.target.info
    show_found(workspace.paper, info, found, chosen)
    if dry_run:
        return
    place = one_line(f"In account {info.account}, as {info.caller}.")
    question = f"{place}\nUndo {counted(len(chosen), 'run')}?"
    if chosen and (not workspace.asks or agrees(question)):
        cleanup = opened.cleanup(workspace.journal, workspace.render)
        clean(cleanup, [adopt(workspace.journal, calls, each) for each in chosen])
    # Things that are left alone stay, but with them the account is not clean.
    if found.left or found.refused:
        refused = f"; {', '.join(found.refused)} was refused" if found.refused else ""
        left = f"{counted(len(found.left), 'thing')} with stslab's tag left alone{refused}."
        raise UndoIncomplete(left, "Look at each; the commands above remove them by hand.")


def show_cleanup(paper: Paper, run: str, planned: Sequence[Planned]) -> None:
    count = counted(len(planned), "thing")
    paper.prose(f"Cleanup of run {run} would undo {count}, newest first:", style="bold")
    for each in planned:
        paper.line("pending", each.thing, indent=2, aside="if it exists" if each.perhaps else "")
        for extra in each.extras:
            paper.prose(f"and with it {extra}", indent=4, style="dim")
        for call in each.calls:
            paper.command(_describe(call))


def show_found(paper: Paper, target: TargetInfo, found: Swept, chosen: Sequence[FoundRun]) -> None:
    searched = beside(__file__, "texts.yaml")["searched"]
    paper.prose(searched.format(target.account, target.region), style="bold")
    if not chosen:
        paper.line("done", "There is nothing to undo.")
    for run in chosen:
        paper.blank()
        known = f"{run.known.state} on this machine" if run.known else "not a run of this machine"
        since = f", made {run.since[:16].replace('T', ' ')} UTC" if run.since else ""
        things = counted(len(run.things), "thing")
        paper.prose(f"Run {run.id}: {things}{since}; {known}", style="bold")
        for thing in run.things:
            paper.line("pending", thing.label, indent=2)
            paper.command(by_hand(thing, _describe))
    for run in (each for each in found.runs if each not in chosen):
        other = f"Run {run.id} was not selected: {counted(len(run.things), 'thing')}"
        unfinished = f"Run {run.id} is unfinished here. To undo it: stslab cleanup {run.id}"
        paper.line("hint", unfinished if run.unfinished else other)
    for thing, why in found.left:
        paper.line("warning", thing.label, aside=f"{why}: left alone")
        paper.command(by_hand(thing, _describe))
