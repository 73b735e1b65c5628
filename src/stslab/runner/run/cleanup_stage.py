"""The lab's own cleanup stage: what its checkpoint needs, beyond what every stage's does.

Its claims are about what is gone. Once the profiles are out of the files, a claim that was
proved with one stays proved.
"""

from stslab.lab.model import Stage
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.work import Work
from stslab.runner.journal.records import CheckRecord
from stslab.runner.run.checks import Checks
from stslab.runner.undo.cleanup import Cleanup


class CleanupStage:
    """Undoes the run and proves the stage's claims, for one run."""

    def __init__(self, work: Work, cleanup: Cleanup, checks: Checks) -> None:
        self._work = work
        self._cleanup = cleanup
        self._checks = checks

    def undo(self) -> None:
        """Take everything back.

        Raises:
            UndoIncomplete: something is left.
        """
        self._cleanup.undo(self._work.run.id)

    def prove(self, stage: Stage) -> list[CheckRecord]:
        """The claims that need a call first; then the profiles go; then the claims about them."""
        numbered = list(enumerate(stage.checkpoint))
        calling = [number for number, check in numbered if check.call]
        others = [number for number, check in numbered if not check.call]
        records = [self._prove(stage, number) for number in calling]
        if all(record.held for record in records):
            self._cleanup.remove_profiles(self._work.run.id)
        return records + [self._checks.prove(stage, number) for number in others]

    def _prove(self, stage: Stage, number: int) -> CheckRecord:
        check = stage.checkpoint[number]
        if check.identity != ADMIN and self._work.profiles.get(check.identity) is None:
            earlier = self._earlier(stage, number)
            if earlier:
                self._checks.tell_again(earlier, check)
                return earlier
        return self._checks.prove(stage, number)

    def _earlier(self, stage: Stage, number: int) -> CheckRecord | None:
        tried = self._work.journal.checks(self._work.run.id)
        place = (stage.id, number)
        return next((one for one in tried if (one.stage, one.number) == place and one.held), None)
