"""Many clients at once: reads wait for nobody, and each sees one snapshot."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.direct import Direct

CLIENTS = 16


def test_a_read_sees_one_snapshot(direct: Direct) -> None:
    """Two tags that are always changed together are never seen apart."""
    iam = direct.client("iam")
    iam.create_user(UserName="ann", Tags=tagged(0))
    ended = threading.Event()

    def write() -> None:
        for number in range(1, 60):
            iam.tag_user(UserName="ann", Tags=tagged(number))
        ended.set()

    def read(_: int) -> int:
        seen = 0
        while not ended.is_set():
            a, b = (tag["Value"] for tag in iam.list_user_tags(UserName="ann")["Tags"])
            assert a == b
            seen += 1
        return seen

    writing = threading.Thread(target=write)
    with ThreadPoolExecutor(CLIENTS) as pool:
        reading = pool.map(read, range(CLIENTS))
        writing.start()
        assert sum(reading) > 0
    writing.join()


def tagged(number: int) -> list[dict[str, str]]:
    return [{"Key": key, "Value": str(number)} for key in ("a", "b")]


def test_reads_go_on_during_a_long_write(direct: Direct) -> None:
    iam, s3 = direct.client("iam"), direct.client("s3")
    s3.create_bucket(Bucket="buck")
    s3.put_object(Bucket="buck", Key="k", Body=b"x")
    iam.list_users()
    with direct.state.transaction() as tx, ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(iam.list_users) for _ in range(CLIENTS)]
        asked += [pool.submit(s3.get_object, Bucket="buck", Key="k") for _ in range(CLIENTS)]
        assert all(one.result(timeout=60) for one in asked)
        assert not tx.changes


def test_concurrent_writes_are_all_saved(direct: Direct) -> None:
    iam = direct.client("iam")

    def make(number: int) -> None:
        iam.create_user(UserName=f"u{number}")
        iam.tag_user(UserName=f"u{number}", Tags=tagged(number))

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(make, range(5 * CLIENTS)))
    names = {user["UserName"] for user in iam.list_users(MaxItems=1000)["Users"]}
    assert names == {"admin", *(f"u{number}" for number in range(5 * CLIENTS))}
