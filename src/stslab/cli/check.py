"""``stslab check``: proves checkpoints again."""

from collections.abc import Callable, Sequence

import click

from stslab.cli.names import complete_stage
from stslab.cli.options import Where, consent_options, json_option, where_options
from stslab.errors import CheckFailed, UsageError


@click.command("check")
@click.argument("stage", default="", shell_complete=complete_stage)
@click.option("--lab", default="assume-role", help="The lab: an id, or a file.")
@json_option
@consent_options
@where_options
def command(
    *,
    stage: str,
    lab: str,
    as_json: bool,
    yes: bool,
    account: str,
    target: str,
    profile: str,
    region: str,
) -> None:
    """Prove the checkpoint of STAGE again, or of every stage that the current run has done.

    It changes nothing. Exit code 3 if a claim does not hold.
    """
    from stslab.aws.target import name_of
    from stslab.cli.bench import bench, load_lab
    from stslab.cli.walk import Walk, opened_for
    from stslab.runner.plan import stage_of

    loaded = load_lab(lab)
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
        _prove(runner.check_stage, chosen or standing.done)


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
