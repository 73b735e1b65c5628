"""How costs grow with what there is: statements, steps, events, runs, users.

What is compared is the cost of one step, decision or command beside much history with the
same beside little: where cost is linear in what is worked on and independent of the rest,
the ratio is 1.
"""

import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.accounts import Account, sandbox
from benchmarks.measure import (
    Row,
    at_most,
    each_in_turn,
    exponent,
    in_turn,
    process,
    processor_clock,
)
from benchmarks.persistence import restarted
from benchmarks.signed import Connection, client, one_write, prepared
from benchmarks.startup import stslab
from stslab.runner.journal.records import sealed

_STATEMENTS = (1, 10, 100, 1000)
_READING = (10, 100, 1000)
_MAKING = (10, 20, 40)
_EVENTS = 100_000
_RUNS = 1000
_USERS = 4950  # IAM lets an account have 5,000, and some are there already
_BATCH = 20
_SMALL = 1.25


def rows(runs: int) -> list[Row]:
    """Every kind of growth, from little to much."""
    with sandbox() as little, sandbox() as much:
        found = [
            _statements(runs),
            _steps("steps that read", _READING, _reading_step, little, runs),
            _steps("steps that make a user, undone", _MAKING, _making_step, little, runs),
        ]
        _remember(little, much)
        found += _history(little, much, runs)
        iam = client(much, "iam")
        for number in range(_USERS):
            iam.create_user(UserName=f"one-of-many-{number}")
        return found + _users(little, much, runs)


# Statements


def _statements(runs: int) -> Row:
    works = [_deciding(count) for count in _STATEMENTS]
    times = each_in_turn(works, runs=max(runs, 5), clock=processor_clock)
    each = [one / _BATCH / count * 1e6 for one, count in zip(times, _STATEMENTS, strict=True)]
    row = Row("a decision by 1,000 statements, a statement", "by 100", "us", each[3], each[2])
    return at_most(replace(row, note=_fitted(_STATEMENTS, times)), _SMALL)


def _deciding(count: int):
    from stslab import policy as engine

    written = [
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": f"arn:aws:s3:::bucket-{n}/*"}
        for n in range(count)
    ]
    document = engine.parse(
        {"Version": "2012-10-17", "Statement": written}, engine.PolicyKind.IDENTITY
    )
    policies = engine.Policies((engine.NamedPolicy("own", document),))
    alice = engine.Principal.from_arn("arn:aws:iam::111122223333:user/alice")
    key = itertools.count()

    def decide() -> None:
        for _ in range(_BATCH):
            asked = f"arn:aws:s3:::bucket-x/{next(key)}"
            engine.authorize(engine.Request(alice, "s3:GetObject", asked, {}), policies)

    return decide


# Steps


def _steps(what: str, counts: Sequence[int], step, account: Account, runs: int) -> Row:
    works = [_run(account, _lab(account.home, count, step)) for count in counts]
    times = each_in_turn(works, runs=runs)
    less = (times[1] - times[0]) / (counts[1] - counts[0]) * 1000
    more = (times[2] - times[1]) / (counts[2] - counts[1]) * 1000
    few, many = f"{counts[0]} to {counts[1]}", f"{counts[1]} to {counts[2]:,}"
    row = Row(f"a lab's {what}, {many}: one more", f"{few}: one more", "ms", more, less)
    told = ", ".join(f"{n:,}: {t:.2f} s" for n, t in zip(counts, times, strict=True))
    return at_most(replace(row, note=f"whole runs of {told}"), _SMALL)


def _run(account: Account, lab: Path):
    return process([stslab(), "run", "--yes", lab], env={"STSLAB_HOME": str(account.home)})


def _run_ten(account: Account):
    return _run(account, _lab(account.home, 10, _making_step))


def _lab(folder: Path, count: int, step) -> Path:
    path = folder / f"{step.__name__.strip('_').replace('_', '-')}-{count}.yaml"
    steps = "".join(step(number) for number in range(count))
    path.write_text(_HEAD.format(id=path.stem) + steps + _TAIL)
    return path


def _reading_step(number: int) -> str:
    return f"      - {{title: Who am I {number}, as: admin, call: sts.GetCallerIdentity}}\n"


def _making_step(number: int) -> str:
    tags = '[{Key: "stslab:run", Value: "${{ run.id }}"}]'
    named = f'{{UserName: "u{number}-${{{{ run.id }}}}", Tags: {tags}}}'
    return (
        f"      - title: Make user {number}\n        as: admin\n        call: iam.CreateUser\n"
        f"        with: {named}\n        undo: iam.DeleteUser\n"
    )


_HEAD = """stslab: 1
id: {id}
title: Many steps
stages:
  - id: many
    title: Many steps
    intro: One after the other.
    steps:
"""
_TAIL = """    checkpoint:
      - {says: It is me, as: admin, call: sts.GetCallerIdentity, expect: "Arn != ''"}
  - id: cleanup
    title: Undo everything
    intro: All of it.
    cleanup: true
    checkpoint:
      - {says: Still me, as: admin, call: sts.GetCallerIdentity, expect: "Arn != ''"}
"""


# What a journal remembers


def _remember(little: Account, much: Account) -> None:
    """Let one journal remember a run, and the other a thousand of them with 100,000 events."""
    for account in (little, much):
        (account.home / "journal.sqlite").unlink(missing_ok=True)
        _run_ten(account)()
    with closing(sqlite3.connect(much.home / "journal.sqlite")) as journal, journal:
        found = "SELECT run, kind, at, body FROM records ORDER BY number"
        records = journal.execute(found).fetchall()
        checks = itertools.cycle([one for one in records if one[1] == "check"])
        records += itertools.islice(checks, _EVENTS // _RUNS - len(records))
        for number in range(_RUNS - 1):
            _repeat(journal, records, f"run{number}")


def _repeat(journal: sqlite3.Connection, records: Sequence[tuple[str, ...]], run: str) -> None:
    """Another run that did what the records tell, each sealed with the one before it."""
    seal, rows = "", []
    for number, (first, kind, at, text) in enumerate(records, start=1):
        body = text.replace(first, run)
        seal = sealed(run, seal, number, kind, at, body)
        rows.append((run, number, kind, at, body, seal))
    journal.executemany(
        "INSERT INTO records (run, number, kind, at, body, seal) VALUES (?, ?, ?, ?, ?, ?)", rows
    )


def _history(little: Account, much: Account, runs: int) -> list[Row]:
    beside = f"{_RUNS:,} runs, {_EVENTS:,} events in the journal"
    found = []
    for what, command in (
        ("stslab status", _status),
        ("a lab of 10 steps", _run_ten),
    ):
        ours, theirs = in_turn(command(much), command(little), runs=max(runs, 9))
        row = Row(f"{what}, {beside}", "1 run", "ms", ours * 1000, theirs * 1000)
        found.append(at_most(row, _SMALL))
    return found


def _status(account: Account):
    return process([stslab(), "status"], env={"STSLAB_HOME": str(account.home)})


# Users


def _users(little: Account, much: Account, runs: int) -> list[Row]:
    found = []
    for what, asked in (
        ("GetUser", lambda account: prepared(account)["GetUser"]),
        ("PutUserPolicy", one_write),
    ):
        with _lines(much, little) as (many, few):
            requests = asked(much), asked(little)
            ours, theirs = in_turn(
                lambda: many.send_many(requests[0], _BATCH),  # noqa: B023
                lambda: few.send_many(requests[1], _BATCH),  # noqa: B023
                runs=max(runs, 15),
            )
        ms = ours / _BATCH * 1000, theirs / _BATCH * 1000
        row = Row(f"{what}, {_USERS:,} users in the account", "some 10 users", "ms", *ms)
        found.append(at_most(row, _SMALL))
    ours, theirs = in_turn(lambda: restarted(much), lambda: restarted(little), runs=runs)
    each = (ours - theirs) / _USERS * 1e6
    row = Row(
        f"embedded account: stop and start, {_USERS:,} users", "some 10 users", "s", ours, theirs
    )
    return [*found, replace(row, note=f"a start reads the account: {each:.0f} us a user")]


@contextmanager
def _lines(*accounts: Account):
    lines = [Connection(account) for account in accounts]
    try:
        yield lines
    finally:
        for line in lines:
            line.close()


def _fitted(sizes: Sequence[float], times: Sequence[float]) -> str:
    power = exponent(sizes, times)
    return f"time grows as the {power:.2f}th power from {sizes[0]:,} to {sizes[-1]:,}"
