"""``stslab step``, ``check`` and ``cleanup``: a stage of the current run, or all of it undone."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import click

from stslab.cli.options import (
    Where,
    complete_lab,
    complete_run,
    complete_stage,
    json_option,
    on_account,
)
from stslab.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.lab.model import Lab
    from stslab.runner.events import StepDrifted


@click.command("step")
@click.argument("stage", shell_complete=complete_stage)
@click.option("--lab", shell_complete=complete_lab,
              help="The lab: an id, or a file; else that of the run that goes on.")  # fmt: skip
@click.option("--with-needed", is_flag=True, help="First do the stages that it needs.")
@json_option()
@on_account(consent=True, guard=True)
def command(*, stage: str, lab: str | None, with_needed: bool, as_json: bool, where: Where) -> None:
    """Do STAGE of the current run, or begin a run with it.

    What it needs of earlier stages and does not find is named; --with-needed does it first.
    """
    from stslab.cli.bench import bench, meant_lab
    from stslab.cli.run.walk import opened_for, runner_of
    from stslab.runner.journal.records import How
    from stslab.runner.run.plan import stage_of

    loaded = meant_lab(lab, where.target)
    stage = stage_of(loaded, stage).id
    with bench("stslab step", as_json=as_json, yes=where.yes, lab=loaded) as laid:
        how = How.YES if where.yes else How.BY_NAME
        runner = runner_of(laid, opened_for(laid, where, loaded), loaded, how)
        runner.start_or_resume()
        for needed in runner.missing_for(stage) if with_needed else ():
            runner.run_stage(needed)
        if _is_to_go_on(laid, runner.drift(stage)):
            runner.run_stage(stage)
            runner.finish()


def _is_to_go_on(laid: "Bench", drifted: "tuple[StepDrifted, ...]") -> bool:
    """Whether what is gone is to be done again; a person at a terminal is asked."""
    from stslab.cli.bench import agrees

    gone = [one.what for one in drifted if one.again]
    if not gone or not laid.asks:
        return True
    return agrees(laid.console, f"{'; '.join(gone)}.", "", "Enter does it again")


@click.command("check")
@click.argument("stage", default="", shell_complete=complete_stage)
@click.option("--all", "every", is_flag=True, help="Those of every stage that the run has done.")
@click.option("--lab", shell_complete=complete_lab,
              help="The lab: an id, or a file; else the newest run's.")  # fmt: skip
@json_option()
@on_account(consent=True)
def check_command(*, stage: str, every: bool, lab: str | None, as_json: bool, where: Where) -> None:
    """Try the claims of STAGE (the last one that the newest run has done) again.

    It changes nothing, and the record of the run stays as it is. A claim that was proved, and
    that a later stage has changed since, is said to be so. Exit code 3 if another does not hold.
    """
    from stslab.aws.target import name_of
    from stslab.cli.bench import bench, meant_lab
    from stslab.cli.run.walk import opened_for, runner_of
    from stslab.runner.journal.records import How
    from stslab.runner.run.plan import stage_of

    loaded = meant_lab(lab, where.target, ended=True)
    if stage and every:
        raise UsageError("A STAGE and --all do not go together.", "Leave one of them out.")
    chosen = [stage_of(loaded, stage).id] if stage else []
    with bench("stslab check", as_json=as_json, yes=where.yes, lab=loaded) as laid:
        nothing = UsageError(f"There is no run of {loaded.id} to check.", "Begin one: stslab run")
        place = (name_of(where.target), loaded.id)
        if not laid.journal.runs(*place):
            raise nothing
        goes_on = laid.journal.unfinished(*place)
        opened = opened_for(laid, where, loaded) if goes_on else _opened_to_look(laid, where)
        runner = runner_of(laid, opened, loaded, How.BY_NAME)
        if runner.look_back() is None:
            raise nothing
        _try(runner.check_stage, chosen or _done(loaded, runner.stages_done, every=every))


def _opened_to_look(laid: "Bench", where: Where) -> "Open":
    """The account of a run that has ended: nothing is made there."""
    from stslab.cli.accounts import open_account, require_consent

    opened = open_account(laid.home, where)
    require_consent(where, opened, interactive=laid.asks)
    if opened.kind != "sandbox":
        from stslab.cli.run.walk import say_where

        say_where(laid.console, opened, "Looking at a real account")
    return opened


def _done(lab: "Lab", done: Collection[str], *, every: bool) -> Sequence[str]:
    """The stages that are done, in the lab's order; or of them the last one alone."""
    stages = [stage.id for stage in lab.stages if stage.id in done]
    if not stages:
        raise UsageError("The run has done no stage yet.", "Go on with it: stslab run")
    return stages if every else stages[-1:]


def _try(check: Callable[[str], None], stages: Sequence[str]) -> None:
    """Check each stage, past the failures of others."""
    failed = []
    for stage in stages:
        try:
            check(stage)
        except CheckFailed as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise CheckFailed(" ".join(error.message for error in failed), failed[0].hint)


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
