"""What allows a call that should be refused: policies and their statements. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stslab.runner.journal.records import Entry
from stslab.runner.ports import Allowing, Call, Data
from stslab.structures import texts
from stslab.vocabulary import Gate

_GIVES = (Gate.IDENTITY, Gate.SESSION, Gate.RESOURCE), (Gate.TRUST,)
_OF = re.compile(
    r"(?P<how>inline|managed) policy (?P<name>\S+) of (?P<kind>user|role|group) (?P<owner>\S+)"
)
_SOURCE = re.compile(r".*:(user|role|group)/(?:.*/)?(.+)")


def decided_by(gates: Iterable[tuple[Gate, Iterable[Mapping[str, Any]]]]) -> Allowing:
    """The statements that allowed a request, by the ``policies`` that each gate read."""
    known = dict(gates)
    for kinds in _GIVES:
        found = tuple(
            (str(policy["policy"]), str(each["statement"]))
            for gate in kinds
            for policy in known.get(gate, ())
            for each in policy["statements"]
            if each["matches"] and each["effect"] == "Allow"
        )
        if found:
            return found
    return ()


def simulated(params: Data, answer: Data) -> Allowing:
    """The statements that allow what IAM's policy simulator was asked."""
    rows = [row for row in answer.get("EvaluationResults", ()) if row["EvalDecision"] == "allowed"]
    source = _SOURCE.fullmatch(str(params.get("PolicySourceArn", "")))
    return tuple(dict.fromkeys(_matched(rows, *source.groups() if source else ("", ""))))


def _matched(rows: Iterable[Data], kind: str, name: str) -> Iterator[tuple[str, str]]:
    for each in (each for row in rows for each in row["MatchedStatements"]):
        policy, start = str(each["SourcePolicyId"]), each["StartPosition"]
        inline = policy.removeprefix(f"{kind}_{name}_")
        told = (
            f"policy {policy}" if inline == policy else f"inline policy {inline} of {kind} {name}"
        )
        yield told, f"its statement at line {start['Line']}, column {start['Column']}"


def told(allowing: Allowing) -> str:
    """A sentence on what allows a call, or ""."""
    every = "; ".join(f"{policy} ({statement})" for policy, statement in allowing)
    return f"What allows it: {every}." if every else ""


def foreign(allowing: Allowing, entries: Iterable[Entry]) -> Allowing:
    """Those whose policy no call of the run names: the lab has not made it."""
    every = "\n".join(text for entry in entries for text in texts(entry.intent.params))

    def is_named(policy: str) -> bool:
        found = _OF.fullmatch(policy)
        alone = rf"(?<![\w+=,.@-]){re.escape(found['name'])}(?![\w+=,.@-])" if found else ""
        return bool(re.search(alone, every))

    return tuple(one for one in allowing if not is_named(one[0]))


def removal(policy: str, admin: str) -> Call | None:
    """The call that removes a policy from its user, role or group; None if it is of none."""
    found = _OF.fullmatch(policy)
    if found is None:
        return None
    kind = found["kind"].capitalize()
    removes, named = (
        ("Delete", "PolicyName") if found["how"] == "inline" else ("Detach", "PolicyArn")
    )
    names = {f"{kind}Name": found["owner"], named: found["name"]}
    return Call(admin, "iam", f"{removes}{kind}Policy", names)
