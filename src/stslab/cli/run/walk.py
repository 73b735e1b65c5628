"""Walks through a lab's stages without a learner at the terminal, and says how it ends."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from stslab.cli.accounts import open_account, require_consent, tell_of
from stslab.errors import CheckFailed, RunError, StslabError
from stslab.runner.run.run import Runner

if TYPE_CHECKING:
    from stslab.cli.accounts import Open
    from stslab.cli.bench import Bench
    from stslab.cli.options import Where
    from stslab.lab.model import Lab, Stage
    from stslab.runner.journal.records import How


def opened_for(laid: "Bench", where: "Where", lab: "Lab") -> "Open":
    """The account, once it is wanted in so many words: by flags, or by a person who is asked.

    The guard says first what a run will make there. A run that goes on was agreed to when it
    began, on this very account and with this very lab: then it is only said where.

    Raises:
        UsageError: nobody can be asked, and the flags do not say it.
        CredentialsError: the guard refuses, or the person does not confirm.
    """
    from stslab.cli.run.regions import placed

    where, unfinished = placed(laid.journal, where, lab.id)
    opened = open_account(laid.home, where)
    require_consent(where, opened, interactive=laid.asker is not None)
    if opened.kind == "sandbox":
        return opened
    from stslab.cli.run.consent import allowed_services, brief, confirm_account, say_where

    if unfinished and opened.goes_on(unfinished) and unfinished.sha256 == lab.sha256:
        say_where(laid.console, opened, f"Going on with run {unfinished.id}, on a real account")
        return opened
    brief(laid.console, opened, lab, force=where.force)
    services = allowed_services(laid, lab, where.services)
    if laid.asker:
        confirm_account(laid.console, opened)
    return replace(opened, services=services)


class Walk:
    """One walk through a lab on an open account."""

    def __init__(self, laid: "Bench", opened: "Open", lab: "Lab", how: "How") -> None:
        self._laid = laid
        self._opened = opened
        self._lab = lab
        self.runner = Runner(
            lab,
            opened.account,
            opened.profiles,
            laid.journal,
            laid.render,
            describe=laid.describe,
            services=opened.services,
            how=how,
            tell=tell_of(laid.home, opened.kind),
        )

    def go(self, stages: "Iterable[Stage]", *, resuming: bool) -> None:
        """Do these stages, in order; ``resuming`` leaves out those that are done.

        Raises:
            RunError: a step failed, or a stage lacks what it needs.
            CheckFailed: a checkpoint does not hold.
            UndoIncomplete: something could not be taken back.
        """
        standing = self.runner.start_or_resume()
        for stage in stages:
            if not (resuming and stage.id in standing.done):
                self._done(stage)
        self._end()

    def _done(self, stage: "Stage") -> None:
        try:
            self.runner.run_stage(stage.id)
        except (RunError, CheckFailed) as error:
            raise _briefly(error, stage) from error

    def _end(self) -> None:
        """The stages are through: what was proved; and if things are still there, what to try."""
        told = self.runner.finish()
        if told.outcome == "open":
            from stslab.cli.run.afterwards import say_what_to_try

            say_what_to_try(self._laid.console, self._opened, self.runner.scope())


def _briefly(error: StslabError, stage: "Stage") -> StslabError:
    """The error without what has been drawn already: a call that failed, claims that don't hold."""
    drawn = isinstance(error, CheckFailed) or error.__cause__ is not None
    if not drawn:
        return error
    brief = type(error)(f"The run stopped at the stage {stage.id}.", error.hint)
    for note in getattr(error, "__notes__", ()):
        brief.add_note(note)
    return brief
