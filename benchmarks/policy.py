"""How fast the policy engine decides: against moto's evaluator, on the same policies.

moto's evaluator decides less (no principals, no conditions, no boundaries) and explains
nothing: it is given what it knows, one identity-based policy's text, an action and a resource.
Times are seconds of processor time: of one core, whatever else the machine does.
"""

import argparse
import gc
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from moto.iam.access_control import IAMPolicy
from moto.iam.aws_managed_policies import aws_managed_policies_data

from benchmarks.measure import Row, at_least, at_most, in_turn, process
from stslab.policy import NamedPolicy, Policies, PolicyKind, Principal, Request, authorize, parse
from stslab.policy.cases import decision
from stslab.policy.documents.document import Policy, load
from stslab.policy.documents.grammar import read_policy

CASES = 100_000
AIM = 20_000
Asked = tuple[str, str, str]
"""A policy's text, an action and a resource."""
Decider = Callable[[str, str], object]
"""Decides of an action and a resource by one policy."""
_ACCOUNT = "111122223333"
_ALICE = Principal.from_arn(f"arn:aws:iam::{_ACCOUNT}:user/alice")
_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ec2:RunInstances")


def rows(runs: int) -> list[Row]:
    """Throughput of ``stslab simulate --cases``, and how its cost grows."""
    gc.collect()
    gc.freeze()  # moto's size does not count here
    with tempfile.TemporaryDirectory() as folder:
        return [
            _throughput(Path(folder), runs, "500 policies", kinds=500, count=CASES),
            _throughput(Path(folder), runs, "all policies differ", kinds=CASES, count=CASES // 5),
            _by_two(Path(folder) / "500.jsonl", runs, "500 policies", CASES),
            _by_two(Path(folder) / f"{CASES}.jsonl", runs, "all policies differ", CASES // 5),
            *_against_moto(runs),
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
    command: list[str | Path] = [_STSLAB, "simulate", "--cases", file]
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


_STSLAB = Path(sys.executable).with_name("stslab")


def _by_two(file: Path, runs: int, what: str, count: int) -> Row:
    """By the clock on the wall: what two processes and no reasons make of two cores."""
    alone: list[str | Path] = [_STSLAB, "simulate", "--cases", file]
    by_two = [*alone, "--jobs", "2", "--decisions-only"]
    ours, theirs = in_turn(process(by_two), process(alone), runs=min(runs, 3))
    what = f"simulate --cases, --jobs 2 --decisions-only, {what}"
    return at_least(Row(what, "without them", "decisions/s", count / ours, count / theirs), 2)


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


def _for_moto(count: int, kinds: int) -> list[Asked]:
    return [
        (json.dumps(case["identity_policies"][0]), str(case["action"]), str(case["resource"]))  # type: ignore[index]
        for case in cases(count, kinds)
    ]


def _against_moto(runs: int) -> list[Row]:
    """Policies kept, and read anew for each decision, on both sides; AWS's own, and small ones."""
    found = []
    for what, asked in (
        ("AWS's managed policies", _of_aws(count=2_000)),
        ("policies of two statements", _for_moto(2_000, 500)),
    ):
        kept = _deciders(asked, _keep_ours, _keep_moto)
        anew = _deciders(asked, _ours_anew, _moto_anew)
        for how, (ours, theirs) in (("kept", kept), ("read anew each time", anew)):
            mine, other = _in_turn(ours, theirs, runs=max(runs, 5))
            rates = len(asked) / mine, len(asked) / other
            row = Row(f"{what}, {how}", "moto's evaluator", "decisions/s", *rates)
            found.append(at_least(row, 5) if "AWS" in what else replace(row, note=_SMALL))
    return found


_SMALL = (
    "no aim: what a decision costs whatever the policy, principals, conditions and reasons "
    "included, of which moto's evaluator knows nothing"
)


def _of_aws(count: int) -> list[Asked]:
    """Policies that AWS wrote, each asked for an action that labs and applications use."""
    policies = [each["Document"] for each in json.loads(aws_managed_policies_data).values()]
    chance = random.Random(1)
    return [
        (json.dumps(chance.choice(policies)), chance.choice(_USUAL), "arn:aws:s3:::bucket/key.csv")
        for _ in range(count)
    ]


_USUAL = (*_ACTIONS, "iam:PassRole", "sts:AssumeRole", "dynamodb:Query", "logs:PutLogEvents")


def _deciders(
    asked: Sequence[Asked], ours: Callable[[str], Decider], theirs: Callable[[str], Decider]
) -> tuple[Callable[[], object], Callable[[], object]]:
    """All that is asked, decided by either; what they keep is made beforehand."""

    def decide_all(make: Callable[[str], Decider]) -> Callable[[], object]:
        made = {text: make(text) for text, _, _ in asked}
        ready = [(made[text], action, resource) for text, action, resource in asked]

        def decide_each() -> None:
            for decider, action, target in ready:
                decider(action, target)

        return decide_each

    return decide_all(ours), decide_all(theirs)


def _keep_ours(text: str) -> Decider:
    return _deciding_by(parse(text, PolicyKind.IDENTITY))


def _deciding_by(policy: Policy) -> Decider:
    policies = Policies((NamedPolicy("own", policy),))
    return lambda action, resource: authorize(Request(_ALICE, action, resource), policies)


def _ours_anew(text: str) -> Decider:
    def decide(action: str, resource: str) -> object:
        document = load(text)
        policy = Policy(PolicyKind.IDENTITY, document, read_policy(document, PolicyKind.IDENTITY))
        return _deciding_by(policy)(action, resource)

    return decide


def _keep_moto(text: str) -> Decider:
    decide: Decider = IAMPolicy(text).is_action_permitted
    return decide


def _moto_anew(text: str) -> Decider:
    def decide(action: str, resource: str) -> object:
        return _keep_moto(text)(action, resource)

    return decide


def _moto(asked: Sequence[Asked]) -> None:
    for text, action, target in asked:
        _keep_moto(text)(action, target)


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
    chance = random.Random(statements)
    asked = f"arn:aws:s3:::{'a' * length}"

    def decide_new() -> object:
        hostile = [
            {
                "Effect": "Allow",
                "Action": "s3:*" + "*e*t" * 8,
                "Resource": f"arn:aws:s3:::*a*a*a*a*a*a*a*a*a*a*a?b{chance.random()}",
            }
            for _ in range(statements)
        ]
        case = {
            "principal": f"arn:aws:iam::{_ACCOUNT}:user/alice",
            "action": "s3:GetObjectetetetetetetetetet",
            "resource": asked,
            "identity_policies": [{"Version": "2012-10-17", "Statement": hostile}],
        }
        return decision(case).as_dict()

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
