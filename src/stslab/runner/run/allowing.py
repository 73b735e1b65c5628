"""What allows a call that should be refused: policies and their statements. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stslab.runner.journal.records import Entry
from stslab.runner.ports import Allowing, Call, Data
from stslab.structures import texts
from stslab.vocabulary import Gate

_GIVES = (Gate.IDENTITY, Gate.SESSION, Gate.RESOURCE)
_OF = re.compile(
    r"(?P<how>inline|managed) policy (?P<name>\S+) of (?P<kind>user|role|group) (?P<owner>\S+)"
    r"|bucket policy of (?P<bucket>\S+)"
)
_SOURCE = re.compile(r".*:(user|role|group)/(?:.*/)?(.+)")
_WORD = re.compile(r"[\w+=,.@:/-]+")  # a policy's name, or its ARN


def decided_by(gates: Iterable[tuple[Gate, Iterable[Mapping[str, Any]]]]) -> Allowing:
    """The statements that allowed a request, by the ``policies`` that each gate read."""
    found = {
        (str(policy["policy"]), str(each["statement"])): gate
        for gate, policies in gates
        for policy in policies
        for each in policy["statements"]
        if each["matches"] and each["effect"] == "Allow"
    }
    gives = tuple(one for one, gate in found.items() if gate in _GIVES)
    return gives or tuple(one for one, gate in found.items() if gate is Gate.TRUST)


def simulated(params: Data, answer: Data) -> Allowing:
    """The statements that allow what IAM's policy simulator was asked."""
    source = _SOURCE.fullmatch(str(params.get("PolicySourceArn", "")))
    kind, name = source.groups() if source else ("", "")
    found = dict[tuple[str, str], None]()
    rows = [row for row in answer.get("EvaluationResults", ()) if row["EvalDecision"] == "allowed"]
    for each in (each for row in rows for each in row.get("MatchedStatements", ())):
        policy, start = str(each["SourcePolicyId"]), each["StartPosition"]
        own = policy.removeprefix(f"{kind}_{name}_")
        called = f"policy {policy}" if own == policy else f"inline policy {own} of {kind} {name}"
        found[called, f"its statement at line {start['Line']}, column {start['Column']}"] = None
    return tuple(found)


def told(allowing: Allowing) -> str:
    """A sentence on what allows a call, or ""."""
    every = "; ".join(f"{policy} ({statement})" for policy, statement in allowing)
    return f"What allows it: {every}." if every else ""


def foreign(allowing: Allowing, entries: Iterable[Entry]) -> Allowing:
    """Those by policies that no call of the run names: the lab did not make them."""
    calls = [entry.intent for entry in entries]
    own = {word for call in calls for text in texts(call.params) for word in _WORD.findall(text)}
    puts = {call.params.get("Bucket") for call in calls if call.operation == "PutBucketPolicy"}
    found = ((one, _OF.fullmatch(one[0])) for one in allowing)
    return tuple(
        one
        for one, policy in found
        if policy
        and (policy["name"] or "AWS::S3::BucketPolicy") not in own
        and policy["bucket"] not in puts
    )


def removal(policy: str, admin: str) -> Call | None:
    """The call that removes a policy from its user, role, group or bucket; None for others."""
    found = _OF.fullmatch(policy)
    if found is None:
        return None
    if found["bucket"]:
        return Call(admin, "s3", "DeleteBucketPolicy", {"Bucket": found["bucket"]})
    kind, inline = found["kind"].capitalize(), found["how"] == "inline"
    names = {f"{kind}Name": found["owner"], "PolicyName" if inline else "PolicyArn": found["name"]}
    return Call(admin, "iam", f"{'Delete' if inline else 'Detach'}{kind}Policy", names)
