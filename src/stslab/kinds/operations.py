"""Which operations change what: the rules that a changing call must keep.

A call may change only what is the run's own. Each rule of ``operations.yaml`` says where a
call's parameters, or a resource's properties, name something (JMESPath), and what that must be;
:mod:`stslab.kinds.judge` judges by them.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from stslab.kinds.table import Row, read


class Must(StrEnum):
    """What the value that a rule finds must be."""

    OWN = "own"  # names a thing of the rule's kind that is the run's own
    NEW = "new"  # names a new thing of the rule's kind: the name holds the run's id
    TAGGED = "tagged"  # a list of tags with the run's own among them
    UNTAGGED = "untagged"  # names no tag by which a run knows its things, or gives it its value
    ATTACHED = "attached"  # the ARN of a managed policy: the run's own, or AWS's
    ROLE = "role"  # a role: the run's own, or one that the lab declares
    TRUST = "trust"  # a policy that lets in nobody whom the lab may not let in
    RIGHTS = "rights"  # a policy of the run's own; wide ones are told
    PRIVATE = "private"  # an access control list that lets in nobody else
    SOURCE = "source"  # what an object is copied from: the run's own bucket
    TEMPLATE = "template"  # a template, whose resources keep the rules of their types
    NAME = "name"  # a name, no ARN
    ABSENT = "absent"  # not there: what it leads to can't be judged, or undone
    EMBEDDED = "embedded"  # belongs to the whole account: on the embedded account only


class Rule(msgspec.Struct, frozen=True):
    """One rule. ``needed``: what it looks for must be there."""

    must: Must
    where: str = ""
    kind: str = ""
    needed: bool = False
    implied: bool = False  # a user that is left out is the one that calls
    either: tuple["Rule", ...] = ()  # rules of which one must hold
    says: str = ""  # why something must be absent


Rules = tuple[Rule, ...]


def _rules(written: object) -> Iterator[Rule]:
    for row in msgspec.convert(written, list[Row | list[object]]):
        if isinstance(row, list):
            yield from _rules(row)
        else:
            yield _rule(row)


def _rule(row: Row) -> Rule:
    row = dict(row)
    either = tuple(_rules(row.pop("either", [])))
    must = next((one for one in Must if one in row), Must.OWN)
    first, place = row.pop(must, ""), row.pop("in", row.get("if"))
    needed = place is not None and row.pop("if", None) is None
    about = {"where": first} if place is None else {"kind": first, "where": place}
    return msgspec.convert({"must": must, "needed": needed, "either": either, **about, **row}, Rule)


def _by_name(section: str) -> dict[str, Rules]:
    rows = read("operations.yaml")[section].items()
    return {name: tuple(_rules(rules)) for names, rules in rows for name in names.split(", ")}


HOME = frozenset({"iam", "sts", "s3", "cloudformation", "embedded"})
"""The services that stslab knows: those of the embedded account, and what only it has."""
CHANGES: Mapping[str, Rules] = {
    f"{service}.{name}": rules for service in HOME for name, rules in _by_name(service).items()
}
"""The rules of each changing operation; with a change set's type, where it has rules of its own."""
RESOURCES: Mapping[str, Rules] = _by_name("resources")
"""The rules of each type of resource that costs nothing, over its properties."""

_READS_AT_HOME = (
    "Decode", "Describe", "Detect", "Estimate", "Generate", "Get", "Head", "List", "Select",
    "Simulate", "Validate",
)  # fmt: skip
_READS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search")


def changes(call: str) -> bool:
    """Whether a call (``service.Operation``) may change something, or hand out a role."""
    service, _, operation = call.partition(".")
    reads = _READS_AT_HOME if service in HOME else _READS
    return call in CHANGES or not operation.startswith(reads)
