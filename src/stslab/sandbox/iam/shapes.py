"""How IAM's answers show users, roles, groups, policies and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from stslab.sandbox.api import principals
from stslab.sandbox.iam import lookups
from stslab.sandbox.state.identities import Group, Identity, InstanceProfile, Role, User
from stslab.sandbox.state.policies import ManagedPolicy, PolicyVersion
from stslab.sandbox.state.snapshot import View

Members = dict[str, Any]


Pathed = Identity | InstanceProfile | ManagedPolicy
P = TypeVar("P", bound=Pathed)


@dataclass(frozen=True, slots=True)
class Uses:
    """How often each managed policy is attached in an account, and is a boundary, by its ARN."""

    attached: Mapping[str, int]
    bounding: Mapping[str, int]

    @classmethod
    def of(cls, view: View, account: str) -> Uses:
        """Count them."""
        bounded: list[User | Role] = [*view.all(User, account), *view.all(Role, account)]
        holders: list[Identity] = [*bounded, *view.all(Group, account)]
        return cls(
            Counter(arn for holder in holders for arn in holder.attached),
            Counter(one.boundary for one in bounded if one.boundary),
        )


UNUSED = Uses({}, {})


def document(text: str) -> str:
    """A policy document as IAM writes it: URL-encoded (RFC 3986)."""
    return quote(text, safe="")


def filled(members: Mapping[str, Any]) -> Members:
    """``members`` without those that are absent."""
    return {name: value for name, value in members.items() if value is not None}


def tags(of: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags, by key."""
    return [{"Key": key, "Value": of[key]} for key in sorted(of)]


def boundary(arn: str) -> Members | None:
    """A permissions boundary, or None where there is none."""
    if not arn:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def user(found: User) -> Members:
    """A user as a list shows it."""
    return {
        "Path": found.path,
        "UserName": found.name,
        "UserId": found.unique_id,
        "Arn": found.arn,
        "CreateDate": found.created,
    }


def whole_user(found: User) -> Members:
    """A user as GetUser shows it: with tags and boundary."""
    more = {"PermissionsBoundary": boundary(found.boundary), "Tags": tags(found.tags) or None}
    return filled({**user(found), **more})


def group(found: Group) -> Members:
    """A group."""
    return {
        "Path": found.path,
        "GroupName": found.name,
        "GroupId": found.unique_id,
        "Arn": found.arn,
        "CreateDate": found.created,
    }


def role(view: View, found: Role) -> Members:
    """A role as a list shows it."""
    return filled(
        {
            "Path": found.path,
            "RoleName": found.name,
            "RoleId": found.unique_id,
            "Arn": found.arn,
            "CreateDate": found.created,
            "AssumeRolePolicyDocument": document(principals.shown(found.trust, view)),
            "Description": found.description or None,
            "MaxSessionDuration": found.max_session,
        }
    )


def whole_role(view: View, found: Role) -> Members:
    """A role as GetRole shows it: with tags, boundary and last use."""
    used = found.last_used
    return filled(
        {
            **role(view, found),
            "PermissionsBoundary": boundary(found.boundary),
            "Tags": tags(found.tags) or None,
            "RoleLastUsed": {"LastUsedDate": used.at, "Region": used.region} if used else {},
        }
    )


def policy(found: ManagedPolicy, uses: Uses) -> Members:
    """A managed policy as a list shows it."""
    return {
        "PolicyName": found.name,
        "PolicyId": found.unique_id,
        "Arn": found.arn,
        "Path": found.path,
        "DefaultVersionId": found.default,
        "AttachmentCount": uses.attached.get(found.arn, 0),
        "PermissionsBoundaryUsageCount": uses.bounding.get(found.arn, 0),
        "IsAttachable": True,
        "CreateDate": found.created,
        "UpdateDate": found.updated,
    }


def policy_version(of: ManagedPolicy, found: PolicyVersion, *, with_document: bool) -> Members:
    """A version of a managed policy."""
    return filled(
        {
            "Document": document(found.document) if with_document else None,
            "VersionId": found.version_id,
            "IsDefaultVersion": found.version_id == of.default,
            "CreateDate": found.created,
        }
    )


def attached(found: ManagedPolicy) -> Members:
    """A managed policy as attached to something."""
    return {"PolicyName": found.name, "PolicyArn": found.arn}


def instance_profile(view: View, found: InstanceProfile, *, whole: bool = True) -> Members:
    """An instance profile with its role."""
    held = view.get(Role, found.account, found.role)
    return filled(
        {
            "Path": found.path,
            "InstanceProfileName": found.name,
            "InstanceProfileId": found.unique_id,
            "Arn": found.arn,
            "CreateDate": found.created,
            "Roles": [role(view, held)] if held else [],
            "Tags": tags(found.tags) or None if whole else None,
        }
    )


def inline(holder: Identity) -> list[Members]:
    """The inline policies of a user, group or role with their documents."""
    return [
        {"PolicyName": name, "PolicyDocument": document(text)}
        for name, text in sorted(holder.inline.items())
    ]


def managed(view: View, holder: Identity) -> list[ManagedPolicy]:
    """The managed policies that are attached to a user, group or role, by name."""
    found = (lookups.find(view, ManagedPolicy, holder.account, arn) for arn in holder.attached)
    return by_name(policy for policy in found if policy is not None)


def by_name(items: Iterable[P], prefix: str | None = None) -> list[P]:
    """``items`` by name; only those whose path begins with ``prefix``, where one is given."""
    kept = [item for item in items if item.path.startswith(prefix or "/")]
    return sorted(kept, key=lambda item: item.name.lower())
