"""What one write costs in a small account and in a large one, and what a large one costs else."""

from benchmarks.accounts import Account, fresh, sandbox
from benchmarks.measure import Row, at_most, in_turn, seconds
from benchmarks.signed import Connection, client, one_write, prepared
from stslab.sandbox.server import client as sandboxes

_BATCH = 20
_MEGABYTE = 1024 * 1024
_MEGABYTES = 100


def rows(runs: int) -> list[Row]:
    """The same calls to an account of some KB, and to one of 100 MB."""
    with sandbox() as small, sandbox() as large:
        fill(large, _MEGABYTES)
        found = [_writes(small, large, runs), _objects(small, large, runs)]
        return [*found, _restart(small, large, runs)]


def fill(account: Account, megabytes: int) -> None:
    """Put so many objects of a megabyte into a new bucket."""
    s3, bucket = client(account, "s3"), fresh("bench-full")
    s3.create_bucket(Bucket=bucket)
    for number in range(megabytes):
        body = number.to_bytes(4) * (_MEGABYTE // 4)  # the same bodies would be kept once
        s3.put_object(Bucket=bucket, Key=f"{number:06}", Body=body)


def _writes(small: Account, large: Account, runs: int) -> Row:
    return _compared("a write (PutUserPolicy)", small, large, one_write, runs)


def _objects(small: Account, large: Account, runs: int) -> Row:
    def put(account: Account) -> bytes:
        return prepared(account)["PutObject 1 KB"]

    return _compared("PutObject 1 KB", small, large, put, runs)


def _compared(what: str, small: Account, large: Account, request, runs: int) -> Row:
    lines, asked = (Connection(large), Connection(small)), (request(large), request(small))
    ours, theirs = in_turn(
        lambda: lines[0].send_many(asked[0], _BATCH),
        lambda: lines[1].send_many(asked[1], _BATCH),
        runs=max(runs, 15),
    )
    ms = ours / _BATCH * 1000, theirs / _BATCH * 1000
    row = Row(f"{what}, account of {_MEGABYTES} MB", "account of a few KB", "ms", *ms)
    return at_most(row, 1.25)


def _restart(small: Account, large: Account, runs: int) -> Row:
    ours, theirs = in_turn(lambda: restarted(large), lambda: restarted(small), runs=runs)
    return Row(
        f"embedded account: stop and start, account of {_MEGABYTES} MB",
        "account of a few KB",
        "s",
        ours,
        theirs,
        note="a start reads the whole account",
    )


def restarted(account: Account) -> float:
    """Stop the account's sandbox and start it again; seconds."""
    place = account.home / "sandbox"

    def again() -> None:
        sandboxes.stop(place)
        sandboxes.ensure(place)

    return seconds(again)
