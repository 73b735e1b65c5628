"""Loading any file gives a lab or its problems, and never anything else."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stslab import resources
from stslab.aws.catalogue import BotocoreCatalogue
from stslab.errors import InvalidLab
from stslab.lab import loader
from stslab.lab.lint import lint
from stslab.lab.model import Lab
from stslab.lab.reading.problems import ERROR, Problem

# A lab that has something of everything, and is small.
SMALL = """\
stslab: 1
id: small
title: Small
vars: {user: "u-${{ run.id }}", other: !include policy.txt}
stages:
  - id: first
    title: First
    intro: |
      Some *words*.
    pages: [{title: P, url: "https://docs.aws.amazon.com/x"}]
    steps:
      - title: A user
        call: iam.CreateUser
        with: {UserName: "${{ user }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        save: {arn: "User.Tags[?Key=='a'].Value | [0]"}
        show: {ARN: User.Arn}
        undo: {call: iam.DeleteUser, as: admin}
      - title: A key
        call: iam.CreateAccessKey
        with: {UserName: "${{ user }}"}
        profile: {name: sts, from: AccessKey}
        undo: {call: iam.DeleteAccessKey, with: {UserName: "${{ user }}", AccessKeyId: "${{ profiles.sts.access_key_id }}"}}
        within: 60s
      - {title: A stack, call: cloudformation.CreateStack, with: {StackName: "s-${{ run.id }}", TemplateBody: "Resources: {}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}, wait: stack_create_complete, undo: [cloudformation.DeleteStack]}
    checkpoint:
      - {says: S, as: sts, call: sts.GetCallerIdentity, expect: "ends_with(Arn, ':user/${{ user }}')"}
      - {says: S, as: sts, call: s3.ListBuckets, fails: AccessDenied, by: identity policy, because: B}
  - id: last
    title: Last
    intro: I
    cleanup: true
    checkpoint: [{says: S, profiles_gone: [sts]}]
"""
FRAGMENTS = [
    "${{ ", " }}", "${{ user }}", "${{ arn.x }}", "`", "'", '"', "[", "]", "{", "}", ": ", "- ", "\n", "\t",
    "&a ", "*a", "!include ", "!!binary ", "? ", "| ", ">", "#", "<<: ", "null", "~", "true", "-1", "1e999",
    "\x00", "\ufeff", "\ud7ff", "\ue000", "\u2028", "\x85", "é", "9" * 50, "---\n", "...\n", "%YAML 1.1\n", "=",
    "@", "admin", "sts", "iam.", "undo: none\n", "with: []\n", "as: 5\n", "length(", "&", "|", "*", "a.b.c[*].d",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1.5, "", " ", "none", "admin", "${{ user }}", "${{ x }}", "${{", "a[", [], {}, [[]],
    [None], {"a": None}, {"call": 5}, ["iam.DeleteUser"], "iam.CreateUser", "x" * 5000, {"": ""}, [{"title": []}],
]  # fmt: skip


@pytest.fixture
def attempt(tmp_path: Path, catalogue: BotocoreCatalogue) -> Callable[[bytes], bool]:
    (tmp_path / "policy.txt").write_text('{"a": "${{ run.id }}"}', encoding="utf-8")
    path = tmp_path / "fuzzed.yaml"

    def try_to_load(raw: bytes) -> bool:
        path.write_bytes(raw)
        told = lint(path, catalogue=catalogue, served=())
        errors = [one for one in told if one.severity == ERROR]
        try:
            loaded = loader.load(path, catalogue=catalogue)
        except InvalidLab:
            assert_well_told(told, raw)
            assert errors
            return False
        assert isinstance(loaded, Lab)
        assert not errors
        return True

    return try_to_load


def assert_well_told(problems: list[Problem], raw: bytes):
    for problem in problems:
        assert problem.message.endswith(".")
        assert problem.fix
        assert (
            1
            <= problem.line
            <= raw.count(b"\n")
            + raw.count(b"\r")
            + raw.count(b"\xc2\x85")
            + raw.count(b"\xe2\x80")
            + 1
        )
        assert 1 <= problem.column <= len(raw) + 1
        assert "Traceback" not in str(problem)


def mangled(text: str, dice: random.Random) -> bytes:
    """The text after some random edits of its characters."""
    for _ in range(dice.randint(1, 4)):
        at, until = sorted(dice.sample(range(len(text) + 1), 2)) if len(text) > 1 else (0, 0)
        until = min(until, at + dice.choice([0, 1, 1, 8, 60]))
        text = text[:at] + dice.choice(["", dice.choice(FRAGMENTS)]) + text[until:]
    raw = text.encode("utf-8")
    if dice.random() < 0.1 and raw:
        at = dice.randrange(len(raw))
        raw = raw[:at] + bytes([dice.randrange(256)]) + raw[at + 1 :]
    return raw


def shuffled_lines(text: str, dice: random.Random) -> bytes:
    """The text with lines left out, doubled, moved, or indented differently."""
    lines = text.split("\n")
    for _ in range(dice.randint(1, 3)):
        at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
        lines[at] = dice.choice([lines[to], lines[at][1:], "  " + lines[at], ""])
        if dice.random() < 0.3:
            lines.insert(to, lines[at])
    return "\n".join(lines).encode("utf-8")


def grafted(document: Any, dice: random.Random) -> Any:
    """The document with one of its values replaced, renamed or left out."""
    if not isinstance(document, dict | list) or not document or dice.random() < 0.15:
        return dice.choice(VALUES)
    if isinstance(document, list):
        at = dice.randrange(len(document))
        return [*document[:at], grafted(document[at], dice), *document[at + 1 :]]
    key = dice.choice(list(document))
    if dice.random() < 0.1:
        return {other: value for other, value in document.items() if other != key}
    if dice.random() < 0.1:
        return {
            (other + "x" if other == key else other): value for other, value in document.items()
        }
    return {**document, key: grafted(document[key], dice)}


def test_the_small_lab_is_valid(attempt: Callable[[bytes], bool]):
    assert attempt(SMALL.encode())


@pytest.mark.parametrize("seed", range(4))
def test_mangled_text(seed: int, attempt: Callable[[bytes], bool]):
    dice = random.Random(seed)
    loaded = sum(attempt(mangled(SMALL, dice)) for _ in range(170))
    assert loaded < 90


@pytest.mark.parametrize("seed", range(2))
def test_shuffled_lines(seed: int, attempt: Callable[[bytes], bool]):
    dice = random.Random(seed)
    loaded = sum(attempt(shuffled_lines(SMALL, dice)) for _ in range(300))
    assert loaded < 200


@pytest.mark.parametrize("seed", range(4))
def test_grafted_values(seed: int, attempt: Callable[[bytes], bool]):
    dice = random.Random(seed)
    document = yaml.safe_load(SMALL.replace("!include policy.txt", "text"))
    loaded = sum(
        attempt(yaml.safe_dump(grafted(document, dice), allow_unicode=True).encode())
        for _ in range(100)
    )
    assert loaded < 70


def test_the_lab_itself_mangled(attempt: Callable[[bytes], bool]):
    text = (resources.labs_folder() / "steps.yaml").read_text(encoding="utf-8")
    dice = random.Random(2)
    loaded = sum(attempt(mangled(text, dice)) for _ in range(50))
    assert loaded < 35


def test_the_small_lab_cut_off_anywhere(attempt: Callable[[bytes], bool]):
    raw = SMALL.encode()
    loaded = [cut for cut in range(0, len(raw), 3) if attempt(raw[:cut])]
    assert len(loaded) < 20


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(raw=st.binary(max_size=200))
def test_any_bytes(raw: bytes, attempt: Callable[[bytes], bool]):
    assert not attempt(raw)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(expression=st.text(alphabet="abArn.[]{}()'\"`|&!=*@,:?0$ -\n", max_size=60))
def test_any_expression(expression: str, attempt: Callable[[bytes], bool]):
    document = yaml.safe_load(SMALL.replace("!include policy.txt", "text"))
    document["stages"][0]["checkpoint"][0]["expect"] = expression
    document["stages"][0]["steps"][0]["save"]["arn"] = expression
    document["vars"]["user"] = "${{" + expression + "}}"
    attempt(yaml.safe_dump(document).encode())
