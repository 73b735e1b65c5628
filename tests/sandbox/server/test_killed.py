"""Acknowledged writes survive a killed process."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from tests.sandbox.cases import Account

TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'


class Writer(threading.Thread):
    """Writes without end, and remembers what was acknowledged."""

    def __init__(self, account: Account, name: str) -> None:
        super().__init__()
        self.account, self.name_ = account, name
        self.acknowledged: list[tuple[str, str]] = []

    def run(self) -> None:
        iam, s3 = (self.account.client(service, "admin") for service in ("iam", "s3"))
        number = 0
        try:
            while True:
                number += 1
                name = f"{self.name_}-{number}"
                iam.create_user(UserName=name)
                self.acknowledged.append(("user", name))
                iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=ALLOW)
                self.acknowledged.append(("policy", name))
                s3.put_object(Bucket="kept", Key=name, Body=name.encode())
                self.acknowledged.append(("object", name))
                if number % 3 == 0:
                    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
                    self.acknowledged.append(("role", name))
        except (BotoCoreError, ClientError, HTTPClientError):
            return


def found(account: Account) -> set[tuple[str, str]]:
    iam, s3 = (account.client(service, "admin") for service in ("iam", "s3"))
    users = [
        user["UserName"]
        for page in iam.get_paginator("list_users").paginate()
        for user in page["Users"]
    ]
    details = [
        user
        for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"])
        for user in page["UserDetailList"]
    ]
    roles = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
    ]
    keys = [
        one["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="kept")
        for one in page.get("Contents", [])
    ]
    return {
        *(("user", name) for name in users),
        *(("policy", user["UserName"]) for user in details if user.get("UserPolicyList")),
        *(("role", name) for name in roles),
        *(("object", name) for name in keys),
    }


def kill_under_writes(folder: Path, times: int, seed: int) -> int:
    """Kill the sandbox at random moments while two writers write; how much was acknowledged."""
    dice = random.Random(seed)
    expected: set[tuple[str, str]] = set()
    account = Account.start(folder)
    try:
        account.client("s3", "admin").create_bucket(Bucket="kept")
        for turn in range(times):
            writers = [Writer(account, f"w{turn}-{number}") for number in range(2)]
            for writer in writers:
                writer.start()
            time.sleep(dice.uniform(0.02, 0.4))
            os.kill(account.endpoint.pid, signal.SIGKILL)
            for writer in writers:
                writer.join()
                expected |= set(writer.acknowledged)
            account = Account.start(folder)
            lost = expected - found(account)
            assert not lost, f"after kill {turn + 1}: {sorted(lost)[:5]}"
            assert account.control("GET", "saved")["differences"] == []
    finally:
        account.stop()
    return len(expected)


def test_nothing_acknowledged_is_lost_when_killed(tmp_path):
    assert kill_under_writes(tmp_path / "sandbox", times=3, seed=1) > 4


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_when_killed_a_hundred_times(tmp_path):
    assert kill_under_writes(tmp_path / "sandbox", times=100, seed=2) > 100


def test_sessions_stacks_and_keys_outlive_a_kill(tmp_path):
    account = Account.start(tmp_path / "sandbox")
    try:
        iam, sts = (account.client(service, "admin") for service in ("iam", "sts"))
        arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        given = sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
        account.control("POST", "clock", {"seconds": 60})
        os.kill(account.endpoint.pid, signal.SIGKILL)
        before, account = account, Account.start(tmp_path / "sandbox")
        assert account.endpoint.instance == before.endpoint.instance
        assert account.keys["admin"] == before.keys["admin"]
        assert account.keys["root"] == before.keys["root"]
        assert account.control("GET", "clock")["offset"] == 60
        account.keys["assumed"] = type(account.keys["admin"]).of(given)
        who = account.client("sts", "assumed").get_caller_identity()["Arn"]
        assert who.endswith("assumed-role/r/me")
    finally:
        account.stop()
