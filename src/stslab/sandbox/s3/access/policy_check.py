"""Whether a text is a policy for one bucket: its grammar, its actions and its resources.

S3 User Guide, "Policies and permissions in Amazon S3"; Service Authorization Reference,
"Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from stslab.errors import MalformedPolicy
from stslab.policy import PolicyKind, catalogue, parse
from stslab.sandbox.s3.access.public import Statement
from stslab.sandbox.s3.faults import fault

MAX_SIZE = 20 * 1024
_TYPES = frozenset({"bucket", "object"})


def check(text: str, bucket: str) -> None:
    """Refuse what is no policy for the bucket.

    Raises:
        ApiFault: MalformedPolicy or PolicyTooLarge.
    """
    if len(text.encode()) > MAX_SIZE:
        raise fault("PolicyTooLarge")
    try:
        parse(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise fault("MalformedPolicy", error.message) from None
    for statement in _statements(text):
        _check_actions(statement)
        _check_resources(statement, f"arn:aws:s3:::{bucket}")


def _statements(text: str) -> Iterator[Statement]:
    statements = json.loads(text)["Statement"]
    yield from statements if isinstance(statements, list) else [statements]


def _check_actions(statement: Statement) -> None:
    for pattern in _listed(statement, "Action", "NotAction"):
        if not _matching(pattern):
            raise fault("MalformedPolicy", "Policy has invalid action")


def _check_resources(statement: Statement, arn: str) -> None:
    resources = _listed(statement, "Resource", "NotResource")
    if any(one != arn and not one.startswith((f"{arn}/", f"{arn}*")) for one in resources):
        raise fault("MalformedPolicy", "Policy has invalid resource")
    if "Action" not in statement or "Resource" not in statement:
        return
    there = {kind for one in resources for kind in _types_of(one, arn)}
    for pattern in _listed(statement, "Action"):
        if not any(there & catalogue.resource_types(each) for each in _matching(pattern)):
            raise fault("MalformedPolicy", "Action does not apply to any resource(s) in statement")


def _types_of(resource: str, arn: str) -> frozenset[str]:
    """What a resource of this bucket may be; one that goes on after a wildcard, either."""
    if resource == arn:
        return frozenset({"bucket"})
    return frozenset({"object"}) if resource.startswith(f"{arn}/") else _TYPES


def _matching(pattern: str) -> tuple[str, ...]:
    """The actions of S3 that a pattern names."""
    if not pattern.strip("*"):
        return catalogue.matching_actions("s3:*")
    return catalogue.matching_actions(pattern) if pattern.lower().startswith("s3:") else ()


def _listed(statement: Statement, *names: str) -> list[str]:
    found: list[str] | str = next((statement[name] for name in names if name in statement), [])
    return found if isinstance(found, list) else [found]
