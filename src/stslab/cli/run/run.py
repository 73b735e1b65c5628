"""The commands on a run. Each imports its code when it is called."""

import json
import sys
from typing import Any

import click

from stslab.cli import options
from stslab.cli.options import Where, json_option, on_account
from stslab.errors import UsageError
from stslab.home import home
from stslab.render.text.safe import visible
from stslab.structures import beside, said

_LAB = click.argument("lab", default="", shell_complete=options.complete_lab)


@click.command("run")
@click.argument("lab", required=False, shell_complete=options.complete_lab)
@click.option("--from", "first", default="", metavar="STAGE", shell_complete=options.complete_stage,
              help="Begin with this stage.")  # fmt: skip
@click.option("--to", "last", default="", metavar="STAGE", shell_complete=options.complete_stage,
              help="Stop after this stage.")  # fmt: skip
@click.option("--practice", is_flag=True, help="By hand: tasks instead of commands.")
@click.option("--predict/--no-predict", default=True, help="Whether to predict AWS's answers.")
@click.option("--dry-run", is_flag=True, help="Only show the calls.")
@json_option()
@on_account(consent=True, guard=True)
def command(*, lab: str | None, where: Where, **how: Any) -> None:
    """Walk through LAB (an id, a lab file, or `next`), or continue where it was stopped.

    Without LAB, the newest run continues; if there is none, `assume-role` begins.

    At a terminal nothing runs before you press Enter. The last stage undoes everything;
    `stslab cleanup` does that at any time.
    """
    from stslab.cli.run.stages import run

    run(lab, where, **how)


@click.command("step")
@click.argument("stage", default="", metavar="STAGE", shell_complete=options.complete_stage)
@click.option("--lab", shell_complete=options.complete_lab,
              help="The lab: an id, or a file; else the current run's.")  # fmt: skip
@click.option("--with-needed", is_flag=True, help="First do the stages that it needs.")
@json_option()
@on_account(consent=True, guard=True)
def step(*, stage: str, lab: str | None, with_needed: bool, as_json: bool, where: Where) -> None:
    """Do STAGE of the current run, or begin a run with it.

    If it needs stages that are not done, they are named; --with-needed does them first.
    """
    from stslab.cli.run.stages import step as do

    do(stage, lab, where, with_needed=with_needed, as_json=as_json)


@click.command("check")
@click.argument("stage", default="", shell_complete=options.complete_stage)
@click.option("--all", "every", is_flag=True, help="Check every stage that the run has done.")
@click.option("--lab", shell_complete=options.complete_lab,
              help="The lab: an id, or a file; else the newest run's.")  # fmt: skip
@json_option()
@on_account(consent=True)
def check(*, stage: str, every: bool, lab: str | None, as_json: bool, where: Where) -> None:
    """Check STAGE again (by default the one that the newest run is at, else the last one done).

    It changes nothing, and the record of the run stays as it is. A proved claim that a later
    stage has changed since is marked so. Exit code 3 if another claim does not hold.
    """
    from stslab.cli.run.stages import check as check_again

    check_again(stage, lab, where, every=every, as_json=as_json)


@click.command("break")
@_LAB
@click.option("--fault", default="", metavar="ID", shell_complete=options.complete_fault,
              help="This fault; --list lists them.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N",
              help="The fault of this number, the same for everybody.")  # fmt: skip
@click.option("--list", "listed", is_flag=True, help="Only list the faults (of all labs).")
@json_option("With --list: a JSON array, on stdout.")
def break_(*, lab: str, fault: str, seed: int | None, listed: bool, as_json: bool) -> None:
    """Set up LAB on the embedded account, break one thing, and let you find and fix it.

    You see what a colleague would report. Diagnose it at the prompt or in another terminal, with
    `why`, the log, `stslab simulate` and the aws CLI, and fix it. It is fixed when everybody may
    again do what they should, and nothing more. Without --fault and --seed it is random.
    """
    if listed:
        from stslab.cli.run.faults import list_faults

        list_faults(lab, as_json=as_json)
        return
    if as_json or (fault and seed is not None):
        wrong = "--json goes with --list." if as_json else "--fault and --seed do not go together."
        raise UsageError(wrong, "See `stslab break --help`.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(*said(beside(__file__, "refused.yaml"), "no terminal"))
    from stslab.cli.run.break_ import begin

    begin(lab, f"--fault {fault}" if fault else f"--seed {seed}" if seed is not None else "")


@click.command("cleanup")
@click.argument("run", default="", shell_complete=options.complete_run)
@click.option("--all", "every", is_flag=True, help="All unfinished runs on the target.")
@click.option("--sweep", is_flag=True, help="Without any journal: find what stslab left in the"
              " account, by its tag.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only show what would be undone.")
@json_option()
@on_account(consent=True)
def cleanup(*, run: str, where: Where, **how: Any) -> None:
    """Undo everything that RUN (the current run) has made, newest first, and prove that it is gone.

    The run's journal alone says what to undo. Exit code 5 if anything is left. With --sweep
    stslab searches the account instead, for things that have a run's id in their tag stslab:run
    and in their names. Other people's runs may be among them. RUN selects one.
    """
    from stslab.cli.run.cleanup import clean_up

    clean_up(run, where, **how)


@click.command("hint")
@_LAB
def hint(*, lab: str) -> None:
    """Give the next hint for the next task of the current run (of LAB, if named).

    First a nudge, then a pointer, then the command. A run that waits in another terminal
    keeps waiting. During `stslab break`, the hints are about the fault.
    """
    from stslab.cli.run.tasks import help_with

    help_with("hint", lab)


@click.command("solve")
@_LAB
def solve(*, lab: str) -> None:
    """Do the next task of the current run (of LAB, if named), as the lab would.

    A `stslab run --practice` or `stslab break` in another terminal notices it.
    """
    from stslab.cli.run.tasks import help_with

    help_with("solve", lab)


@click.command("access")
@_LAB
@json_option("The cells as a JSON object, on stdout.")
@on_account()
def access(*, lab: str, as_json: bool, where: Where) -> None:
    """Show who can do what in the current run (of LAB, if named).

    The embedded account decides each cell without making the call. On other targets the cells
    are empty: nothing is known before a call.
    """
    from stslab.cli.run.tasks import access as show

    show(lab, where, as_json=as_json)


_FEW = 5  # fit a screen


@click.command("status")
@click.option("--all", "every", is_flag=True, help=f"All runs, not only the last {_FEW}.")
@json_option("A JSON array, on stdout.")
def status(*, every: bool, as_json: bool) -> None:
    """Show the runs of this machine, newest first, and how far each is."""
    from textwrap import fill

    from stslab.render.text.symbols import WIDEST, columns, symbols_for
    from stslab.runner.journal.standing import standing
    from stslab.runner.journal.store import Journal

    with Journal.of(home()) as journal:
        few = journal.runs() if every else journal.newest(_FEW)
        begun = (past for run in few if (past := journal.past(run.id)).how)
        runs = [standing(past) for past in begun]
    if as_json:
        click.echo(json.dumps([run.as_dict() for run in runs], indent=2))
        return
    if not runs:
        click.echo("There are no runs yet. Begin with: stslab run")
    signs, width = symbols_for(sys.stdout.encoding), columns()
    width = min(width, WIDEST) if sys.stdout.isatty() else width
    marks = {"done": signs.done, "did not hold": signs.failed, "stopped": signs.current}
    for stands in runs:
        run = stands.run
        where, began = f"{run.target} {run.account}", f"{run.started[:16].replace('T', ' ')} UTC"
        stages = [f"{marks.get(each.state, signs.pending)} {each.id}" for each in stands.stages]
        lines = [f"  {'  '.join(stages)}", f"  {stands.summary}"] if stages else []
        for line in (f"{run.id}  {run.lab}  {run.state}  ({where}, {began})", *lines):
            click.echo(fill(visible(line), width, subsequent_indent="  ", break_on_hyphens=False))
