"""docs/sandbox.md lists exactly what the cases and tests show."""

import re

import pytest
from tests import yaml_files
from tests.sandbox import fidelity

TABLE = fidelity.rows()


def test_every_case_is_in_the_tables():
    shown = [case for row in TABLE for case in row.cases]
    assert sorted(map(str, shown)) == sorted(map(str, fidelity.all_cases()))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.anchor)
def test_every_row_is_shown_by_something_that_exists(row):
    assert row.cases or row.tests
    for test in row.tests:
        file, name = test.split("::")
        assert f"\ndef {name}(" in (fidelity.TESTS / file).read_text(), test


def test_no_source_ends_where_yaml_sees_a_comment():
    cut = re.compile(r"^ *source: [^\"'].* #.*", re.MULTILINE)
    texts = [file.read_text() for file in fidelity.CASES.glob("*.yaml")]
    assert [line for text in texts for line in cut.findall(text)] == []


def test_every_pattern_finds_something():
    for group in yaml_files.read(fidelity.CASES / "table.yaml"):
        for row in group["rows"]:
            for file, patterns in row.get("cases", {}).items():
                named = [case.name for case in fidelity.all_cases() if case.file == file]
                for pattern in patterns:
                    assert any(re.match(pattern, name) for name in named), pattern


def test_the_pages_are_up_to_date():
    text = fidelity.PAGE.read_text()
    assert text == fidelity.page(text, TABLE), "python -m tests.sandbox.fidelity"
    assert fidelity.LIST.read_text() == fidelity.listing(TABLE), "python -m tests.sandbox.fidelity"
    for group in {row.group for row in TABLE}:
        assert f"<!-- cases: {group} -->" in text
