"""The commands that work on a run: each imports what it does when it is called."""

from typing import Any

import click

from stslab.cli.options import (
    Where,
    complete_lab,
    complete_run,
    complete_stage,
    json_option,
    on_account,
)

_LAB = click.argument("lab", default="", shell_complete=complete_lab)


@click.command("run")
@click.argument("lab", required=False, shell_complete=complete_lab)
@click.option("--from", "first", default="", metavar="STAGE", shell_complete=complete_stage,
              help="Begin with this stage.")  # fmt: skip
@click.option("--to", "last", default="", metavar="STAGE", shell_complete=complete_stage,
              help="Stop after this stage.")  # fmt: skip
@click.option("--practice", is_flag=True, help="By hand: the tasks, and no commands.")
@click.option("--predict/--no-predict", default=True, help="Whether to be asked what AWS answers.")
@click.option("--dry-run", is_flag=True, help="Only show what would be called.")
@json_option()
@on_account(consent=True, guard=True)
def command(*, lab: str | None, where: Where, **how: Any) -> None:
    """Walk through LAB (an id, a lab file, or `next`), or go on where it was stopped.

    Without LAB the newest run goes on; where there is none, `assume-role` begins.

    At a terminal nothing runs before you press Enter. What it made is undone in its last
    stage; `stslab cleanup` does that at any time.
    """
    from stslab.cli.run.walk import run

    run(lab, where, **how)


@click.command("step")
@click.argument("stage", shell_complete=complete_stage)
@click.option("--lab", shell_complete=complete_lab,
              help="The lab: an id, or a file; else that of the run that goes on.")  # fmt: skip
@click.option("--with-needed", is_flag=True, help="First do the stages that it needs.")
@json_option()
@on_account(consent=True, guard=True)
def step(*, stage: str, lab: str | None, with_needed: bool, as_json: bool, where: Where) -> None:
    """Do STAGE of the current run, or begin a run with it.

    What it needs of earlier stages and does not find is named; --with-needed does it first.
    """
    from stslab.cli.run.walk import step as do

    do(stage, lab, where, with_needed=with_needed, as_json=as_json)


@click.command("check")
@click.argument("stage", default="", shell_complete=complete_stage)
@click.option("--all", "every", is_flag=True, help="Those of every stage that the run has done.")
@click.option("--lab", shell_complete=complete_lab,
              help="The lab: an id, or a file; else the newest run's.")  # fmt: skip
@json_option()
@on_account(consent=True)
def check(*, stage: str, every: bool, lab: str | None, as_json: bool, where: Where) -> None:
    """Try the claims of STAGE (the last one that the newest run has done) again.

    It changes nothing, and the record of the run stays as it is. A claim that was proved, and
    that a later stage has changed since, is said to be so. Exit code 3 if another does not hold.
    """
    from stslab.cli.run.walk import check as check_again

    check_again(stage, lab, where, every=every, as_json=as_json)


@click.command("cleanup")
@click.argument("run", default="", shell_complete=complete_run)
@click.option("--all", "every", is_flag=True, help="All runs that are not ended, on the target.")
@click.option("--sweep", is_flag=True, help="Without any journal: find what stslab left in the"
              " account, by its tag.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be undone.")
@json_option()
@on_account(consent=True)
def cleanup(
    *, run: str, every: bool, sweep: bool, dry_run: bool, as_json: bool, where: Where
) -> None:
    """Undo all that RUN (the current run) has made, the last first, and prove that it is gone.

    What is undone comes from the run's journal alone. Exit code 5 if anything is left.
    With --sweep it comes from the account: what carries the tag stslab:run, and that run's id
    in its name. Runs of others may be among it; RUN names one.
    """
    from stslab.cli.run.cleanup import clean_up

    clean_up(run, where, every=every, sweep=sweep, dry_run=dry_run, as_json=as_json)


@click.command("hint")
@_LAB
def hint(*, lab: str) -> None:
    """Say a little more about the next task of the run that goes on (of LAB, if named).

    First a nudge, then a pointer, then the command. The run that waits for you goes on waiting
    meanwhile. Where a fault is to be found, the hints are about that.
    """
    from stslab.cli.run import tasks

    tasks.hint(lab)


@click.command("solve")
@_LAB
def solve(*, lab: str) -> None:
    """Do the next task of the run that goes on (of LAB, if named), as the lab would.

    A `stslab run --practice` or `stslab break` that waits for you sees it done.
    """
    from stslab.cli.run import tasks

    tasks.solve(lab)


@click.command("access")
@_LAB
@json_option()
@on_account()
def access(*, lab: str, as_json: bool, where: Where) -> None:
    """Show who can do what in the run that goes on (of LAB, if named).

    The embedded account decides each cell without the call being made. On another target a cell
    is empty: nothing is known before it is tried.
    """
    from stslab.cli.run import tasks

    tasks.access(lab, where, as_json=as_json)
