"""A new world: two accounts, AWS's identifiers, a clock that moto follows, and no leaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import moto.iam.models
import moto.s3.models
import pytest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct

from stslab.sandbox.saved.account import LEARNER, PARTNER


def test_each_account_has_a_root_user_and_an_administrator(direct: Direct) -> None:
    for who, account in (
        ("admin", LEARNER),
        ("root", LEARNER),
        ("partner", PARTNER),
        ("partner-root", PARTNER),
    ):
        identity = direct.client("sts", who).get_caller_identity()
        assert identity["Account"] == account
        assert identity["Arn"].endswith(":root" if "root" in who else ":user/admin")
        direct.client("iam", who).list_users()


def test_identifiers_are_aws_s(direct: Direct) -> None:
    iam = direct.client("iam")
    user = iam.create_user(UserName="ann")["User"]
    group = iam.create_group(GroupName="devs")["Group"]
    profile = iam.create_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    ids = {user["UserId"]: "AIDA", group["GroupId"]: "AGPA", profile["InstanceProfileId"]: "AIPA"}
    for made, prefix in ids.items():
        assert made.startswith(prefix)
        assert len(made) == 21


def test_dates_follow_the_sandbox_s_clock(direct: Direct) -> None:
    direct.world.header.clock_offset = timedelta(days=400)
    created = direct.client("iam").create_user(UserName="ann")["User"]["CreateDate"]
    assert created > datetime.now(UTC) + timedelta(days=399)
    direct.client("s3").create_bucket(Bucket="buck")
    direct.client("s3").put_object(Bucket="buck", Key="k", Body=b"x")
    stored = direct.client("s3").head_object(Bucket="buck", Key="k")["LastModified"]
    assert stored > datetime.now(UTC) + timedelta(days=399)


def test_moto_keeps_no_list_of_all_it_ever_made(direct: Direct) -> None:
    direct.client("s3").create_bucket(Bucket="buck")
    for number in range(3):
        direct.client("s3").put_object(Bucket="buck", Key="k", Body=bytes(number))
        direct.user(f"user-{number}")
    assert not moto.s3.models.FakeKey.instances_tracked
    assert not moto.iam.models.User.instances_tracked


def test_a_boundary_limits_a_user_at_once(direct: Direct) -> None:
    everything = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    direct.user("ann", everything)
    direct.client("iam", "ann").list_users()
    only_s3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    direct.client("iam").put_user_permissions_boundary(UserName="ann", PermissionsBoundary=only_s3)
    with pytest.raises(
        ClientError, match="no permissions boundary allows the iam:ListUsers action"
    ):
        direct.client("iam", "ann").list_users()
    direct.client("s3", "ann").list_buckets()
