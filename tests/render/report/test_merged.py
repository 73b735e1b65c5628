"""The reports of a class in one table."""

import csv
import io
import json
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest
from msgspec.structs import replace
from tests.render.report.conftest import WRONG
from tests.runner.conftest import STAGES

from stslab.errors import UsageError
from stslab.render.report.merged import as_csv, as_page, handed_in, misconceptions
from stslab.runner.report import Report, ReportedFault

Tell = Callable[..., Report]


def printed(report: Report, learner: str = "", **changes: Any) -> str:
    return json.dumps({**replace(report, learner=learner).as_dict(), **changes}, default=str)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_learner_with_stages_and_concepts(told: Tell) -> None:
    text = printed(told("deploy-role"), "Ana")
    (row,) = rows(as_csv([handed_in(text, "x")]))
    assert row["learner"] == "Ana"
    assert [row[stage] for stage in STAGES[:3]] == ["done", "done", "not reached"]
    assert (row["create-user"], row["proved"]) == ("done", "9")
    assert row["trust"] == "1 of 2"
    assert row["as it was made"] == "yes"


def test_the_page_has_a_table_for_each_lab_and_names_are_self_reported(told: Tell) -> None:
    first = printed(told("deploy-role"), "Ana")
    second = json.loads(first)
    second["run"]["lab"] = "other"
    page = as_page([handed_in(first, "x"), handed_in(json.dumps(second), "y")])
    assert page.count("<table>") == 3
    assert page.count('<th scope="col">create-user</th>') == 2
    assert '<span class="sign open" aria-hidden="true">○</span> not reached' in page
    assert "the learners gave the names themselves" in page


def test_a_faults_result_has_a_column(told: Tell) -> None:
    fault = ReportedFault("--seed 7", fixed=True, title="t", where="w", hints=1, whys=0, solved=False,
                      tries=2, opened=True, seconds=61.0)  # fmt: skip
    broken = printed(replace(told("create-user"), fault=fault), "Ana")
    (row,) = rows(as_csv([handed_in(broken, "x")]))
    assert row["fault"] == "fixed in 1 min 1 s, 2 tries, 1 hint, opened too much (--seed 7)"
    started = printed(replace(told("create-user"), fault=replace(fault, fixed=False)))
    assert "not fixed (--seed 7)" in as_page([handed_in(started, "x")])


def test_thirty_are_merged_in_less_than_two_seconds(told: Tell) -> None:
    text = printed(told())
    began = process_time()  # of this process alone: others do not count
    assert as_page([handed_in(text, "x") for _ in range(30)]).count("<tr>") == 31 + 2
    assert process_time() - began < 2


def test_without_a_name_the_user_and_machine_are_shown(told: Tell) -> None:
    report = told("create-user")
    (row,) = rows(as_csv([handed_in(printed(report), "x")]))
    assert row["learner"] == report.run.person or report.run.id


def test_changed_and_masked_reports_are_marked(told: Tell) -> None:
    report = told("create-user")
    changed = handed_in(printed(report, proved=30), "x")
    hidden = handed_in(printed(report, records=[], masked=True), "x")
    assert changed.as_made.startswith("no: The report does not agree")
    assert hidden.as_made == "unknown: it is masked"
    assert 'class="verdict "' in as_page([changed])


def test_the_most_frequent_misconception_comes_first(told: Tell) -> None:
    report = handed_in(printed(told("deploy-role")), "x")
    found = misconceptions([report, report])
    assert found == [("The user may not assume the role yet", WRONG, 2, report.run.lab)]
    assert WRONG in as_page([report])


def test_two_labs_have_columns_of_their_own(told: Tell) -> None:
    report = told("create-user")
    other = json.loads(printed(report))
    other["run"]["lab"] = "other"
    first, second = rows(
        as_csv([handed_in(printed(report), "x"), handed_in(json.dumps(other), "y")])
    )
    assert first["assume-role: create-user"] == second["other: create-user"] == "done"
    assert first["other: create-user"] == second["assume-role: create-user"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_cell_is_a_formula(told: Tell, name: str) -> None:
    (row,) = rows(as_csv([handed_in(printed(told("create-user"), name), "x")]))
    assert row["learner"] == f"'{name}"


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "null", '{"run": 1}', "[" * 100_000, '"\\ud800"']
)
def test_a_file_that_is_not_a_report_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"x\.json is not a report of stslab"):
        handed_in(text, "x.json")
