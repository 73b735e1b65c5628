"""`stslab test`: labs run alone in an account that is thrown away, which is compared afterwards."""

import json
from pathlib import Path

import pytest
from tests.e2e.machine import CLAIMS, Machine

from stslab.cli.labs.labs import STARTS

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
    command = f"TMPDIR={tester.root / 'tmp'} {tester.python} -m stslab test"
    done = tester.sh(command, seconds=600)
    assert done.code == 0, done.said
    assert f"passed  assume-role: {CLAIMS} claims" in done.out
    assert nothing_stays(tester)


@pytest.mark.soak
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


def notice_each_mutant(tester: Machine, *labs: str) -> None:
    report = tester.root / "junit.xml"
    command = f"{tester.python} -m stslab test --mutate --json --junit {report} {' '.join(labs)}"
    done = tester.sh(command, seconds=1500)
    assert done.code == 0, done.said
    verdicts = [json.loads(line) for line in done.out.splitlines()]
    for verdict in verdicts:
        assert (verdict["unnoticed"], verdict["idle_checks"]) == ([], [])
        assert verdict["mutants"] > 10
        assert all(one["held"] and one["line"] for one in verdict["claims"])
    assert [one["file"] for one in verdicts] == list(labs) or not labs
    cases = sum(len(one[each]) for one in verdicts for each in ("claims", "tasks", "faults"))
    assert report.read_text().count("<testcase") == cases


@pytest.mark.soak
def test_the_bundled_labs_notice_each_mutant(tester: Machine):
    notice_each_mutant(tester)


@pytest.mark.soak
def test_labs_of_other_subjects_and_those_to_begin_with_notice_each_mutant(tester: Machine):
    cases = Path(__file__).parents[1] / "cases"
    labs = [*(cases / "labs").glob("*.yaml"), *STARTS.glob("*.yaml")]
    labs.append(cases / "lab" / "whole" / "profiles.yaml")
    notice_each_mutant(tester, *map(str, labs))


def test_what_a_foreign_lab_calls_is_listed_before_it_runs_the_first_time(tester: Machine):
    lab = written(tester)
    told = "did not come with stslab"
    first = tester.stslab("run", lab, "--yes", "--to", "create")
    assert f"The lab small {told}" in first.said
    assert first.said.index("iam.CreateUser; undone by iam.DeleteUser") < first.said.index("1/1")
    assert told not in tester.stslab("run", lab, "--yes").said
    again = written(tester, ("A user.", "A user, another one."))
    assert told in tester.stslab("run", again, "--yes", "--to", "create").said
    assert told not in tester.stslab("run", "assume-role", "--yes", "--to", "create-user").said
    for run in tester.runs():
        tester.stslab("cleanup", run["run"])
    tester.stslab("sandbox", "stop")


def test_a_mutant_that_nobody_notices(tester: Machine):
    done = tester.stslab("test", "--mutate", written(tester))
    assert done.code == 3, done.said
    assert "nothing notices" in done.out
    assert "What could notice it: " in done.out
    allowed = written(
        tester,
        (
            "      - title: Create it",
            "      # stslab: allow unnoticed-undo no stage\n      - title: Create it",
        ),
    )
    told = tester.stslab("test", "--mutate", allowed)
    assert "unnoticed-undo" not in told.out


def test_what_there_is_not(tester: Machine):
    assert tester.stslab("test", "no-such-lab").code == 2
    refused = tester.stslab("test", "--rehearse=speed=3")
    assert refused.code == 2
    assert "A rehearsal has no setting 'speed'" in refused.err


# What the lab's texts say, and how its files could be wrong about it. The claim that notices.
_PUT = "Action: [s3:GetObject, s3:PutObject]"
_OBJECTS = 'Resource: !Sub "arn:${AWS::Partition}:s3:::${BucketName}/*"'
_OF_BUCKET = 'Resource: !Sub "arn:${AWS::Partition}:s3:::${BucketName}"'
_CONDITION = """\
            Condition:
              ArnEquals:
                aws:PrincipalArn: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/${UserName}"
"""
_IAM = """\
              - Sid: More
                Effect: Allow
                Action: "iam:{}*"
                Resource: "*"

Outputs:"""
WRONG = {
    "the trust has no condition": ((_CONDITION, ""), "Nobody else of the account"),
    "the bucket can be made public": (("BlockPublicPolicy: true", "BlockPublicPolicy: false"), "The bucket blocks public access"),
    "the role may not get": ((_PUT, "Action: [s3:PutObject]"), "The role's policies allow it to get and put"),
    "the role may not put": ((_PUT, "Action: [s3:GetObject]"), "The role's policies allow it to get and put"),
    "the role may not list": (("Action: s3:ListBucket", "Action: s3:ListBucketVersions"), "list the bucket"),
    "the role may delete": ((_PUT, "Action: [s3:GetObject, s3:PutObject, s3:DeleteObject]"), "may not delete hello.txt"),
    "the role may all of S3": ((_PUT, "Action: s3:*"), "may not delete hello.txt"),
    "objects of all buckets": ((_OBJECTS, 'Resource: "arn:aws:s3:::*/*"'), "No other bucket"),
    "every bucket": ((_OF_BUCKET, 'Resource: "arn:aws:s3:::*"'), "No other bucket"),
    "the role reads IAM": (("\nOutputs:", _IAM.format("Get")), "Nor may the role change"),
    "the role creates in IAM": (("\nOutputs:", _IAM.format("Create")), "Nor may the role change"),
    "the role puts in IAM": (("\nOutputs:", _IAM.format("Put")), "Nor may the role change"),
    "the role lists IAM": (("\nOutputs:", _IAM.format("List")), "may not look at IAM's users"),
    "sessions last longer": (("      Description: What the lab", "      MaxSessionDuration: 7200\n      Description: What the lab"), "longer than an hour"),
    "the user may every role": (('"Resource": "${{ role_arn }}"', '"Resource": "*"'), "The user's policies allow no other role"),
    "the user may all of STS": (('"Action": "sts:AssumeRole"', '"Action": "sts:*"'), "On the role itself"),
    "the user may list users": (('"Resource": "${{ role_arn }}"\n    }', '"Resource": "${{ role_arn }}"\n    },\n    {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}'), "none of seven other calls"),
    "the user may everything": (('"sts:AssumeRole",\n      "Resource": "${{ role_arn }}"', '"*",\n      "Resource": "*"'), "The user's policies allow no other role"),
    "the user may read the bucket": (('"Resource": "${{ role_arn }}"\n    }', '"Resource": "${{ role_arn }}"\n    },\n    {\n      "Effect": "Allow",\n      "Action": "s3:GetObject",\n      "Resource": "arn:aws:s3:::${{ bucket_name }}/*"\n    }'), "The user's policies allow nothing on the bucket"),
}  # fmt: skip


@pytest.mark.soak
def test_what_the_labs_texts_say_is_proved(tester: Machine):
    """Each of these would make a text of the lab false: a claim of its stage does not hold."""
    labs = {}
    for number, (name, (change, _)) in enumerate(WRONG.items()):
        path = tester.lab(change)
        target = tester.root / f"copy{number}"
        (tester.root / "copy").rename(target)
        labs[str(target / Path(path).relative_to(tester.root / "copy"))] = name
    done = tester.sh(f"{tester.python} -m stslab test --json {' '.join(labs)}", seconds=600)
    verdicts = {labs[one["file"]]: one for one in map(json.loads, done.out.splitlines())}
    noticed = {name: (one["exit_code"], one["error"] or "") for name, one in verdicts.items()}
    missed = {
        name: noticed[name]
        for name, (_, claim) in WRONG.items()
        if noticed[name][0] != 3 or claim not in noticed[name][1]
    }
    assert missed == {}
    assert nothing_stays(tester)
