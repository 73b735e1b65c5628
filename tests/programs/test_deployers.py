"""What deploys with CloudFormation: AWS SAM and the AWS CDK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.programs.conftest import Program
from tests.sandbox.cases import Account

pytestmark = pytest.mark.soak
TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]
  Bucket: {Type: AWS::S3::Bucket}
Outputs:
  Role: {Value: !GetAtt Role.Arn}
"""


def made_by(account: Account) -> tuple[set[str], set[str]]:
    """The names of the roles and buckets that there are."""
    roles = account.client("iam", "admin").list_roles()["Roles"]
    buckets = account.client("s3", "admin").list_buckets()["Buckets"]
    return {one["RoleName"] for one in roles}, {one["Name"] for one in buckets}


def test_sam(program: Callable[..., Program], account: Account, home: Path) -> None:
    sam = program("sam", "sam")
    (home / "template.yaml").write_text(TEMPLATE)
    account.client("s3", "admin").create_bucket(Bucket="sam-artifacts")
    roles, buckets = made_by(account)
    assert "is a valid SAM Template" in sam.run("validate")
    assert "is a valid SAM Template" in sam.run("validate", "--lint")
    deploy = (
        "deploy", "--stack-name", "app", "--capabilities", "CAPABILITY_IAM",
        "--no-confirm-changeset", "--s3-bucket", "sam-artifacts",
    )  # fmt: skip
    said = sam.run(*deploy)
    assert "Successfully created/updated stack - app" in said
    assert said.count("CREATE_COMPLETE") == 3
    now_roles, now_buckets = made_by(account)
    assert (len(now_roles - roles), len(now_buckets - buckets)) == (1, 1)
    assert f"role/{(now_roles - roles).pop()}" in said
    assert "is up to date" in sam.run(*deploy, "--no-fail-on-empty-changeset")
    wanted = ("--stack-name", "app", "--no-prompts", "--s3-bucket", "sam-artifacts")
    assert "Deleted successfully" in sam.run("delete", *wanted)
    assert made_by(account) == (roles, buckets)


@pytest.mark.needs("node", "npm")
def test_cdk(cdk: Program, account: Account) -> None:
    """It has a role, a bucket that wants TLS, and a grant; the command's own key deploys them."""
    account.client("s3", "admin").create_bucket(Bucket="cdk-assets")
    roles, buckets = made_by(account)
    said = cdk.run("deploy", "--require-approval", "never")
    progress = [line for line in said.splitlines() if line.startswith("CdkLab | ")]
    counts = [int(line.split("|")[1].split("/")[0]) for line in progress]
    assert counts == sorted(counts)
    assert counts[-1] == 6
    assert "CdkLab.RoleArn = arn:aws:iam::" in said
    assert "Number of stacks with differences: 0" in cdk.run("diff")
    assert "CdkLab: destroyed" in cdk.run("destroy", "--force")
    assert made_by(account) == (roles, buckets)
