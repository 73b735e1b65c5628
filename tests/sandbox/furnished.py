"""The account in which the rows of actions.yaml and context.yaml are decided."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from tests import yaml_files
from tests.sandbox.direct import Direct

CASES = Path(__file__).parents[1] / "cases" / "sandbox"
POWER = "arn:aws:iam::aws:policy/PowerUserAccess"
EVERYTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": "111122223333"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        },
    }
)


def rows(file: str) -> list[Mapping[str, Any]]:
    return yaml_files.read(CASES / file)["cases"]


def furnish(direct: Direct) -> None:
    """Create the things that the header of actions.yaml lists."""
    iam, s3 = direct.client("iam"), direct.client("s3")
    direct.user(
        "ann",
        EVERYTHING,
        Path="/team/",
        Tags=[{"Key": "team", "Value": "blue"}],
        PermissionsBoundary=POWER,
    )
    iam.create_group(GroupName="devs")
    role = iam.create_role(RoleName="app", Path="/svc/", AssumeRolePolicyDocument=TRUST)["Role"]
    s3.create_bucket(Bucket="lab-bucket")
    s3.create_bucket(Bucket="acl-bucket", ObjectOwnership="ObjectWriter")
    irish = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="irish-bucket", CreateBucketConfiguration=irish)
    s3.put_object(Bucket="lab-bucket", Key="hello.txt", Body=b"hello", Tagging="class=public")
    s3.put_object(Bucket="lab-bucket", Key="plain.txt", Body=b"plain")
    session = direct.client("sts").assume_role(
        RoleArn=role["Arn"],
        RoleSessionName="work",
        Tags=[{"Key": "project", "Value": "lab"}],
    )
    given = {"session": session, "root-session": direct.client("sts", "root").get_session_token()}
    for name, answer in given.items():
        one = answer["Credentials"]
        direct.keys[name] = one["AccessKeyId"], one["SecretAccessKey"], one["SessionToken"]


def decisions_of(direct: Direct, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The decisions that the row's call needed, whether or not it succeeded."""
    service, operation = row["call"].split(".")
    client = direct.client(service, row.get("as", "admin"))
    with contextlib.suppress(ClientError):
        getattr(client, xform_name(operation))(**row.get("with", {}))
    event = direct.log.events()[-1]
    assert event["eventName"] == operation
    return event["decisions"]
