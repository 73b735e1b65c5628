"""``stslab cleanup``: takes everything back, and proves it."""

from typing import TYPE_CHECKING

import click

from stslab.cli.options import Where, consent_options, json_option, where_options
from stslab.errors import UndoIncomplete, UsageError

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.runner.records import RunRecord
    from stslab.runner.undo import Cleanup


@click.command("cleanup")
@click.argument("run", default="")
@click.option("--all", "every", is_flag=True, help="All runs that are not ended, on the target.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken back.")
@json_option
@consent_options
@where_options
def command(
    *,
    run: str,
    every: bool,
    dry_run: bool,
    as_json: bool,
    yes: bool,
    account: str,
    target: str,
    profile: str,
    region: str,
) -> None:
    """Take back all that RUN (the current run) has made, in reverse, and prove that it is gone.

    What is taken back comes from the run's journal alone. Exit code 5 if anything is left.
    """
    from stslab.cli.accounts import open_account, require_consent
    from stslab.cli.bench import bench

    where = Where(target, profile, region, account, yes)
    with bench("stslab cleanup", as_json=as_json, yes=yes) as laid:
        runs = _chosen(laid, where, run, every=every)
        if not runs:
            click.echo("There is nothing to clean up.", err=as_json)
            return
        opened = open_account(laid.home, where)
        cleanup = cleaner(laid, opened)
        if dry_run:
            _say_plans(laid, cleanup, runs, extras=opened.kind != "sandbox")
            return
        require_consent(where, opened, interactive=laid.asker is not None)
        if _wanted(laid, opened, cleanup, runs):
            _clean(cleanup, runs)


def cleaner(laid: "Bench", opened: "Open") -> "Cleanup":
    """What takes runs back on this account."""
    from stslab.runner.undo import Cleanup

    return Cleanup(
        laid.journal, opened.account, opened.profiles, laid.render, describe=laid.describe
    )


def _chosen(laid: "Bench", where: Where, run: str, *, every: bool) -> "list[RunRecord]":
    from stslab.aws.target import kind_of

    kind = kind_of(where.target)
    unfinished = [one for one in laid.journal.unfinished() if one.kind == kind]
    if run:
        found = [one for one in laid.journal.runs() if one.id == run]
        if not found:
            raise UsageError(f"There is no run {run!r}.", "See which there are: stslab status")
        return found
    return unfinished if every else unfinished[:1]


def _wanted(laid: "Bench", opened: "Open", cleanup: "Cleanup", runs: "list[RunRecord]") -> bool:
    """On a real account a person sees the plan, and is asked."""
    if opened.kind == "sandbox" or laid.asker is None:
        return True
    from stslab.cli.prompts import CLEAN_UP, QUIT

    _say_plans(laid, cleanup, runs, extras=True)
    info = opened.target.info
    asked = f"Take this back in account {info.account} ({info.region})?"
    return laid.asker.choose(asked, (CLEAN_UP, QUIT)) is CLEAN_UP


def _clean(cleanup: "Cleanup", runs: "list[RunRecord]") -> None:
    """Clean up each run, past the failures of others."""
    left: list[object] = []
    errors: list[UndoIncomplete] = []
    for run in runs:
        try:
            cleanup.run(run.id)
        except UndoIncomplete as error:
            errors.append(error)
            left += error.remaining
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise UndoIncomplete(
            f"{len(left)} things of {len(errors)} runs are left.", left, errors[0].hint
        )


def _say_plans(laid: "Bench", cleanup: "Cleanup", runs: "list[RunRecord]", *, extras: bool) -> None:
    from stslab.render.plans import show_cleanup

    for run in runs:
        show_cleanup(laid.console, run.id, cleanup.plan(run.id, extras=extras), laid.describe)
