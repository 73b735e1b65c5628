"""The linter's errors and warnings: rows of tests/cases/lab/advice."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests import yaml_files
from tests.lab.test_authors_page import PAGE, example

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.cli.in_memory import served
from stslab.lab.lint import lint
from stslab.lab.reading.problems import ERROR, WARNING, Problem

CASES = Path(__file__).parent.parent / "cases" / "lab" / "advice"
SERVED = served()


def rows() -> list[Any]:
    return [
        pytest.param(row, id=row["case"])
        for file in sorted(CASES.glob("*.yaml"))
        for row in yaml_files.read(file)
    ]


def changed(row: dict[str, Any]) -> str:
    text = example()
    if "more" in row:
        at = text.index("    checkpoint:\n")
        text = text[:at] + textwrap.indent(row["more"], " " * 6) + text[at:]
    if "cut" in row:
        begin, end = row["cut"]
        at = text.index(begin)
        text = text[:at] + (text[text.index(end) :] if end != "EOF" else "")
    for old, new in row.get("change", ()):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def linted(text: str, folder: Path, catalogue: BotocoreCatalogue) -> list[Problem]:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return lint(path, catalogue=catalogue, served=SERVED)


@pytest.mark.parametrize("row", rows())
def test_case(row: dict[str, Any], tmp_path: Path, catalogue: BotocoreCatalogue):
    text = changed(row)
    found = linted(text, tmp_path, catalogue)
    told = "\n".join(f"{one.rule} {one}" for one in found)
    wanted = row.get("problems", [])
    assert len(found) == len(wanted), told
    lines = text.splitlines(keepends=True)
    for problem, want in zip(found, wanted, strict=True):
        at = "".join([lines[problem.line - 1][problem.column - 1 :], *lines[problem.line :]])
        assert problem.rule == want["rule"], told
        assert want["says"] in problem.message, told
        assert want["fix"] in problem.fix, told
        assert at.startswith(want["at"]), told


def test_errors_cant_be_allowed(tmp_path: Path, catalogue: BotocoreCatalogue):
    text = example().replace("undo: iam.DeleteUser", "undo: none  # stslab: allow not-own why not")
    assert [one.severity for one in linted(text, tmp_path, catalogue)] == [ERROR]


def test_a_warning_says_how_to_allow_it(tmp_path: Path, catalogue: BotocoreCatalogue):
    text = example().replace("vars:\n", "vars:\n  other: x\n")
    (problem,) = linted(text, tmp_path, catalogue)
    assert problem.severity == WARNING
    assert f"{problem.place}: warning: Nothing refers to other. [unused]" in str(problem)
    allowed = text.replace("  other: x\n", "  other: x  # stslab: allow unused for the reader\n")
    assert linted(allowed, tmp_path, catalogue) == []
    without_reason = text.replace("  other: x\n", "  other: x  # stslab: allow unused\n")
    assert linted(without_reason, tmp_path, catalogue) != []


def test_the_bundled_labs_have_no_warnings(catalogue: BotocoreCatalogue):
    for path in resources.labs_folder().glob("*.yaml"):
        assert lint(path, catalogue=catalogue, served=SERVED) == []


def test_every_rule_has_a_case():
    told = {one["rule"] for param in rows() for one in param.values[0].get("problems", ())}
    rules = """
        yaml include format reference denial not-own not-embedded policy-wide policy-malformed
        policy-action-unknown policy-key-unknown parameter expect-constant expect-no-question
        unused error-code no-cleanup no-checks idle-undo repeated-claim text-long text-missing
        because lacks-within
    """
    assert set(rules.split()) <= told
    documented = {one for one in told if f"`{one}`" in PAGE or f"`{one.split('-')[0]}-...`" in PAGE}
    errors = "yaml include format reference lesson denial not-own"
    assert told - documented == set(errors.split())
