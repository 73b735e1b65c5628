"""Inline and managed policies of identities, and the types that are nothing but policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources.work import Work

KINDS = ("Role", "User", "Group")
VERSIONS = 5
"""How many versions a managed policy may have ("IAM and AWS STS quotas")."""


def document(value: Any) -> str:
    """A policy document as text: CloudFormation turns YAML and JSON into JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def put(work: Work, kind: str, name: str, policy: str, text: Any) -> None:
    """Put an inline policy into a role, user or group."""
    work.iam(
        f"Put{kind}Policy",
        **{f"{kind}Name": name},
        PolicyName=policy,
        PolicyDocument=document(text),
    )


def take(work: Work, kind: str, name: str, policy: str) -> None:
    """Delete an inline policy, if it is there."""
    work.quietly("iam", f"Delete{kind}Policy", **{f"{kind}Name": name}, PolicyName=policy)


def attach(work: Work, kind: str, name: str, arn: str) -> None:
    """Attach a managed policy to a role, user or group."""
    work.iam(f"Attach{kind}Policy", **{f"{kind}Name": name}, PolicyArn=arn)


def detach(work: Work, kind: str, name: str, arn: str) -> None:
    """Detach a managed policy, if it is attached."""
    work.quietly("iam", f"Detach{kind}Policy", **{f"{kind}Name": name}, PolicyArn=arn)


def inline(properties: Mapping[str, Any]) -> dict[str, str]:
    """The ``Policies`` property as documents by name."""
    return {
        str(entry.get("PolicyName", "")): document(entry.get("PolicyDocument", {}))
        for entry in properties.get("Policies") or ()
        if isinstance(entry, dict)
    }


def holders(properties: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Whom ``Roles``, ``Users`` and ``Groups`` name, as (kind, name)."""
    return {(kind, name) for kind in KINDS for name in properties.get(f"{kind}s") or ()}


class InlinePolicy:
    """``AWS::IAM::Policy``: one inline policy in several identities."""

    def create(self, work: Work) -> None:
        """Put it into each identity."""
        work.attributes["Id"] = work.physical_id
        for kind, name in sorted(holders(work.properties)):
            put(work, kind, name, work.get("PolicyName"), work.get("PolicyDocument"))

    def update(self, work: Work, old: Mapping[str, Any]) -> None:
        """Put it where it is to be, and take it from where it no longer is."""
        self.create(work)
        renamed = old["PolicyName"] != work.get("PolicyName")
        left = holders(old) if renamed else holders(old) - holders(work.properties)
        for kind, name in sorted(left):
            take(work, kind, name, old["PolicyName"])

    def delete(self, work: Work) -> None:
        """Take it from each identity."""
        for kind, name in sorted(holders(work.properties)):
            take(work, kind, name, work.get("PolicyName"))


class PolicyOfOne:
    """``AWS::IAM::RolePolicy``, ``UserPolicy``, ``GroupPolicy``: one inline policy in one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def create(self, work: Work) -> None:
        """Put it; the physical id has both of its names, as its primary identifier does."""
        name, holder = work.get("PolicyName"), work.get(f"{self.kind}Name")
        work.physical_id = f"{name}|{holder}"
        put(work, self.kind, holder, name, work.get("PolicyDocument", {}))

    def update(self, work: Work, _old: Mapping[str, Any]) -> None:
        """Put the new document; the names can't change without replacement."""
        self.create(work)

    def delete(self, work: Work) -> None:
        """Take it."""
        take(work, self.kind, work.get(f"{self.kind}Name"), work.get("PolicyName"))


class ManagedPolicy:
    """``AWS::IAM::ManagedPolicy``."""

    def create(self, work: Work) -> None:
        """Create it under the name that is its physical id so far, and attach it."""
        made = work.iam(
            "CreatePolicy",
            PolicyName=work.physical_id,
            PolicyDocument=document(work.get("PolicyDocument")),
            Path=work.get("Path"),
            Description=work.get("Description"),
        )["Policy"]
        work.physical_id = made["Arn"]
        work.attributes.update(
            PolicyArn=made["Arn"],
            PolicyId=made["PolicyId"],
            DefaultVersionId=made.get("DefaultVersionId", "v1"),
            IsAttachable=True,
            AttachmentCount=len(holders(work.properties)),
            PermissionsBoundaryUsageCount=0,
            CreateDate=str(made.get("CreateDate", "")),
            UpdateDate=str(made.get("UpdateDate", "")),
        )
        self._attach(work, holders(work.properties))

    def update(self, work: Work, old: Mapping[str, Any]) -> None:
        """Make a new default version for a new document, and attach and detach."""
        if document(old["PolicyDocument"]) != document(work.get("PolicyDocument")):
            self._new_version(work)
        self._attach(work, holders(work.properties) - holders(old))
        for kind, name in sorted(holders(old) - holders(work.properties)):
            detach(work, kind, name, work.physical_id)

    def delete(self, work: Work) -> None:
        """Detach it from those it was attached to, drop old versions, and delete it."""
        for kind, name in sorted(holders(work.properties)):
            detach(work, kind, name, work.physical_id)
        arn = work.physical_id
        if not arn.startswith("arn:"):
            return  # it was never made
        for version in self._old_versions(work):
            work.quietly("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version)
        work.quietly("iam", "DeletePolicy", PolicyArn=arn)

    def _attach(self, work: Work, wanted: set[tuple[str, str]]) -> None:
        for kind, name in sorted(wanted):
            attach(work, kind, name, work.physical_id)

    def _new_version(self, work: Work) -> None:
        old = self._old_versions(work)
        if len(old) >= VERSIONS - 1:
            work.iam("DeletePolicyVersion", PolicyArn=work.physical_id, VersionId=old[-1])
        made = work.iam(
            "CreatePolicyVersion",
            PolicyArn=work.physical_id,
            PolicyDocument=document(work.get("PolicyDocument")),
            SetAsDefault=True,
        )
        work.attributes["DefaultVersionId"] = made["PolicyVersion"]["VersionId"]

    def _old_versions(self, work: Work) -> list[str]:
        """The versions that are not the default one, newest first."""
        try:
            listed = work.iam("ListPolicyVersions", PolicyArn=work.physical_id)["Versions"]
        except Exception as fault:
            if getattr(fault, "code", "") == "NoSuchEntity":
                return []
            raise
        others = [v["VersionId"] for v in listed if not v.get("IsDefaultVersion")]
        return sorted(others, key=lambda version: int(version[1:]), reverse=True)
