"""How fast the policy engine decides: against moto's evaluator, on the same policies.

moto's evaluator decides less (no principals, no conditions, no boundaries) and explains
nothing: it is given what it knows, one identity-based policy's text, an action and a resource.
Times are seconds of processor time: of one core, whatever else the machine does.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Row, at_most, process

CASES = 100_000
AIM = 20_000
_ACCOUNT = "111122223333"
_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ec2:RunInstances")


def rows(runs: int) -> list[Row]:
    """Throughput of ``stslab simulate --cases``, and how its cost grows."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            _throughput(Path(folder), runs, "500 policies", kinds=500, count=CASES),
            _throughput(Path(folder), runs, "all policies differ", kinds=CASES, count=CASES // 5),
            _one_policy(runs),
            _by_statements(runs),
            _by_length(runs),
        ]


def document(number: int) -> dict[str, object]:
    """An identity-based policy of two statements: wildcards, a variable, two conditions."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": f"Work{number}",
                "Effect": "Allow",
                "Action": ["s3:Get*", "s3:List*", "s3:PutObject"],
                "Resource": [
                    f"arn:aws:s3:::bucket-{number}/*",
                    "arn:aws:s3:::home/${aws:username}/*",
                ],
            },
            {
                "Effect": "Deny",
                "Action": "s3:Delete*",
                "Resource": "*",
                "Condition": {
                    "StringNotLike": {"aws:PrincipalArn": f"arn:aws:iam::*:user/admin-{number}-*"},
                    "Bool": {"aws:SecureTransport": "false"},
                },
            },
        ],
    }


def cases(count: int, kinds: int) -> Iterable[dict[str, object]]:
    """Made-up cases, always the same; every third has a bucket policy, every fifth a limit."""
    chance = random.Random(1)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for number in range(count):
        kind = chance.randrange(kinds) if kinds < count else number
        user = f"arn:aws:iam::{_ACCOUNT}:user/user-{chance.randrange(1000)}"
        case: dict[str, object] = {
            "id": number,
            "principal": user,
            "action": chance.choice(_ACTIONS),
            "resource": f"arn:aws:s3:::bucket-{kind}/reports/{number}.csv",
            "resource_account": _ACCOUNT,
            "context": {"aws:SecureTransport": "true", "aws:SourceIp": "203.0.113.7"},
            "identity_policies": [document(kind)],
        }
        if number % 3 == 0:
            statement = {**everything, "Action": "s3:Get*", "Principal": {"AWS": _ACCOUNT}}
            case["resource_policy"] = {"Version": "2012-10-17", "Statement": [statement]}
        if number % 5 == 0:
            limit = {"Version": "2012-10-17", "Statement": [everything]}
            case["service_control_policies"] = [[limit]]
        yield case


def _throughput(folder: Path, runs: int, what: str, *, kinds: int, count: int) -> Row:
    file = folder / f"{kinds}.jsonl"
    with file.open("w") as stream:
        stream.writelines(f"{json.dumps(case)}\n" for case in cases(count, kinds))
    command = [Path(sys.executable).with_name("stslab"), "simulate", "--cases", file]
    asked = _for_moto(count // 10, kinds)
    ours, theirs = _in_turn(process(command), lambda: _moto(asked), runs=min(runs, 3))
    rate = count / ours
    row = Row(
        f"simulate --cases, {count:,} cases, {what}",
        "moto's evaluator, JSON in",
        "decisions/s",
        rate,
        len(asked) / theirs,
    )
    return replace(row, aim=f"{AIM:,} decisions/s", holds=rate >= AIM, note=_WHOLE)


_WHOLE = "a whole process: start, JSON Lines in, all policy types, explanations as JSON out"


def _in_turn(
    ours: Callable[[], object], theirs: Callable[[], object], *, runs: int
) -> tuple[float, float]:
    """As ``benchmarks.measure.in_turn``, in processor time, that of child processes included."""
    pairs = [(_processor_seconds(ours), _processor_seconds(theirs)) for _ in range(runs + 1)][1:]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _processor_seconds(work: Callable[[], object]) -> float:
    before = _processor_clock()
    work()
    return _processor_clock() - before


def _processor_clock() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _one_policy(runs: int) -> Row:
    asked = _for_moto(CASES // 10, 500)
    ours, theirs = _in_turn(lambda: _ours(asked), lambda: _moto(asked), runs=max(runs, 5))
    each = 1e6 / len(asked)
    what = "a decision by one policy's text, unexplained"
    row = Row(what, "moto's evaluator", "us", ours * each, theirs * each)
    return replace(row, note="policies are compiled once; conditions and principals count here")


def _for_moto(count: int, kinds: int) -> list[tuple[str, str, str]]:
    return [
        (json.dumps(case["identity_policies"][0]), str(case["action"]), str(case["resource"]))  # type: ignore[index]
        for case in cases(count, kinds)
    ]


def _ours(asked: list[tuple[str, str, str]]) -> None:
    from stslab.policy import (
        NamedPolicy,
        Policies,
        PolicyKind,
        Principal,
        Request,
        authorize,
        parse,
    )

    alice = Principal.from_arn(f"arn:aws:iam::{_ACCOUNT}:user/alice")
    for text, action, target in asked:
        policy = NamedPolicy("own", parse(text, PolicyKind.IDENTITY))
        authorize(Request(alice, action, target), Policies((policy,)))


def _moto(asked: list[tuple[str, str, str]]) -> None:
    from moto.iam.access_control import IAMPolicy

    for text, action, target in asked:
        IAMPolicy(text).is_action_permitted(action, target)


def _by_statements(runs: int) -> Row:
    few, many = _deciding(100), _deciding(1000)
    ours, theirs = _in_turn(many, few, runs=max(runs, 5))
    row = Row(
        "a policy of 1,000 hostile statements, a statement",
        "a policy of 100, a statement",
        "us",
        ours / 1000 * 1e6,
        theirs / 100 * 1e6,
        note="read and decided anew each time",
    )
    return at_most(row, 1.5)


def _deciding(statements: int, length: int = 400) -> Callable[[], object]:
    from stslab.policy.cases import decide

    chance = random.Random(statements)
    asked = f"arn:aws:s3:::{'a' * length}"

    def decide_new() -> object:
        hostile = [
            {
                "Effect": "Allow",
                "Action": "s3:*" + "*e*t" * 8,
                "Resource": f"arn:aws:s3*:::*a*a*a*a*a*a*a*a*a*a*a?b{chance.random()}",
            }
            for _ in range(statements)
        ]
        case = {
            "principal": f"arn:aws:iam::{_ACCOUNT}:user/alice",
            "action": "s3:GetObjectetetetetetetetetet",
            "resource": asked,
            "identity_policies": [{"Version": "2012-10-17", "Statement": hostile}],
        }
        return decide(case)

    return decide_new


def _by_length(runs: int) -> Row:
    short, long = _deciding(100, 400), _deciding(100, 4000)
    ours, theirs = _in_turn(long, short, runs=max(runs, 5))
    row = Row(
        "hostile wildcards on a text of 4,000 characters",
        "on one of 400",
        "ms",
        ours * 1000,
        theirs * 1000,
        note="ten times the text: linear is 10",
    )
    return at_most(row, 15)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    for row in rows(parser.parse_args().runs):
        print(f"{row.what}: {row.ours:,.1f} {row.unit}; {row.against}: {row.theirs:,.1f}")
        print(f"    ratio {row.ratio:.2f}; aim: {row.aim}; {'holds' if row.holds else 'misses'}")


if __name__ == "__main__":
    main()
