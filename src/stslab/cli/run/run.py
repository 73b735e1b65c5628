"""``stslab run``: the walkthrough."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from stslab.cli.options import SANDBOX, Where, complete_lab, complete_stage, json_option, on_account
from stslab.errors import UsageError
from stslab.sandbox.api.identifiers import LEARNER, PARTNER

if TYPE_CHECKING:
    from stslab.lab.model import Lab, Stage


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
def command(
    *,
    lab: str | None,
    first: str,
    last: str,
    practice: bool,
    predict: bool,
    dry_run: bool,
    as_json: bool,
    where: Where,
) -> None:
    """Walk through LAB (an id, a lab file, or `next`), or go on where it was stopped.

    Without LAB the newest run goes on; where there is none, `assume-role` begins.

    At a terminal nothing runs before you press Enter. What it made is undone in its last
    stage; `stslab cleanup` does that at any time.
    """
    from stslab.aws.target import kind_of
    from stslab.cli.bench import meant_lab
    from stslab.runner.run.plan import plan

    kind_of(where.target)
    loaded = meant_lab(lab, where.target, by_hand=practice)
    chosen = plan(loaded, first=first, last=last)
    if practice:
        _require_practicable(where, interactive=not (as_json or where.yes or dry_run))
    if dry_run:
        _dry(loaded, chosen, where, as_json=as_json)
    else:
        lesson = {"by_hand": practice, "predict": predict}
        _run(loaded, chosen, where, as_json=as_json, resuming=not first, lesson=lesson)


def _require_practicable(where: Where, *, interactive: bool) -> None:
    if where.target != "sandbox":
        raise UsageError("By hand is for the embedded account.", "Leave --target out.")
    if not (interactive and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "By hand, a person is asked: it needs a terminal, and no --yes, --json or --dry-run.",
            "Without one, the lab runs by itself: stslab run --yes",
        )


def _run(
    lab: "Lab",
    chosen: "tuple[Stage, ...]",
    where: Where,
    *,
    as_json: bool,
    resuming: bool,
    lesson: Mapping[str, bool],
) -> None:
    from stslab.cli.bench import bench
    from stslab.cli.run.walk import opened_for, placed, walk
    from stslab.runner.journal.records import How

    with bench("stslab run", as_json=as_json, yes=where.yes, lab=lab) as laid:
        opened = opened_for(laid, where, lab)
        if laid.asks and not as_json and sys.stdout.isatty():
            from stslab.cli.run.loop import learn

            _, begun = placed(laid.journal, where, lab.id)
            if begun and laid.journal.past(begun.id).how is How.HAND:  # it goes on as it was
                lesson = {**lesson, "by_hand": True}
            learn(laid, opened, lab, chosen, **lesson)
        else:
            how = How.YES if where.yes else How.ALONE
            walk(laid, opened, lab, chosen, how, resuming=resuming)


def _dry(lab: "Lab", chosen: "tuple[Stage, ...]", where: Where, *, as_json: bool) -> None:
    """A dry run opens no account: the embedded one need not even run."""
    from stslab.cli.bench import renderer
    from stslab.cli.describing import describer
    from stslab.render.terminal.console import make_console
    from stslab.runner.ports import TargetInfo
    from stslab.runner.run.dry import dry_run
    from stslab.runner.run.scope import require_anywhere

    if where.target != SANDBOX:
        require_anywhere(lab)
    console = make_console(sys.stderr if as_json else sys.stdout)
    render = renderer(console, describer(lab), as_json=as_json)
    account = where.account or (LEARNER if where.target == "sandbox" else "<account>")
    other = where.partner_account or (PARTNER if where.target == SANDBOX else "<partner>")
    region, accounts = where.region or "us-east-1", {"partner": other}
    info = TargetInfo(where.target, where.target, account, region, accounts=accounts)
    dry_run(lab, info, render, chosen)
    render.close()
