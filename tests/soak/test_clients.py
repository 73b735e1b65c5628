"""Sixteen clients do the lab at the same time, for two minutes: no error, nothing lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from tests.clients.lab import BotoLab
from tests.sandbox.cases import Account

log = logging.getLogger(__name__)
CLIENTS = 16
SECONDS = 120
MEGABYTE = 1024
# What the second half of the time may add: the log and the deleted stacks are bounded.
MAY_GROW = 24 * MEGABYTE


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Account]:
    running = Account.start(tmp_path / "sandbox")
    yield running
    running.stop()


def resident(pid: int) -> int:
    """The memory of a process, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def labs(account: Account, client: int, until: float) -> list[str]:
    """Do the lab again and again; of each, a user and an object are kept."""
    kept = []
    for number in count():
        name = f"{client}-{number}"
        lab = BotoLab(account, name)
        lab.run()
        lab.admin["iam"].create_user(UserName=f"kept-{name}")
        lab.admin["s3"].put_object(Bucket="kept", Key=name, Body=name.encode())
        kept.append(name)
        if time.monotonic() > until:
            return kept
    raise AssertionError


def there(account: Account) -> tuple[set[str], set[str]]:
    iam, s3 = account.client("iam", "admin"), account.client("s3", "admin")
    users = {
        user["UserName"]
        for page in iam.get_paginator("list_users").paginate()
        for user in page["Users"]
    }
    keys = {
        one["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="kept")
        for one in page.get("Contents", [])
    }
    return users, keys


@pytest.mark.soak
def test_sixteen_clients_for_two_minutes(own: Account) -> None:
    own.client("s3", "admin").create_bucket(Bucket="kept")
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(labs, own, one, began + SECONDS) for one in range(CLIENTS)]
        time.sleep(SECONDS / 2)
        halfway = resident(own.endpoint.pid)
        kept = {name for one in running for name in one.result()}
    ended = resident(own.endpoint.pid)
    numbers = {"labs": len(kept), "kB halfway": halfway, "kB at the end": ended}
    log.info("%s", numbers)  # shown by --log-cli-level=info
    users = {"admin", *(f"kept-{name}" for name in kept)}
    assert there(own) == (users, kept)
    assert own.control("GET", "saved")["differences"] == []
    own.stop()
    again = Account.start(own.folder)
    assert there(again) == (users, kept)
    assert len(kept) >= CLIENTS
    assert ended - halfway < MAY_GROW, numbers
