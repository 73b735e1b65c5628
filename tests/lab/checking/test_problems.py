"""Every problem of a lab is found, at its place, with its fix: rows of tests/cases/lab."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import yaml_files

from stslab.errors import InvalidLab
from stslab.lab.loader import MOST_PROBLEMS, load
from stslab.lab.model import Lab
from stslab.lab.reading.problems import Problem, did_you_mean

CASES = Path(__file__).parents[2] / "cases" / "lab"
HEAD = "stslab: 1\nid: some\ntitle: Some\n"
STAGE = "stages:\n  - id: first\n    title: First\n    intro: Intro\n"
KEY_STEP = """    steps:
      - title: A key
        call: sts.GetSessionToken
        profile: {name: sts, from: Credentials}
        why: It changes nothing.
"""
SAVING_STEP = """    steps:
      - {title: T, call: iam.GetUser, save: {arn: User.Arn}}
"""
VARS = "vars: {user: u, count: 3}\n"
CLEANUP = "  - id: last\n    title: Last\n    intro: Intro\n    cleanup: true\n"

# For each kind of snippet: what stands before it, how far it is indented, what stands after it.
FRAMES: dict[str, tuple[str, int, str]] = {
    "lab": ("", 0, ""),
    "vars": (HEAD + "vars:\n", 2, STAGE + SAVING_STEP),
    "steps": (HEAD + VARS + STAGE + "    steps:\n", 6, ""),
    "checks": (HEAD + VARS + STAGE + KEY_STEP + "    checkpoint:\n", 6, ""),
    "cleanup": (HEAD + VARS + STAGE + KEY_STEP + CLEANUP + "    checkpoint:\n", 6, ""),
}


def rows() -> list[Any]:
    return [
        pytest.param(row, id=f"{file.stem}: {row['case']}")
        for file in sorted(CASES.glob("*.yaml"))
        for row in yaml_files.read(file)
    ]


def framed(row: dict[str, Any]) -> tuple[str, int, int]:
    kind = next(key for key in ("cleanup", "lab", "vars", "steps", "checks") if key in row)
    before, indent, after = FRAMES[kind]
    snippet = row["checks" if kind == "cleanup" else kind]
    text = textwrap.indent(snippet, " " * indent) if indent else snippet
    return before + text + after, before.count("\n"), indent


def place(problem: Problem, lines: int, indent: int) -> str:
    return f"{problem.line - lines}:{problem.column - indent}"


@pytest.mark.parametrize("row", rows())
def test_case(row: dict[str, Any], load_text: Callable[[str], Lab]):
    text, lines, indent = framed(row)
    expected = row.get("problems", [])
    if not expected:
        assert load_text(text).stages
        return
    with pytest.raises(InvalidLab) as caught:
        load_text(text)
    problems = [problem for problem in caught.value.problems if isinstance(problem, Problem)]
    # What is not the run's own has cases of its own; here it is told where a row says so.
    said = {one.message for want in expected for one in problems if want["says"] in one.message}
    found = [one for one in problems if one.rule != "not-own" or one.message in said]
    told = "\n".join(f"{place(one, lines, indent)} {one.message} | {one.fix}" for one in found)
    assert len(found) == len(expected), told
    for problem, wanted in zip(found, expected, strict=True):
        assert wanted["at"] in {place(problem, lines, indent), "-"}, told
        assert wanted["says"] in problem.message, told
        assert wanted["fix"] in problem.fix, told


def test_there_are_many_cases():
    assert len(rows()) > 50


def test_a_problem_points_at_its_place(load_text: Callable[[str], Lab]):
    with pytest.raises(InvalidLab) as caught:
        load_text(HEAD + STAGE + "    steps:\n      - {title: T, call: iam.GetUsr}\n")
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert str(problem).splitlines() == [
        f"{problem.file}:9:26: iam has no operation GetUsr.",
        "          - {title: T, call: iam.GetUsr}",
        "                             ^",
        "    Did you mean GetUser?",
    ]
    assert caught.value.message.startswith(f"{problem.file} has a problem:\n{problem.file}:9:26: ")
    assert caught.value.exit_code == 2


def test_a_long_line_is_shown_around_the_caret(load_text: Callable[[str], Lab]):
    with pytest.raises(InvalidLab) as caught:
        load_text(
            HEAD
            + f"vars: {{a: {'x' * 300}, b: '${{{{ nothing }}}}', c: {'y' * 300}}}\n"
            + STAGE
            + SAVING_STEP
        )
    _, line, caret, _ = str(caught.value.problems[0]).splitlines()
    assert len(line) <= 104
    assert line[caret.index("^") :].startswith("nothing")


def test_problems_of_an_included_file_are_in_that_file(
    load_text: Callable[[str], Lab], tmp_path: Path
):
    (tmp_path / "policy.txt").write_text('{\n  "Resource": "${{ role }}"\n}\n', encoding="utf-8")
    with pytest.raises(InvalidLab) as caught:
        load_text(HEAD + "vars: {a: !include policy.txt}\n" + STAGE + SAVING_STEP)
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert problem.place == f"{tmp_path}/policy.txt:2:20"
    assert problem.source == '  "Resource": "${{ role }}"'


def test_many_problems_end_early(load_text: Callable[[str], Lab]):
    with pytest.raises(InvalidLab) as caught:
        load_text("".join(f"key{number}: x\n" for number in range(50_000)))
    assert len(caught.value.problems) == MOST_PROBLEMS


@pytest.mark.parametrize("name", ["missing.yaml", ""])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path):
    with pytest.raises(InvalidLab) as caught:
        load(tmp_path / name, catalogue=None)
    assert "can't be read" in caught.value.message
    assert "stslab labs" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"stslab: \xff\n", "This is not UTF-8."),
        ("stslab: 1\n".encode("utf-16"), "This is not UTF-8."),
        (b"#" * (1024 * 1024 + 1), "This file is larger than 1 MiB."),
        (b"[" * 100_000, "This is not YAML: exceeded maximum nesting depth."),
        (b"{a: " * 100_000, "This is nested too deep."),
        (b"a: \x00", "This is not YAML: control characters are not allowed."),
    ],
)
def test_bytes_that_are_not_a_lab(raw: bytes, says: str, tmp_path: Path):
    path = tmp_path / "some.yaml"
    path.write_bytes(raw)
    with pytest.raises(InvalidLab) as caught:
        load(path, catalogue=None)
    assert [getattr(problem, "message", "") for problem in caught.value.problems] == [says]


def test_a_byte_order_mark_is_allowed(load_text: Callable[[str], Lab]):
    assert load_text("\ufeff" + HEAD + STAGE + SAVING_STEP).id == "some"


def test_the_names_to_choose_from_are_there_once():
    assert did_you_mean("x", ["setup", "later", "setup"]) == "Choose from: later, setup."
