"""Killed in the middle of writes, again and again: whatever was acknowledged is there."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.sandbox.cases import Account

KILLS = 100
CLIENTS = 4


class Writer(threading.Thread):
    """Writes until the account is gone; knows what was acknowledged."""

    def __init__(self, account: Account, mark: str) -> None:
        super().__init__()
        self.users: list[str] = []
        self.objects: list[str] = []
        self.keys: list[str] = []
        self._iam, self._s3 = account.client("iam", "admin"), account.client("s3", "admin")
        self._sts = account.client("sts", "admin")
        self._mark = mark

    def run(self) -> None:
        try:
            for number in range(10_000):
                name = f"{self._mark}-{number}"
                self._iam.create_user(UserName=name)
                self.users.append(name)
                self._s3.put_object(Bucket="kept", Key=name, Body=name.encode())
                self.objects.append(name)
                token = self._sts.get_session_token()
                self.keys.append(token["Credentials"]["AccessKeyId"])
        except (BotoCoreError, ClientError):
            return  # it was killed


@pytest.mark.soak
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    account = Account.start(tmp_path / "sandbox")
    account.client("s3", "admin").create_bucket(Bucket="kept")
    written = 0
    for kill in range(KILLS):
        writers = [Writer(account, f"{kill}-{one}") for one in range(CLIENTS)]
        for one in writers:
            one.start()
        threading.Event().wait(chance.uniform(0.05, 0.5))
        os.kill(account.endpoint.pid, signal.SIGKILL)
        for one in writers:
            one.join()
        account = Account.start(account.folder)
        written += sum(map(_there, [account] * CLIENTS, writers))
    assert written > KILLS
    assert account.control("GET", "saved")["differences"] == []
    account.stop()


def _there(account: Account, writer: Writer) -> int:
    iam, s3 = account.client("iam", "admin"), account.client("s3", "admin")
    for name in writer.users:
        assert iam.get_user(UserName=name)["User"]["UserName"] == name
    for name in writer.objects:
        assert s3.get_object(Bucket="kept", Key=name)["Body"].read() == name.encode()
    for key in writer.keys:
        assert account.control("GET", f"key?id={key}")["temporary"]
    return len(writer.users)
