"""AWS's documentation of policies, as data: one test for each case of tests/cases/policy.

A file has a ``source`` (the page's title), names (``names`` for ARNs, ``policies`` for lists
of statements, which cases refer to) and lists of cases, each with a ``why``:

- ``conditions``: a ``condition`` (or ``op``, ``wants`` and the group's ``key``), the ``context``
  (or ``has``), and whether it ``holds``: as an Allow and as a Deny; of a ``session`` policy if
  that is its ``kind``.
- ``decisions``: a request and policies, and what to ``expect``, with parts of the ``reason``;
  perhaps the ``gates`` that refused, and the condition ``keys`` that decided.
- ``malformed`` and ``accepted``: documents of a ``kind``, which IAM refuses or takes.
- ``notes``: documents with the ``codes`` of what a person would want to know.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import yaml_files
from tests.policy.cases import decide

from stslab.errors import MalformedPolicy
from stslab.policy import PolicyKind, parse
from stslab.policy.cases import decision
from stslab.policy.decision import refusal
from stslab.policy.findings import findings

FOLDER = Path(__file__).parents[1] / "cases" / "policy"
ALICE = "arn:aws:iam::111122223333:user/alice"
SESSION = "arn:aws:sts::111122223333:assumed-role/porter/alice"
ANYTHING = {"Action": "*", "Resource": "*"}
HOLDS = {
    True: ("Allowed", "ExplicitlyDenied"),
    False: ("ImplicitlyDenied", "Allowed"),
    "in a Deny": ("ImplicitlyDenied", "ExplicitlyDenied"),
}
"""The decisions with the condition in an Allow, and in a Deny."""
SHORT = {
    "identity": "identity_policies",
    "boundary": "permissions_boundaries",
    "session": "session_policies",
    "scps": "service_control_policies",
    "rcps": "resource_control_policies",
}
LEVELS = {"scps", "rcps"}
NO_PART_OF_A_CASE = {"why", "expect", "reason", "gates", "keys"}


def document(given: Any, policies: Mapping[str, Any]) -> Any:
    """A policy: by its name, as a list of statements, or as it is."""
    found = policies[given] if isinstance(given, str) else given
    return {"Version": "2012-10-17", "Statement": found} if isinstance(found, list) else found


def several(given: Any, policies: Mapping[str, Any]) -> list[Any]:
    """Policies: one name, or a list of names and documents."""
    each = [given] if isinstance(given, str) else given
    return [document(one, policies) for one in each]


def expand(case: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """The case as programs write it, with the file's names replaced."""
    names, policies = file.get("names", {}), file.get("policies", {})
    found = {}
    for field, value in {**file.get("request", {}), **case}.items():
        if field in NO_PART_OF_A_CASE:
            continue
        if field in LEVELS:
            found[SHORT[field]] = [several(level, policies) for level in value]
        elif field in SHORT:
            found[SHORT[field]] = several(value, policies)
        elif field == "resource_policy":
            found[field] = document(value, policies)
        else:
            found[field] = names.get(value, value) if isinstance(value, str) else value
    return found


def check_decision(case: Mapping[str, Any], file: Mapping[str, Any]) -> None:
    found = decide(expand(case, file))
    assert found.get("decision") == case["expect"], found
    reason = case.get("reason", [])
    for part in [reason] if isinstance(reason, str) else reason:
        assert part in found["reason"]
    told = refusal(decision(expand(case, file)))
    assert bool(told.gates) <= (case["expect"] != "Allowed")
    if "gates" in case:
        assert list(told.gates) == case["gates"]
    if "keys" in case:
        assert list(told.keys) == case["keys"]


def _one_condition(case: Mapping[str, Any]) -> dict[str, Any]:
    return {case["op"]: {case["key"]: case["wants"]}}


def check_condition(case: Mapping[str, Any]) -> None:
    condition = case["condition"] if "condition" in case else _one_condition(case)
    context = case.get("context", {case["key"]: case["has"]} if "has" in case else {})
    allow = {"Effect": "Allow", **ANYTHING}
    request: dict[str, Any] = {
        "principal": ALICE,
        "action": "s3:GetObject",
        "resource": "arn:aws:s3:::shop/a",
    }
    kind = case.get("kind", "identity")
    if kind == "session":
        request |= {"principal": SESSION, "identity_policies": [document([allow], {})]}
    as_allow, as_deny = (
        [{**allow, "Condition": condition}],
        [allow, {"Effect": "Deny", **ANYTHING, "Condition": condition}],
    )
    for statements, wanted in zip((as_allow, as_deny), HOLDS[case["holds"]], strict=True):
        policy = {"Version": case.get("version", "2012-10-17"), "Statement": statements}
        found = decide({**request, "context": context, SHORT[kind]: [policy]})
        assert found.get("decision") == wanted, found


def check_malformed(case: Mapping[str, Any]) -> None:
    with pytest.raises(MalformedPolicy) as caught:
        parse(_written(case), PolicyKind[case["kind"].upper()])
    for part in case.get("says", []):
        assert part in str(caught.value)


def check_accepted(case: Mapping[str, Any]) -> None:
    parse(_written(case), PolicyKind[case["kind"].upper()])


def check_notes(case: Mapping[str, Any]) -> None:
    policy = parse(_written(case), PolicyKind[case["kind"].upper()])
    codes = {finding.code for finding in findings(policy)}
    assert set(case.get("codes", [])) <= codes
    assert codes.isdisjoint(case.get("without", []))


def _written(case: Mapping[str, Any]) -> Any:
    """The document, or a good one around a statement."""
    if "statement" in case:
        return {"Version": "2012-10-17", "Statement": [case["statement"]]}
    return case["document"]


def _rows(file: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group in file.get("conditions", []):
        shared = {name: value for name, value in group.items() if name != "rows"}
        for row in group.get("rows", [{}]):
            yield {**shared, **row}


def _tests() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.yaml")):
        file = yaml_files.read(path)
        assert file["source"], path
        found = [(case, partial(check_condition, case)) for case in _rows(file)]
        for case in file.get("decisions", []):
            found.append((case, partial(check_decision, case, file)))
        for name, check in {
            "malformed": check_malformed,
            "accepted": check_accepted,
            "notes": check_notes,
        }.items():
            found += [(case, partial(check, case)) for case in file.get(name, [])]
        for number, (case, test) in enumerate(found, 1):
            what = " ".join(str(case[name]) for name in ("op", "why") if name in case)
            yield pytest.param(test, id=f"{path.stem}-{number:03}-{what}")


@pytest.mark.parametrize("test", list(_tests()))
def test_documented(test):
    test()
