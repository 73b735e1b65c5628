"""Walks through a lab's stages without a learner at the terminal, and says how it ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from stslab.cli.accounts import Open, open_account, require_consent
from stslab.cli.bench import Bench
from stslab.cli.failures import with_flags
from stslab.cli.options import SANDBOX, Where
from stslab.errors import CheckFailed, RunError, StslabError, UndoIncomplete, UsageError
from stslab.lab.model import Lab, Stage
from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted
from stslab.runner.events import RunFinished
from stslab.runner.journal.records import How, RunRecord
from stslab.runner.journal.store import Journal
from stslab.runner.run.begin import require_anywhere, second_accounts
from stslab.runner.run.run import Runner


def opened_for(laid: Bench, where: Where, lab: Lab) -> Open:
    """The account, once it is wanted in so many words: by flags, or by a person who is asked.

    The guard says first what a run will make there. A run that goes on was agreed to when it
    began, on this very account and with this very lab: then it is only said where.

    Raises:
        UsageError: nobody can be asked, and the flags do not say it; or the lab needs what only
            the embedded account has.
        CredentialsError: the guard refuses, or the person does not confirm.
    """
    if where.target != SANDBOX:
        require_anywhere(lab)
    where, unfinished = placed(laid.journal, where, lab.id)
    opened = open_account(laid.home, where)
    second_accounts(lab, opened.target.info)
    if unfinished and laid.journal.past(unfinished.id).broken() and opened.goes_on(unfinished):
        raise UsageError(
            f"Run {unfinished.id} of this lab has a fault in it, for you to find.",
            "Go on with it: stslab break. Or undo it first: stslab cleanup.",
        )
    require_consent(where, opened, interactive=laid.asker is not None)
    from stslab.cli.run.consent import (
        allowed_services,
        brief,
        confirm_account,
        introduce,
        say_where,
    )

    if opened.kind == "sandbox":
        introduce(laid, opened, lab)
        return opened
    if unfinished and opened.goes_on(unfinished) and unfinished.sha256 == lab.sha256:
        say_where(laid.console, opened, f"Going on with run {unfinished.id}, on a real account")
        return opened
    brief(laid.console, opened, lab, force=where.force)
    services = allowed_services(laid, lab, where.services)
    if laid.asker:
        confirm_account(laid.console, opened)
    return replace(opened, services=services)


def placed(journal: Journal, where: Where, lab: str = "") -> tuple[Where, RunRecord | None]:
    """Where to work, and the unfinished run (of that lab) that goes on there, if there is one.

    A region that is named by a flag stays: then the run's pin says that it is another one.
    """
    from stslab.aws.target import name_of

    unfinished = next(iter(journal.unfinished(name_of(where.target), lab)), None)
    region = unfinished.region if unfinished and unfinished.kind != "sandbox" else ""
    return where.at(region), unfinished


def runner_of(laid: Bench, opened: Open, lab: Lab, how: How) -> Runner:
    """What runs the lab; what happens is drawn as it comes."""
    return opened.runner(lab, laid.home, laid.journal, laid.render, describe=laid.describe, how=how)


def walk(
    laid: Bench, opened: Open, lab: Lab, stages: Sequence[Stage], how: How, *, resuming: bool
) -> None:
    """Do these stages, in order; ``resuming`` leaves out those that are done.

    Raises:
        RunError: a step failed, or a stage lacks what it needs.
        CheckFailed: a checkpoint does not hold.
        UndoIncomplete: something could not be undone, or the lab is through and leaves it.
    """
    runner = runner_of(laid, opened, lab, how)
    standing = runner.start_or_resume()
    for stage in (one for one in stages if not (resuming and one.id in standing.done)):
        try:
            runner.run_stage(stage.id)
        except (RunError, CheckFailed) as error:
            raise _briefly(error, stage) from error
    end(laid.console, lab, stages, runner)


def _briefly(error: StslabError, stage: Stage) -> StslabError:
    """The error without what has been drawn already: a call that failed, claims that don't hold."""
    drawn = isinstance(error, CheckFailed) or error.__cause__ is not None
    if not drawn:
        return error
    brief = type(error)(f"The run stopped at the stage {stage.id}.", error.hint)
    for note in getattr(error, "__notes__", ()):
        brief.add_note(note)
    return brief


def end(console: Console, lab: Lab, stages: Iterable[Stage], runner: Runner) -> RunFinished:
    """What was proved, what is still there, and what to try with it."""
    told = runner.finish()
    if told.left and lab.stages[-1] in stages:
        are = "is" if len(told.left) == 1 else "are"
        raise UndoIncomplete(
            f"The lab is through, and {counted(len(told.left), 'thing')} of run {told.run} {are}"
            " still in the account.",
            told.left,
            "Undo everything: stslab cleanup",
        )
    if told.outcome == "open":
        say_what_to_try(console, runner.scope())
    return told


def say_what_to_try(console: Console, scope: Mapping[str, Any]) -> None:
    """How to look around with the ordinary aws CLI, how to go on, and how to clean up."""
    paper = Paper(console)
    paper.blank()
    paper.prose("Look around with the aws CLI:", style="bold")
    paper.command(with_flags('eval "$(stslab env)"'))
    profiles = scope.get("profiles", {})
    for name in ("admin", *profiles):
        paper.command(f"aws sts get-caller-identity --profile {name}")
    bucket = scope.get("bucket_name")
    for name in profiles if bucket else ():
        paper.command(f"aws s3 ls s3://{bucket} --profile {name}")
    say_how_to_go_on(console)


def say_how_to_go_on(console: Console) -> None:
    paper = Paper(console)
    paper.blank()
    paper.prose(with_flags("Go on:      stslab run"), lead=paper.symbols.hint)
    paper.prose(with_flags("Clean up:   stslab cleanup"), lead=paper.symbols.hint)
