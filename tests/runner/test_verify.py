"""Verification of a report: which changes it finds, and which it can't."""

import json
from typing import Any

import pytest
from tests.runner.conftest import CLAIMS, Machine

from stslab.errors import UsageError
from stslab.runner.journal.records import Link, first_broken, sealed
from stslab.runner.journal.store import Journal
from stslab.runner.report import UNKNOWABLE, report, verify


@pytest.fixture
def handed_in(machine: Machine) -> dict[str, Any]:
    """The output of `stslab report --json`."""
    with machine.process() as process:
        run = process.run(last="deploy-role")
    with Journal(machine.folder / "journal.sqlite") as journal:
        told: dict[str, Any] = json.loads(
            json.dumps(report(journal.past(run), journal.links(run)).as_dict())
        )
    return told


def findings(handed_in: Any) -> list[tuple[bool, str]]:
    return [(one.right, one.says) for one in verify(json.dumps(handed_in))[1]]


def test_an_unchanged_report_agrees_with_its_records(handed_in):
    told, found = verify(json.dumps(handed_in))
    assert told
    assert told.standing.proved == handed_in["proved"]
    assert len(told.standing.claims) == CLAIMS
    assert [one.right for one in found] == [True, True]
    assert any("who sat" in one for one in UNKNOWABLE)


def test_the_version_of_stslab_does_not_matter(handed_in):
    assert all(right for right, _ in findings(handed_in | {"stslab": "9.9", "report": "older"}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda it: it.update(proved=20), "proved"),
        (lambda it: it.update(skipped=[], not_reached=[]), "not_reached"),
        (lambda it: it["claims"][-1].update(verdict="allowed"), "claims"),
        (lambda it: it["run"].update(person="somebody else"), "run"),
        (lambda it: it["stages"][0]["attempts"].clear(), "stages"),
        (lambda it: it.update(grade="A"), "grade"),
        (lambda it: it.pop("clean"), "clean"),
    ],
)
def test_changes_outside_the_records_are_named(handed_in, change, named):
    change(handed_in)
    right, wrong = findings(handed_in)
    assert right == (True, f"The chain of its {len(handed_in['records'])} records is whole")
    assert not wrong[0]
    assert named in wrong[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda them: them[8].update(body=them[8]["body"].replace("true", "false")),
        lambda them: them[3].update(at="2020-01-01T00:00:00.000+00:00"),
        lambda them: them[3].update(kind="found"),
        lambda them: them.pop(4),
        lambda them: them.insert(4, them[3]),
        lambda them: them.reverse(),
        lambda them: them[0].update(seal="0" * 64),
        lambda them: them.pop(0),
    ],
)
def test_changed_records_break_the_chain(handed_in, change):
    before = json.dumps(handed_in["records"])
    change(handed_in["records"])
    if json.dumps(handed_in["records"]) == before:
        handed_in["records"][8]["body"] += " "
    told, (found,) = verify(json.dumps(handed_in))
    assert told is None
    assert not found.right
    assert "was changed" in found.says


def test_records_of_another_run_are_refused(handed_in):
    handed_in["run"]["id"] = "other000"
    assert not findings(handed_in)[0][0]


def test_rewriting_all_records_goes_unnoticed_as_the_report_says(handed_in):
    """No seal needs a secret: this is why a report says of itself what it is."""
    run, before, links = handed_in["run"]["id"], "", []
    for one in handed_in["records"]:
        body = one["body"].replace('"held":false', '"held":true')
        parts = (one["number"], one["kind"], one["at"], body)
        before = sealed(run, before, *parts)
        links.append(Link(*parts, before))
    assert first_broken(run, links) is None
    assert any("rewrote all records" in one for one in UNKNOWABLE)


@pytest.mark.parametrize(
    "text",
    ["", "# A page", "[]", "null", "{}", '{"run": {}, "records": {}}', '{"run": 1, "records": []}',
     '{"run": {}, "records": [1]}', '{"run": {}, "records": [{"number": "x"}]}', "[" * 100_000],
)  # fmt: skip
def test_a_file_that_is_not_a_report_is_refused(text):
    with pytest.raises(UsageError, match=r"can't be verified|not those of a stslab journal"):
        verify(text)


@pytest.mark.parametrize("records", [[], [{"kind": "nothing", "body": "{}"}]])
def test_a_chain_without_a_run(records):
    before, links = "", []
    for number, one in enumerate(records, 1):
        parts = (number, one["kind"], "2026", one["body"])
        before = sealed("r", before, *parts)
        links.append(Link(*parts, before)._asdict())
    told, found = verify(json.dumps({"run": {"id": "r"}, "records": links}))
    assert told is None
    assert [one.right for one in found] == [True, False]
