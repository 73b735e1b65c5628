"""The rules of ``operations.yaml``: what calls that change something may name."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from stslab.structures import beside


class Must(StrEnum):
    """What a rule requires of the value."""

    OWN = "own"  # the name of a thing of the rule's kind that is the run's own
    NEW = "new"  # the name of a new thing of the rule's kind: it contains the run's id
    TAGGED = "tagged"  # a list of tags that has the run's tag
    UNTAGGED = "untagged"  # tags without the run's tag, unless with its own value
    ATTACHED = "attached"  # the ARN of a managed policy: the run's own, or AWS's
    ROLE = "role"  # a role: the run's own, or one that the lab declares
    TRUST = "trust"  # a policy that lets in only principals that the lab may let in
    RIGHTS = "rights"  # a policy for the run's own things; a note is given if it is wide
    PRIVATE = "private"  # an access control list that lets in nobody else
    SOURCE = "source"  # the source of a copied object: the run's own bucket
    TEMPLATE = "template"  # a template whose resources keep the rules of their types
    NAME = "name"  # a name, not an ARN
    ABSENT = "absent"  # missing: its effect can't be judged or undone
    EMBEDDED = "embedded"  # affects the whole account: only allowed on the embedded account


class Rule(msgspec.Struct, frozen=True):
    must: Must
    where: str = ""
    kind: str = ""
    needed: bool = False  # the value must be present
    implied: bool = False  # without the value, the calling user is meant
    either: tuple["Rule", ...] = ()  # rules of which one must hold
    says: str = ""  # why something must be absent


Rules = tuple[Rule, ...]


def _rules(written: object) -> Iterator[Rule]:
    for one in msgspec.convert(written, list[dict[str, object] | list[object]]):
        if isinstance(one, list):
            yield from _rules(one)
            continue
        row = dict(one)
        either = tuple(_rules(row.pop("either", [])))
        must = next((word for word in Must if word in row), Must.OWN)
        first, place = row.pop(must, ""), row.pop("in", row.get("if"))
        needed = place is not None and row.pop("if", None) is None
        about = {"where": first} if place is None else {"kind": first, "where": place}
        rule = {"must": must, "needed": needed, "either": either, **about, **row}
        yield msgspec.convert(rule, Rule)


def _by_name(section: str) -> dict[str, Rules]:
    rows = beside(__file__, "operations.yaml")[section].items()
    return {name: tuple(_rules(rules)) for names, rules in rows for name in names.split(", ")}


HOME = frozenset({"iam", "sts", "s3", "cloudformation", "embedded"})
"""The services with rules: those of the embedded account, and ``embedded`` itself."""
CHANGES: Mapping[str, Rules] = {
    f"{service}.{name}": rules for service in HOME for name, rules in _by_name(service).items()
}
"""The rules of each changing operation; the name may have a change set's type after it."""
RESOURCES: Mapping[str, Rules] = _by_name("resources")
"""The rules for the properties of each type of resource that costs nothing."""

OPPOSITES: Mapping[str, str] = beside(__file__, "operations.yaml")["opposites"]
"""How an operation usually begins that undoes one with this beginning."""

# How operations begin that change nothing: in any service, in those with rules, in others.
_READS = ("Describe", "Get", "Head", "List")
_READS_AT_HOME = (*_READS, *"Decode Detect Estimate Generate Select Simulate Validate".split())
_READS_ELSEWHERE = (*_READS, *"BatchGet Lookup Query Scan Search".split())
_MOSTLY = "Check Count Discover Evaluate Filter Is Preview Test Verify View".split()
LEAVES_NOTHING = frozenset({*_READS_AT_HOME, *_READS_ELSEWHERE, *_MOSTLY})
"""First words of operations that most likely leave nothing behind in any service."""


def changes(call: str) -> bool:
    """Whether a call (``service.Operation``) may change something, or hand out a role."""
    service, _, operation = call.partition(".")
    reads = _READS_AT_HOME if service in HOME else _READS_ELSEWHERE
    return call in CHANGES or not operation.startswith(reads)
