"""The run that goes on, with its lab: what commands beside a lesson are about."""

from typing import TYPE_CHECKING

import msgspec

from stslab.errors import StslabError, UsageError

if TYPE_CHECKING:
    from stslab.lab.model import Lab
    from stslab.runner.journal.records import RunRecord
    from stslab.runner.journal.store import Journal
    from stslab.runner.ports import Data


class Current(msgspec.Struct, frozen=True):
    """A run that is not ended. ``done`` are the stages whose checkpoints held."""

    run: "RunRecord"
    lab: "Lab"
    scope: "Data"
    done: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        from stslab.runner.run.scope import variables

        return variables(self.lab, self.scope)


def current(journal: "Journal", target: str, lab: str = "") -> Current:
    """The newest run on this target (as ``--target`` says) that is not ended; of a lab if named.

    Raises:
        UsageError: there is none.
        LabError: its lab can't be read any more.
    """
    from stslab.aws.target import name_of
    from stslab.cli.bench import lab_of, load_lab
    from stslab.runner.run.scope import basis, scope

    named = load_lab(lab) if lab else None
    runs = journal.unfinished(name_of(target), named.id if named else "")
    if not runs:
        of = f" of {named.id}" if named else ""
        raise UsageError(f"There is no run{of} that goes on.", "Begin one: stslab run")
    run = runs[0]
    loaded = named or load_lab(lab_of(run))
    past = journal.past(run.id)
    known = scope(basis(loaded, run.id, run), past.saved(), past.profiles())
    return Current(run, loaded, known, tuple(past.held()))


def lab_variables(target: str) -> dict[str, str]:
    """What the lab of the run that goes on exports; nothing where there is no such run."""
    from stslab.home import home
    from stslab.runner.journal.store import Journal

    try:
        with Journal.of(home()) as journal:
            return current(journal, target).variables
    except StslabError:
        return {}
