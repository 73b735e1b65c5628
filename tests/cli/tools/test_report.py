"""``stslab report``: its formats, their files, and impossible reports."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Stslab
from tests.cli.run.test_status import record

from stslab.home import private_folder
from stslab.runner.journal.records import Entered, How
from stslab.runner.journal.store import Journal


@pytest.fixture
def run(state: Path) -> str:
    private_folder(state)
    with Journal(state / "journal.sqlite") as journal:
        journal.begin(record("ab12cd34"))
    return "ab12cd34"


def test_each_format_goes_to_its_file(run: str, stslab: Stslab, tmp_path: Path) -> None:
    page, junit = tmp_path / "r.html", tmp_path / "r.xml"
    said = stslab("report", "--html", str(page), "--junit", str(junit))
    assert said.code == 0
    assert said.out == ""
    assert page.read_text().startswith("<!doctype html>")
    assert junit.read_text().startswith("<?xml")
    assert stslab("report", run, "--html", "-").out == page.read_text()
    assert run in stslab("report").out


def test_a_run_in_which_nothing_was_begun_does_not_hide_an_earlier_one(
    run: str, stslab: Stslab, state: Path
) -> None:
    with Journal(state / "journal.sqlite") as journal:
        journal.write(run, Entered("create-user", "0" * 64, How.PROMPT))
        journal.begin(record("zz99zz99"))
    assert f"run      {run}" in stslab("report").out
    assert "zz99zz99" in stslab("report", "zz99zz99").out


def test_a_learner_and_a_mask(run: str, stslab: Stslab) -> None:
    found = json.loads(stslab("report", "--json", "--learner", "Ana").out)
    assert found["learner"] == "Ana"
    assert found["records"]
    hidden = json.loads(stslab("report", "--json", "--mask").out)
    assert hidden["run"]["account"] == "X" * 12
    assert hidden["records"] == []
    assert "111122223333" not in stslab("report", "--mask").out


def test_a_masked_report_can_not_be_verified(run: str, stslab: Stslab, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(stslab("report", "--json", "--mask").out)
    said = stslab("report", "verify", str(file))
    assert said.code == 2
    assert "masked" in said.err
    assert "unknown: it is masked" in stslab("report", "merge", str(file), "--csv").out


def test_one_run_under_two_names_is_told(run: str, stslab: Stslab, tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.json" for name in ("Ana", "Ben")]
    for file in files:
        file.write_text(stslab("report", "--json", "--learner", file.stem).out)
    both = list(map(str, files))
    _, ana, ben = stslab("report", "merge", *both, "--csv").out.splitlines()
    assert ana.endswith("yes; Ben handed in the same run")
    assert ben.endswith("yes; Ana handed in the same run")
    assert "the same run" not in stslab("report", "merge", both[0], both[0]).out
    (tmp_path / "notes.txt").write_text("no report")
    assert stslab("report", "merge", str(tmp_path)).out.splitlines()[1:] == [ana, ben]
    (tmp_path / "empty").mkdir()
    said = stslab("report", "merge", str(tmp_path / "empty"))
    assert said.code == 2
    assert "There is no report in" in said.err


def test_a_report_with_a_name_still_verifies(run: str, stslab: Stslab, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(stslab("report", "--json", "--learner", "Ana").out)
    said = stslab("report", "verify", str(file))
    assert said.code == 0
    assert "Ana (self-reported)" in said.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--html", "/no/such/folder/x.html"), "can't be written"),
        (("nothere0",), "There is no run 'nothere0'"),
        (("--run", "nothere0"), "No such option '--run'. Write it so: stslab report [RUN]"),
        (("a", "r.html"), "(r.html). Write it so: stslab report --html FILE"),
        (("--htm", "x"), "Usage: stslab report [OPTIONS] [RUN]"),
        (("merge", "/dev/null", "--csv"), "is not a report of stslab"),
        (("merge", "/dev/null"), "is not a report of stslab"),
        (("merge", "/no/such.json", "--csv"), "does not exist"),
    ],
)
def test_impossible_reports_are_usage_errors(
    run: str, arguments: tuple[str, ...], told: str, stslab: Stslab
) -> None:
    said = stslab("report", *arguments)
    assert said.code == 2
    assert told in said.err
