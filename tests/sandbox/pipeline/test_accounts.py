"""A new account: two AWS accounts, AWS's identifiers, and one clock for everything in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from botocore.exceptions import ClientError
from tests.sandbox.direct import Direct
from tests.sandbox.furnished import EVERYTHING

from stslab.vocabulary import LEARNER, PARTNER


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


def test_dates_follow_the_account_s_clock(direct: Direct) -> None:
    with direct.state.transaction() as tx:
        offset = timedelta(days=400).total_seconds()
        tx.put(msgspec.structs.replace(tx.settings, clock_offset=offset))
    created = direct.client("iam").create_user(UserName="ann")["User"]["CreateDate"]
    assert created > datetime.now(UTC) + timedelta(days=399)
    direct.client("s3").create_bucket(Bucket="buck")
    direct.client("s3").put_object(Bucket="buck", Key="k", Body=b"x")
    stored = direct.client("s3").head_object(Bucket="buck", Key="k")["LastModified"]
    assert stored > datetime.now(UTC) + timedelta(days=399)


def test_a_boundary_limits_a_user_at_once(direct: Direct) -> None:
    direct.user("ann", EVERYTHING)
    direct.client("iam", "ann").list_users()
    only_s3 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    direct.client("iam").put_user_permissions_boundary(UserName="ann", PermissionsBoundary=only_s3)
    with pytest.raises(
        ClientError, match="no permissions boundary allows the iam:ListUsers action"
    ):
        direct.client("iam", "ann").list_users()
    direct.client("s3", "ann").list_buckets()


def test_the_use_of_a_key_is_saved_once_a_minute_and_service(direct: Direct) -> None:
    direct.user("ann", EVERYTHING)
    key, *_ = direct.keys["ann"]
    writes: list[object] = []
    direct.state.watch(lambda *change: writes.append(change))
    for _ in range(3):
        direct.client("sts", "ann").get_caller_identity()
    assert len(writes) == 1
    direct.client("iam", "ann").list_users()
    used = direct.client("iam").get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert used["ServiceName"] == "iam"
    assert used["Region"] == "us-east-1"


def test_a_request_that_only_reads_waits_for_no_transaction(direct: Direct) -> None:
    iam = direct.client("iam")
    iam.list_users()
    with direct.state.transaction():
        assert iam.list_users()["Users"]  # would wait for ever, or be refused, if it wrote
