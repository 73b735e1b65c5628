"""The commands that do a run's stages: ``run``, ``step`` and ``check``."""

import sys
from functools import partial

from stslab.aws.target import kind_of, name_of
from stslab.cli.accounts import open_account
from stslab.cli.failures import hints_name, tried_all
from stslab.cli.options import SANDBOX, USUAL_LAB, Where
from stslab.cli.run.consent import opened_for, require_consent, say_where, unfinished_run
from stslab.cli.run.walk import walk
from stslab.cli.workspace import agrees, meant_lab, open_workspace, renderer
from stslab.errors import CheckFailed, UsageError
from stslab.lab.model import Lab, Stage
from stslab.render.text.safe import one_line
from stslab.runner.journal.records import How, RunState
from stslab.runner.ports import TargetInfo
from stslab.runner.run.plan import dry_run as emit_dry_run
from stslab.runner.run.plan import needed, plan, require_done, stage_of
from stslab.runner.run.scope import refused, require_anywhere
from stslab.structures import beside, said
from stslab.vocabulary import LEARNER, PARTNER

_ELSEWHERE = "A lesson in another terminal has this run open: it goes on from what is done here."


def run(
    lab: str | None,
    where: Where,
    *,
    first: str,
    last: str,
    practice: bool,
    predict: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    kind_of(where.target)
    alone = as_json or where.yes or dry_run or not (sys.stdin.isatty() and sys.stdout.isatty())
    if practice and where.target != SANDBOX:
        raise UsageError("--practice needs the embedded account.", "Leave --target out.")
    if practice and alone:
        hints_name(lab or USUAL_LAB)
        raise UsageError(*said(beside(__file__, "refused.yaml"), "by hand"))
    loaded = meant_lab(lab, where.target, by_hand=practice)
    chosen = plan(loaded, first=first, last=last)
    if dry_run:
        _dry(loaded, chosen, where, as_json=as_json)
        return
    with open_workspace("stslab run", as_json=as_json, yes=where.yes, lab=loaded) as workspace:
        opened = opened_for(workspace, where, loaded)
        begun = unfinished_run(workspace.journal, where, loaded.id)
        if alone:
            if begun and not workspace.home.enter_lesson(begun.id):
                workspace.paper.line("warning", _ELSEWHERE)
            how = How.YES if where.yes else How.ALONE
            runner = opened.runner(loaded, workspace.journal, workspace.render, how)
            walk(runner, chosen, workspace.paper, resuming=not first)
            return
        from stslab.cli.run.loop import Loop  # the prompt's libraries are slow to import

        # A run that was begun continues as it was.
        before = workspace.journal.past(begun.id).how if begun else None
        how = How.HAND if practice or before is How.HAND else How.PROMPT
        Loop(workspace, opened, loaded, how, predict=predict).learn(chosen)


def _dry(lab: Lab, chosen: tuple[Stage, ...], where: Where, *, as_json: bool) -> None:
    """Make a dry run, without opening an account."""
    account, other = LEARNER, PARTNER
    if where.target != SANDBOX:
        require_anywhere(lab)
        account, other = where.account or "<account>", where.partner_account or "<partner>"
    render, _ = renderer(lab, as_json=as_json)
    place = (where.target, where.target, account, where.region or "us-east-1")
    emit_dry_run(lab, TargetInfo(*place, accounts={"partner": other}), render, chosen)
    render.close()


def step(stage: str, lab: str | None, where: Where, *, with_needed: bool, as_json: bool) -> None:
    loaded = meant_lab(lab, where.target)
    stage = stage_of(loaded, stage).id
    with open_workspace("stslab step", as_json=as_json, yes=where.yes, lab=loaded) as workspace:
        opened, how = opened_for(workspace, where, loaded), How.YES if where.yes else How.BY_NAME
        runner = opened.runner(loaded, workspace.journal, workspace.render, how)
        if not (with_needed or unfinished_run(workspace.journal, where, loaded.id)):
            require_done(stage, needed(loaded, stage))  # else a run would begin for nothing
        runner.start_or_resume()
        for first in runner.missing_for(stage) if with_needed else ():
            runner.run_stage(first)
        gone = [one_line(event.what) for event in runner.drift(stage) if event.again]
        question = f"{'; '.join(gone)}.\nDo it again?"
        if not gone or not workspace.asks or agrees(question, usually=True):
            runner.run_stage(stage)
            runner.finish()


def check(stage: str, lab: str | None, where: Where, *, every: bool, as_json: bool) -> None:
    loaded = meant_lab(lab, where.target, ended=True)
    if stage and every:
        raise UsageError("A STAGE and --all do not go together.", "Leave one of them out.")
    chosen = [stage_of(loaded, stage).id] if stage else []
    with open_workspace("stslab check", as_json=as_json, yes=where.yes, lab=loaded) as workspace:
        place = (name_of(where.target), loaded.id)
        if not workspace.journal.runs(*place):
            raise UsageError(*refused("no run", lab=loaded.id))
        if workspace.journal.unfinished(*place):
            opened = opened_for(workspace, where, loaded)
        else:  # the run has ended: this only looks
            opened = open_account(workspace.home, where)
            require_consent(where, opened, interactive=workspace.asks)
            if opened.kind != "sandbox":
                say_where(workspace.paper, opened, "Looking at a real account")
        runner = opened.runner(loaded, workspace.journal, workspace.render, How.BY_NAME)
        run = runner.look_back()
        done, here = runner.stages_done, runner.past.stage
        cleaned = run.state is RunState.CLEANED
        gone = tuple(each.id for each in loaded.stages if each.cleanup and cleaned)
        last = gone or ((here,) if here else done[-1:])
        stages = chosen or (dict.fromkeys((*done, *gone)) if every else last)
        if not stages:
            raise UsageError("The run has done no stage yet.", "Continue it: stslab run")
        failed = tried_all((partial(runner.check_stage, each) for each in stages), CheckFailed)
        if failed:
            raise CheckFailed(" ".join(error.message for error in failed), failed[0].hint)
