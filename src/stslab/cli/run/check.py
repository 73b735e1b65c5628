"""``stslab check``: proves checkpoints again."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import click

from stslab.cli.names import complete_stage
from stslab.cli.options import Where, consent_options, json_option, where_options
from stslab.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from stslab.lab.model import Lab


@click.command("check")
@click.argument("stage", default="", shell_complete=complete_stage)
@click.option("--all", "every", is_flag=True, help="Of every stage that the run has done.")
@click.option("--lab", default="assume-role", help="The lab: an id, or a file.")
@json_option
@consent_options
@where_options
def command(
    *,
    stage: str,
    every: bool,
    lab: str,
    as_json: bool,
    yes: bool,
    account: str,
    target: str,
    profile: str,
    region: str,
) -> None:
    """Prove the checkpoint of STAGE (the last one that the current run has done) again.

    It changes nothing. Exit code 3 if a claim does not hold: with --all that is to be expected
    of what was true only until a later stage changed it.
    """
    from stslab.aws.target import name_of
    from stslab.cli.bench import bench, load_lab
    from stslab.cli.failures import goes_on_in
    from stslab.cli.run.walk import Walk, opened_for
    from stslab.runner.run.plan import stage_of

    loaded = load_lab(lab)
    goes_on_in(lab)
    if stage and every:
        raise UsageError("A STAGE and --all do not go together.", "Leave one of them out.")
    chosen = [stage_of(loaded, stage).id] if stage else []
    where = Where(target, profile, region, account, yes)
    with bench("stslab check", as_json=as_json, yes=yes, lab=loaded.path) as laid:
        nothing = UsageError(f"There is no run of {loaded.id} to check.", "Begin one: stslab run")
        if not laid.journal.unfinished(name_of(target), loaded.id):
            raise nothing
        runner = Walk(laid, opened_for(laid, where, loaded), loaded).runner
        standing = runner.resume()
        if standing is None:
            raise nothing
        _prove(runner.check_stage, chosen or _done(loaded, standing.done, every=every))


def _done(lab: "Lab", done: Collection[str], *, every: bool) -> Sequence[str]:
    """The stages that are done, in the lab's order; or of them the last one alone."""
    stages = [stage.id for stage in lab.stages if stage.id in done]
    if not stages:
        raise UsageError("The run has done no stage yet.", "Go on with it: stslab run")
    return stages if every else stages[-1:]


def _prove(check: Callable[[str], object], stages: Sequence[str]) -> None:
    """Prove each stage, past the failures of others."""
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
