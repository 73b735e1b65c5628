"""Reports of runs in an account in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import ASSUME_ROLE, Machine

from stslab.runner.journal.records import Prediction
from stslab.runner.journal.store import Journal
from stslab.runner.report import Report, report

WRONG = "allowed, because the trust policy names the user"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(ASSUME_ROLE, tmp_path)


@pytest.fixture
def told(machine: Machine) -> Callable[..., Report]:
    """The report of a run, up to a stage, with two predictions."""

    def tell(last: str = "cleanup") -> Report:
        with machine.process() as process:
            run = process.run(last=last)
            for stage, number, said, right in (
                ("create-user", 1, "denied", True),
                ("deploy-role", 6, WRONG, False),
            ):
                process.journal.write(run, Prediction(stage, number, "trust", said, right))
        with Journal(machine.folder / "journal.sqlite") as journal:
            return report(journal.past(run), journal.links(run))

    return tell
