"""What connects identities: memberships, inline policies, attachments, roles in profiles.

Each is made by one call and removed by another that names the same two ends. A resource that
has some is changed by making those that are new or different and removing those that are gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stslab.sandbox.cloudformation.resources.work import Work

Properties = Mapping[str, Any]
KINDS = ("Role", "User", "Group")


@dataclass(frozen=True)
class Edge:
    """One connection: the calls that make and remove it, the ends that it joins, and the rest."""

    make: str
    remove: str
    ends: tuple[tuple[str, str], ...]
    rest: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def exchange(work: Work, new: Iterable[Edge], old: Iterable[Edge] = ()) -> None:
    """Make what is new or different, and remove what is gone."""
    wanted, had = dict.fromkeys(new), dict.fromkeys(old)
    kept = {(edge.remove, edge.ends) for edge in wanted}
    for edge in wanted:
        if edge not in had:
            work.iam(edge.make, **dict(edge.ends), **dict(edge.rest))
    for edge in had:
        if (edge.remove, edge.ends) not in kept:
            work.quietly("iam", edge.remove, **dict(edge.ends))


def document(value: object) -> str:
    """A policy document as text: CloudFormation turns YAML and JSON into JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def inline(kind: str, holder: str, policy: str, text: Any) -> Edge:
    """An inline policy of a role, user or group."""
    ends = ((f"{kind}Name", holder), ("PolicyName", policy))
    return Edge(
        f"Put{kind}Policy", f"Delete{kind}Policy", ends, (("PolicyDocument", document(text)),)
    )


def attachment(kind: str, holder: str, arn: str) -> Edge:
    """A managed policy that is attached to a role, user or group."""
    ends = ((f"{kind}Name", holder), ("PolicyArn", arn))
    return Edge(f"Attach{kind}Policy", f"Detach{kind}Policy", ends)


def membership(group: str, user: str) -> Edge:
    """A user in a group."""
    return Edge("AddUserToGroup", "RemoveUserFromGroup", (("GroupName", group), ("UserName", user)))


def in_profile(profile: str, role: str) -> Edge:
    """A role in an instance profile."""
    ends = (("InstanceProfileName", profile), ("RoleName", role))
    return Edge("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", ends)


def holders(properties: Properties) -> Iterator[tuple[str, str]]:
    """The identities that ``Roles``, ``Users`` and ``Groups`` name, as (kind, name)."""
    for kind in KINDS:
        for name in properties.get(f"{kind}s") or ():
            yield kind, name


def of_identity(kind: str, name: str, properties: Properties) -> Iterator[Edge]:
    """The inline policies, attachments and groups of a role, user or group."""
    for entry in properties.get("Policies") or ():
        if isinstance(entry, dict):
            policy, text = str(entry.get("PolicyName", "")), entry.get("PolicyDocument", {})
            yield inline(kind, name, policy, text)
    for arn in properties.get("ManagedPolicyArns") or ():
        yield attachment(kind, name, arn)
    for group in properties.get("Groups") or ():
        yield membership(group, name)
