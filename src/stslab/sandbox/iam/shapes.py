"""How IAM's answers show users, roles, groups and policies of moto's store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from stslab.sandbox.iam import lookups, tagging
from stslab.sandbox.iam.policies import trust
from stslab.sandbox.saved.account import World

Members = dict[str, Any]


def moment(at: datetime | None) -> datetime | None:
    """A time of moto's, aware: what it keeps is UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def document(text: str) -> str:
    """A policy document as IAM writes it: URL-encoded (RFC 3986)."""
    return quote(text, safe="")


def filled(members: Mapping[str, Any]) -> Members:
    """``members`` without those that are absent."""
    return {name: value for name, value in members.items() if value is not None}


def user(found: Any) -> Members:
    """A user as a list shows it."""
    return filled(
        {
            "Path": found.path,
            "UserName": found.name,
            "UserId": found.id,
            "Arn": found.arn,
            "CreateDate": moment(found.create_date),
            "PasswordLastUsed": moment(found.password_last_used),
        }
    )


def whole_user(world: World, iam: Any, found: Any) -> Members:
    """A user as GetUser shows it: with tags and boundary."""
    arn = world.account(found.account_id).user_boundaries.get(found.name)
    return filled(
        {**user(found), "PermissionsBoundary": boundary(arn), "Tags": tags(iam, "user", found)}
    )


def group(found: Any) -> Members:
    """A group."""
    return {
        "Path": found.path,
        "GroupName": found.name,
        "GroupId": found.id,
        "Arn": found.arn,
        "CreateDate": moment(found.create_date),
    }


def role(world: World, found: Any) -> Members:
    """A role as a list shows it."""
    trusted = trust.shown(found.assume_role_policy_document, world)
    return filled(
        {
            "Path": found.path,
            "RoleName": found.name,
            "RoleId": found.id,
            "Arn": found.arn,
            "CreateDate": moment(found.create_date),
            "AssumeRolePolicyDocument": document(trusted),
            "Description": found.description or None,
            "MaxSessionDuration": int(found.max_session_duration or 3600),
        }
    )


def whole_role(world: World, iam: Any, found: Any) -> Members:
    """A role as GetRole shows it: with tags, boundary and last use."""
    return filled(
        {
            **role(world, found),
            "PermissionsBoundary": boundary(found.permissions_boundary_arn),
            "Tags": tags(iam, "role", found),
            "RoleLastUsed": last_used(found),
        }
    )


def last_used(found: Any) -> Members:
    """When and where a role was last used, empty where it never was."""
    return filled({"LastUsedDate": moment(found.last_used), "Region": found.last_used_region})


def boundary(arn: str | None) -> Members | None:
    """A permissions boundary, or None where there is none."""
    if not arn:
        return None
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def tags(iam: Any, kind: str, found: Any) -> list[dict[str, str]] | None:
    """The tags of an entity, None where it has none."""
    return tagging.of(iam, kind, found) or None


def policy(world: World, found: Any) -> Members:
    """A managed policy as a list shows it."""
    account = world.accounts.get(found.account_id)
    return {
        "PolicyName": found.name,
        "PolicyId": found.id,
        "Arn": found.arn,
        "Path": found.path,
        "DefaultVersionId": found.default_version_id,
        "AttachmentCount": found.attachment_count,
        "PermissionsBoundaryUsageCount": bounded_by(account, found.arn),
        "IsAttachable": True,
        "CreateDate": moment(found.create_date),
        "UpdateDate": moment(found.update_date),
    }


def bounded_by(account: Any, arn: str) -> int:
    """How many users and roles of the account have the policy as their boundary."""
    if account is None:
        return 0
    users = sum(1 for bound in account.user_boundaries.values() if bound == arn)
    roles = list(account.iam.roles.values())
    return users + sum(1 for role in roles if role.permissions_boundary_arn == arn)


def policy_version(found: Any, *, with_document: bool) -> Members:
    """A version of a managed policy."""
    return filled(
        {
            "Document": document(found.document) if with_document else None,
            "VersionId": found.version_id,
            "IsDefaultVersion": bool(found.is_default),
            "CreateDate": moment(found.create_date),
        }
    )


def attached(found: Any) -> Members:
    """A managed policy as attached to something."""
    return {"PolicyName": found.name, "PolicyArn": found.arn}


def instance_profile(world: World, iam: Any, found: Any, *, whole: bool = True) -> Members:
    """An instance profile with its role."""
    return filled(
        {
            "Path": found.path,
            "InstanceProfileName": found.name,
            "InstanceProfileId": found.id,
            "Arn": found.arn,
            "CreateDate": moment(found.create_date),
            "Roles": [role(world, held) for held in found.roles],
            "Tags": tags(iam, "instance profile", found) if whole else None,
        }
    )


def inline(policies: Mapping[str, str]) -> list[Members]:
    """Inline policies with their documents."""
    return [
        {"PolicyName": name, "PolicyDocument": document(text)}
        for name, text in sorted(policies.items())
    ]


def managed(policies: Mapping[str, Any]) -> list[Members]:
    """Attached managed policies."""
    return [attached(found) for found in sorted(policies.values(), key=lambda one: str(one.name))]


def under_path(items: Any, prefix: str | None) -> list[Any]:
    """``items`` whose path begins with ``prefix``, by name."""
    kept = [item for item in list(items) if item.path.startswith(prefix or "/")]
    return sorted(kept, key=lambda item: str(item.name).lower())


def default_document(found: Any) -> str:
    """The text of a managed policy's default version."""
    return str(lookups.default_version(found).document)
