"""Shown commands use the lab's exported variables, and run as shown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stslab.aws.catalogue import BotocoreCatalogue
from stslab.aws.command import aws_command, command_of, describer
from stslab.lab.loader import load
from stslab.render.text.shellwords import wrapped
from stslab.resources import bundled
from stslab.runner.events import Describe
from stslab.runner.ports import Call

ENV = {"BUCKET": "sts-example-a1", "RUN": "a1", "ROLE": "arn:aws:iam::111122223333:role/x",
       "TWO": "two words", "NAME": "RUN"}  # fmt: skip


def command(call: Call, env: dict[str, str], describe: Describe, who: str = "") -> str:
    return command_of(call, env, describe, who, {})


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"Bucket": "sts-example-a1"}, "aws s3api get-object --bucket $BUCKET"),
        ({"Key": "a1/x"}, 'aws s3api get-object --key "${RUN}/x"'),
        ({"Key": 'a1 "$`'}, 'aws s3api get-object --key "$RUN"\' "$`\''),
        ({"Key": "two words"}, 'aws s3api get-object --key "${TWO}"'),
        ({"Key": "a1RUN"}, 'aws s3api get-object --key "${RUN}${NAME}"'),
        ({"Key": "\0x`id`\0a1"}, "aws s3api get-object --key '\0x`id`\0'\"$RUN\""),
        ({"Key": "it's"}, "aws s3api get-object --key 'it'\"'\"'s'"),
    ],
)
def test_a_variable_replaces_its_value(params: dict[str, str], shown: str) -> None:
    call = Call("sts", "s3", "GetObject", params)
    assert command(call, ENV, aws_command, "sts").startswith(shown)


def test_the_profile_is_named_unless_it_is_the_shells_own() -> None:
    call = Call("sts", "sts", "GetCallerIdentity", {})
    assert command(call, {}, aws_command) == "aws sts get-caller-identity --profile sts"
    assert command(call, {}, aws_command, "sts") == "aws sts get-caller-identity"


AWS = """#!/bin/sh
case "$1 $2" in
  "configure get") echo "$3 of $5" ;;
  *) echo "$AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY, $AWS_PROFILE, $*" ;;
esac
"""


@pytest.mark.parametrize(
    ("identity", "profile", "words"),
    [
        ("by_variable", "mine", "s3api list-buckets"),
        ("by_option", "", "s3api list-buckets --profile mine"),
    ],
)
@pytest.mark.parametrize("width", [40, 80, 400])
def test_keys_are_in_the_environment_of_the_command_as_it_is_shown(
    tmp_path: Path, identity: str, profile: str, words: str, width: int
) -> None:
    lab = load(bundled() / "lab" / "who-am-i.yaml", catalogue=BotocoreCatalogue())
    aws = tmp_path / "aws"
    aws.write_text(AWS)
    aws.chmod(0o755)
    call = Call(identity, "s3", "ListBuckets", {})
    for line in (describer(lab)(call), command(call, ENV, describer(lab))):
        told = subprocess.run(
            ["sh", "-c", "\n".join(wrapped(line, width, "  "))],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        keys = "aws_access_key_id of theirs, aws_secret_access_key of theirs"
        assert told.stdout.strip() == f"{keys}, {profile}, {words}"


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\x00\r\n"), min_size=1, max_size=20)
)
def test_a_shell_reads_the_intended_words(value: str) -> None:
    call = Call("", "iam", "GetUser", {"UserName": f"x{value}a1{value}"})
    line = command(call, {"RUN": "a1"}, lambda one: f"echo {_quoted(one.params['UserName'])}")
    told = subprocess.run(
        ["sh", "-c", line.replace("echo", "printf %s", 1)],
        env={"RUN": "a1"},
        capture_output=True,
        check=True,
    )
    assert told.stdout.decode() == f"x{value}a1{value}"


def _quoted(value: object) -> str:
    import shlex

    return shlex.quote(str(value))
