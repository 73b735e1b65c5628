"""Accounts with names: each command means one of them, and none takes it for another."""

from pathlib import Path

import pytest
from tests.cli.conftest import Stslab
from tests.cli.run.test_elsewhere import LAB

from stslab.runner.journal.store import Journal

pytestmark = pytest.mark.slow


@pytest.fixture
def exam(stslab: Stslab, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run on the account `exam`, which is no longer selected."""
    file = tmp_path / "inbox.yaml"
    file.write_text(LAB)
    monkeypatch.setenv("STSLAB_SANDBOX", "exam")
    assert stslab("run", str(file), "--yes", "--to", "user").code == 0
    monkeypatch.setenv("STSLAB_SANDBOX", "")
    with Journal(state / "journal.sqlite") as journal:
        return journal.runs()[0].id


def test_a_sweep_needs_no_profile_of_the_second_account(stslab: Stslab, state: Path) -> None:
    done = stslab("cleanup", "--sweep", "--yes")
    assert (done.code, "There is nothing to undo." in done.out) == (0, True), done.err


def test_a_sweep_leaves_what_a_run_made_in_another_account(
    stslab: Stslab, exam: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "account")
    assert stslab("sandbox", "--name", "exam", "export", file).code == 0
    assert stslab("sandbox", "--name", "", "import", file, "--yes").code == 0
    for asked in ((), (exam,)):
        done = stslab("cleanup", "--sweep", *asked, "--yes")
        told = " ".join(done.out.split())
        assert (done.code, "is gone" in told) == (5 if not asked else 2, False), done.err
    assert f"its run {exam} began in another account (sandbox-exam)" in " ".join(
        stslab("cleanup", "--sweep", "--dry-run").out.split()
    )
