"""The lab's own cleanup stage: what its checkpoint needs, beyond what every stage's does.

Its claims are about what is gone, so they must hold as well for what a run never came to
make; and once the profiles are out of the files, a claim that was proved with one stays
proved.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stslab.errors import UnresolvedReference
from stslab.lab.model import Check, Stage
from stslab.lab.references import resolve
from stslab.runner.calls.calls import ADMIN
from stslab.runner.calls.work import Work
from stslab.runner.events import CheckFinished, CheckStarted
from stslab.runner.journal.records import CheckRecord
from stslab.runner.run.checks import Checks
from stslab.runner.undo.cleanup import Cleanup


class CleanupStage:
    """Undoes the run and proves the stage's claims, for one run."""

    def __init__(
        self,
        work: Work,
        cleanup: Cleanup,
        checks: Checks,
        scope: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._work = work
        self._cleanup = cleanup
        self._checks = checks
        self._scope = scope

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
            return self._without_profile(stage, number, check)
        if not self._is_known(check):
            return self._vacuous(stage, number, "this run never came to make it")
        return self._checks.prove(stage, number)

    def _is_known(self, check: Check) -> bool:
        try:
            resolve(check.params, self._scope())
        except UnresolvedReference:
            return False
        return True

    def _without_profile(self, stage: Stage, number: int, check: Check) -> CheckRecord:
        for record in self._work.journal.checks(self._work.run.id):
            if (record.stage, record.number) == (stage.id, number) and record.held:
                self._tell(record)
                return record
        return self._vacuous(stage, number, f"this run has no profile {check.identity}")

    def _vacuous(self, stage: Stage, number: int, proof: str) -> CheckRecord:
        record = CheckRecord(
            stage=stage.id,
            number=number,
            title=stage.title,
            says=self._checks.said(stage.checkpoint[number].says),
            held=True,
            denied=False,
            code="",
            proof=proof,
            request_id="",
            seconds=0.0,
            at=self._work.clock.now().isoformat(timespec="milliseconds"),
        )
        self._work.journal.checked(self._work.run.id, record)
        self._tell(record)
        return record

    def _tell(self, record: CheckRecord) -> None:
        self._work.emit(CheckStarted(record.stage, record.says, None))
        self._work.emit(
            CheckFinished(
                stage=record.stage,
                says=record.says,
                held=record.held,
                denied=record.denied,
                code=record.code,
                proof=record.proof,
                because="",
                why="",
                request_id=record.request_id,
                seconds=record.seconds,
            )
        )
