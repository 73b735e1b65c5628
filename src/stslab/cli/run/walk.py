"""Do the stages of a run without a learner, and end it."""

from collections.abc import Iterable, Sequence

from stslab.cli.failures import for_same_run
from stslab.durations import counted
from stslab.errors import CheckFailed, RunError, UndoIncomplete
from stslab.lab.model import Stage
from stslab.render.terminal.paper import Paper
from stslab.runner.events import RunFinished
from stslab.runner.run.run import Runner


def walk(runner: Runner, stages: Sequence[Stage], paper: Paper, *, resuming: bool) -> None:
    """Do these stages in order; ``resuming`` skips those that are done. Raises as ``run_stage``."""
    runner.start_or_resume()
    done = runner.stages_done if resuming else ()
    for stage in (each for each in stages if each.id not in done):
        try:
            runner.run_stage(stage.id)
        except (RunError, CheckFailed) as error:
            if isinstance(error, CheckFailed) or error.__cause__:  # details are on the screen
                error.message = f"The run stopped at the stage {stage.id}."
            raise
    end(runner, stages, paper)


def end(runner: Runner, stages: Iterable[Stage], paper: Paper) -> RunFinished:
    """Finish the run, and say what to try next. UndoIncomplete if the last stage left things."""
    finished = runner.finish()
    if finished.left and runner.lab.stages[-1] in stages:
        things = f"{counted(len(finished.left), 'thing')} of run {finished.run}"
        message = f"The lab has ended, but the account still has {things}."
        raise UndoIncomplete(message, "Undo everything: stslab cleanup")
    if finished.outcome != "open":
        return finished
    scope = runner.scope()
    paper.prose("Look around with the aws CLI:", style="bold", apart=True)
    paper.command(for_same_run('eval "$(stslab env)"'))
    profiles = scope.get("profiles", {})
    for name in ("admin", *profiles):
        paper.command(f"aws sts get-caller-identity --profile {name}")
    bucket = scope.get("bucket_name")
    for name in profiles if bucket else ():
        paper.command(f"aws s3 ls s3://{bucket} --profile {name}")
    say_how_to_go_on(paper)
    return finished


def say_how_to_go_on(paper: Paper) -> None:
    paper.prose(for_same_run("Go on:      stslab run"), lead=paper.symbols.hint, apart=True)
    paper.prose(for_same_run("Clean up:   stslab cleanup"), lead=paper.symbols.hint)
