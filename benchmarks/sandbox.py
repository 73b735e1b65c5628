"""The sandbox as a server: start, requests through the gate, requests from many clients."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from benchmarks.accounts import Account, moto_server, sandbox
from benchmarks.measure import Row, at_least, at_most, in_turn, seconds
from benchmarks.signed import Connection, Requests, prepared, storm
from benchmarks.signed import client as signed_by

_BATCH = 50
_STORM = 640


def rows(runs: int) -> list[Row]:
    """Start-up against moto_server; requests against moto behind the same server."""
    with sandbox() as ours, moto_alone() as theirs:
        requests = prepared(ours), prepared(theirs)
        return [
            *_starts(runs),
            *_requests(ours, theirs, requests, max(runs, 15)),
            *_throughput(ours, theirs, requests, runs),
        ]


@contextmanager
def moto_alone() -> Iterator[Account]:
    """moto behind the sandbox's own HTTP server, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.moto_alone"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        port = int(process.stdout.readline())
        try:
            yield Account(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.stdin.close()


def _starts(runs: int) -> list[Row]:
    """From nothing to the first answer of AWS: each server loads what it needs for it."""
    return [
        _start("GetCallerIdentity", lambda to: signed_by(to, "sts").get_caller_identity(), runs),
        _start("ListUsers", lambda to: signed_by(to, "iam").list_users(), runs),
        _start(
            "DescribeStacks", lambda to: signed_by(to, "cloudformation").describe_stacks(), runs
        ),
    ]


def _start(call: str, make: Callable[[Account], object], runs: int) -> Row:
    pairs = [(_started(sandbox, make), _started(moto_server, make)) for _ in range(runs + 1)][1:]
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    row = Row(f"embedded account: start to the answer of {call}", "moto_server", "s", ours, theirs)
    return at_most(row, 1)


def _started(
    server: Callable[[], AbstractContextManager[Account]], make: Callable[[Account], object]
) -> float:
    with ExitStack() as stack:
        return seconds(lambda: make(stack.enter_context(server())))


def _requests(
    ours: Account, theirs: Account, requests: tuple[Requests, Requests], runs: int
) -> list[Row]:
    our_line, their_line = Connection(ours), Connection(theirs)
    rows = []
    for name in requests[0]:
        mine, other = requests[0][name], requests[1][name]
        first, second = in_turn(
            lambda: our_line.send_many(mine, _BATCH),  # noqa: B023
            lambda: their_line.send_many(other, _BATCH),  # noqa: B023
            runs=runs,
        )
        ms = first / _BATCH * 1000, second / _BATCH * 1000
        row = Row(f"request: {name}", "moto alone, same server", "ms", *ms, note=_GATE)
        rows.append(at_most(row, 1.3))
    return rows


_GATE = "authenticated, decided, logged; a write saved: moto alone does none of these"


def _throughput(
    ours: Account, theirs: Account, requests: tuple[Requests, Requests], runs: int
) -> list[Row]:
    mine, others = (list(named.values()) for named in requests)
    rows = []
    for clients in (1, 8, 32):
        each = _STORM // clients
        first, second = in_turn(
            lambda: storm(ours, mine, clients, each),  # noqa: B023
            lambda: storm(theirs, others, clients, each),  # noqa: B023
            runs=runs,
        )
        rates = clients * each / first, clients * each / second
        what = f"the four calls, {clients} client{'s' if clients > 1 else ''}"
        row = Row(what, "moto alone, same server", "requests/s", *rates)
        rows.append(replace(at_least(row, 0.8), note="an error would fail the measurement"))
    return rows
