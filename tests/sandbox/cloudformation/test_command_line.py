"""The aws command deploys a stack, changes it, and finds that there is nothing to change."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.sandbox import cases

TEMPLATE = Path(__file__).parents[3] / "templates" / "sts-role.yaml"


def aws(account: cases.Account, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    keys = account.keys["admin"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": account.endpoint.url,
    }
    command = [sys.executable, "-m", "awscli", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def _let_the_second_pass() -> None:
    ended = int(time.time())
    while int(time.time()) == ended:
        time.sleep(0.01)


@pytest.mark.slow
def test_aws_cloudformation_deploy(account: cases.Account, tmp_path: Path, fresh: str) -> None:
    def deploy(*more: str) -> subprocess.CompletedProcess[str]:
        done = aws(
            account,
            tmp_path,
            *("cloudformation", "deploy", "--stack-name", f"cli-{fresh}"),
            *("--template-file", str(TEMPLATE), "--capabilities", "CAPABILITY_IAM", *more),
        )
        _let_the_second_pass()  # the command uses it in the names of change sets
        return done

    names = ("UserName=someone", f"BucketName=cli-{fresh}")
    refused = deploy("--parameter-overrides", names[0])
    assert refused.returncode != 0
    assert "Parameters: [BucketName] must have values" in refused.stderr

    made = deploy("--parameter-overrides", *names)
    assert made.returncode == 0, made.stderr
    assert f"Successfully created/updated stack - cli-{fresh}" in made.stdout

    again = deploy("--no-fail-on-empty-changeset")
    assert again.returncode == 0, again.stderr
    assert f"No changes to deploy. Stack cli-{fresh} is up to date" in again.stdout

    changed = deploy("--parameter-overrides", "UserName=another", "--no-execute-changeset")
    assert changed.returncode == 0, changed.stderr
    assert "Changeset created successfully." in changed.stdout
    change_set = changed.stdout.rstrip().rpartition(" ")[2]
    client = account.client("cloudformation", "admin")
    changes = client.describe_change_set(ChangeSetName=change_set)["Changes"]
    assert [
        (c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"]["Replacement"])
        for c in changes
    ] == [("StsRole", "False")]
