"""`stslab test`: labs run alone in an account that is thrown away, which is compared afterwards."""

import json
from pathlib import Path

import pytest
from tests.e2e.machine import CLAIMS, Machine

pytestmark = pytest.mark.slow

LAB = """\
stslab: 1
id: small
title: A small lab
vars: {user: "small-${{ run.id }}"}
stages:
  - id: create
    title: Create a user
    intro: A user.
    steps:
      - title: Create it
        call: iam.CreateUser
        with: {UserName: "${{ user }}", Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]}
        undo: iam.DeleteUser
    checkpoint:
      - says: It is there
        call: iam.GetUser
        with: {UserName: "${{ user }}"}
        expect: User.UserName == '${{ user }}'
"""
STACK = """\
      - title: A stack that is protected
        call: cloudformation.CreateStack
        with:
          StackName: ${{ user }}
          TemplateBody: '{"Resources": {"G": {"Type": "AWS::IAM::Group"}}}'
          Capabilities: [CAPABILITY_IAM]
          EnableTerminationProtection: true
          Tags: [{Key: "stslab:run", Value: "${{ run.id }}"}]
        wait: stack_create_complete
        undo: cloudformation.DeleteStack
"""


def written(machine: Machine, *changes: tuple[str, str], name: str = "small") -> str:
    text = LAB.replace("id: small", f"id: {name}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = machine.root / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def nothing_stays(machine: Machine) -> bool:
    """Neither in the learner's own state folder nor among temporary files."""
    return not (machine.state / "journal.sqlite").exists() and not list(
        Path(machine.root, "tmp").iterdir()
    )


@pytest.fixture
def tester(machine: Machine) -> Machine:
    (machine.root / "tmp").mkdir()
    return machine


def test_the_bundled_labs_pass(tester: Machine):
    done = tester.stslab("test", TMPDIR=str(tester.root / "tmp"))
    assert done.code == 0, done.said
    assert f"passed  assume-role: {CLAIMS} claims" in done.out
    assert nothing_stays(tester)


def test_they_pass_in_an_account_like_a_real_one(tester: Machine):
    spec = "seed=5,keys=0..1s,policies=0..1s,throttle=0.1,errors=0.05,reset-before=0.02"
    done = tester.stslab("test", "assume-role", f"--rehearse={spec}", "--json")
    assert done.code == 0, done.said
    (verdict,) = [json.loads(line) for line in done.out.splitlines()]
    assert verdict["passed"]
    assert (verdict["exit_code"], verdict["error"], verdict["left"]) == (0, None, [])
    assert verdict["calls"] > 40


def test_a_lab_without_a_cleanup_stage_is_cleaned_up(tester: Machine):
    done = tester.stslab("test", written(tester))
    assert done.code == 0, done.said
    assert "passed  small: 1 claim" in done.out


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("iam.CreateUser", "iam.CreateUsr"), 2, "Did you mean CreateUser?"),
        (("== '${{ user }}'", "== 'somebody'"), 3, "It is there"),
        (('{UserName: "${{ user }}", Tags', '{UserName: "a user ${{ run.id }}", Tags'), 1, "ValidationError"),
        (("    checkpoint:\n", STACK + "    checkpoint:\n"), 5, "CloudFormation stack small-"),
    ],
)  # fmt: skip
def test_a_lab_that_does_not_pass(tester: Machine, change: tuple[str, str], code: int, said: str):
    bad, good = written(tester, change, name="bad"), written(tester)
    done = tester.stslab("test", bad, good, TMPDIR=str(tester.root / "tmp"))
    assert done.code == code, done.said
    assert said in done.said
    assert "passed  small" in done.out
    assert nothing_stays(tester)
    for gone in ("why", "cleanup", "env", "step", "check", "status"):
        assert f"stslab {gone}" not in done.said
    assert "Remove by hand" not in done.said
    assert (f"  stslab run {bad}\n" in done.err) == (code != 2), done.err


def test_what_there_is_not(tester: Machine):
    assert tester.stslab("test", "no-such-lab").code == 2
    refused = tester.stslab("test", "--rehearse=speed=3")
    assert refused.code == 2
    assert "A rehearsal has no 'speed'" in refused.err
