"""``stslab step``: one stage of the current run."""

from typing import TYPE_CHECKING

import click

from stslab.cli.names import complete_lab, complete_stage
from stslab.cli.options import Where, json_option, on_account

if TYPE_CHECKING:
    from stslab.cli.bench import Bench
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
    from stslab.cli.bench import bench, load_lab, meant_lab
    from stslab.cli.failures import goes_on_in
    from stslab.cli.run.walk import opened_for, runner_of
    from stslab.runner.journal.records import How
    from stslab.runner.run.plan import stage_of

    lab = meant_lab(lab, where.target)
    loaded = load_lab(lab)
    goes_on_in(lab)
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
    gone = [one.what for one in drifted if one.again]
    if not gone or laid.asker is None:
        return True
    return laid.asker.agrees(f"{'; '.join(gone)}.", "", "Enter does it again")
