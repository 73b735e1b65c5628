"""What looks at an account: Principal Mapper, Cloudsplaining, Prowler and Cloud Custodian."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests import programs
from tests.programs.conftest import Program
from tests.sandbox.cases import Account

pytestmark = pytest.mark.soak
READS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
RULES = """
policies:
  - name: readers
    resource: aws.iam-user
    filters: [{type: check-permissions, match: allowed, actions: ["s3:GetObject"]}]
  - name: tagged
    resource: aws.s3
    filters: [{Name: open-bucket}]
    actions: [{type: tag, tags: {owner: me}}]
  - name: unencrypted
    resource: aws.s3
    filters: [{type: bucket-encryption, state: false}]
  - name: roles
    resource: aws.iam-role
  - name: stacks
    resource: aws.cfn
"""


@pytest.fixture
def peopled(account: Account) -> Account:
    """Ana may read objects, and Ben may make herself anything by a policy version; two buckets."""
    iam, s3 = account.client("iam", "admin"), account.client("s3", "admin")
    for name, statement in (("ana", READS), ("ben", {**READS, "Action": "iam:PutUserPolicy"})):
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    for bucket in ("open-bucket", "other-bucket"):
        s3.create_bucket(Bucket=bucket)
    return account


@pytest.mark.needs("python3.9")
def test_principal_mapper(program: Callable[..., Program], peopled: Account) -> None:
    """It is of a time when Python was at 3.9. Services that the account lacks, it goes without."""
    python = str(programs.find("python3.9"))
    pmapper = program("principalmapper", "pmapper", python=python)
    said = pmapper.run("graph", "create", "--include-regions", "us-east-1")
    assert "# of Nodes:              5 (2 admins)" in said
    said = pmapper.run("--account", "111122223333", "query", "who can do s3:GetObject with *")
    assert "user/ana IS authorized to call action s3:GetObject" in said
    said = pmapper.run("--account", "111122223333", "query", "preset privesc *")
    assert "user/ben" in said
    assert "user/ana" not in said


def test_cloudsplaining(program: Callable[..., Program], peopled: Account, home: Path) -> None:
    cloudsplaining = program("cloudsplaining", "cloudsplaining")
    cloudsplaining.run("download")
    cloudsplaining.run(
        "scan", "--input-file", "default.json", "--output", ".", "--skip-open-report"
    )
    found: dict[str, Any] = json.loads((home / "iam-results-default.json").read_text())
    inline = {one["AttachedTo"]["users"][0]: one for one in found["inline_policies"].values()}
    assert inline["ana"]["DataExfiltration"]["findings"] == ["s3:GetObject"]
    assert inline["ana"]["PrivilegeEscalation"]["findings"] == []
    assert inline["ben"]["PrivilegeEscalation"]["findings"]


def test_prowler(program: Callable[..., Program], peopled: Account, home: Path) -> None:
    prowler = program("prowler", "prowler")
    peopled.client("s3", "admin").put_bucket_versioning(
        Bucket="open-bucket", VersioningConfiguration={"Status": "Enabled"}
    )
    wanted = ("--services", "iam", "s3", "--region", "us-east-1", "--no-banner")
    prowler.run("aws", *wanted, "-M", "csv", "-o", ".", "-F", "found", "--ignore-exit-code-3")
    with (home / "found.csv").open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    found = {(row["CHECK_ID"], row["RESOURCE_NAME"]): row["STATUS"] for row in rows}
    assert found["s3_bucket_object_versioning", "open-bucket"] == "PASS"
    assert found["s3_bucket_object_versioning", "other-bucket"] == "FAIL"
    assert found["s3_bucket_level_public_access_block", "open-bucket"] == "PASS"
    assert found["s3_bucket_object_lock", "open-bucket"] == "FAIL"
    assert found["iam_user_administrator_access_policy", "admin"] == "FAIL"
    assert found["iam_user_administrator_access_policy", "ana"] == "PASS"
    assert len(rows) > 80


def test_cloud_custodian(program: Callable[..., Program], peopled: Account, home: Path) -> None:
    custodian = program("custodian", "custodian")
    (home / "rules.yml").write_text(RULES)
    custodian.run("run", "-s", "out", "--cache-period", "0", "rules.yml")

    def found(rule: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(
            (home / "out" / rule / "resources.json").read_text()
        )
        return listed

    assert {one["UserName"] for one in found("readers")} == {"ana", "admin"}
    assert [one["Name"] for one in found("tagged")] == ["open-bucket"]
    tags = peopled.client("s3", "admin").get_bucket_tagging(Bucket="open-bucket")["TagSet"]
    assert tags == [{"Key": "owner", "Value": "me"}]
    assert found("unencrypted") == found("stacks") == []
    roles = {one["Path"] for one in found("roles")}  # those that AWS makes with each account
    assert roles == {
        f"/aws-service-role/{name}.amazonaws.com/" for name in ("support", "trustedadvisor")
    }
