"""The types that are policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault
from stslab.sandbox.cloudformation.resources.edges import (
    Edge,
    attachment,
    document,
    exchange,
    holders,
    inline,
    membership,
)
from stslab.sandbox.cloudformation.resources.work import Work

Properties = Mapping[str, Any]
VERSIONS = 5
"""How many versions a managed policy may have ("IAM and AWS STS quotas")."""


class Connection:
    """A resource that is nothing but connections: ``edges`` tells them by its properties.

    ``physical_id`` makes its id of them; without it, the one that it was given stays.
    """

    def __init__(
        self,
        edges: Callable[[Properties], Iterable[Edge]],
        physical_id: Callable[[Properties], str] | None = None,
    ) -> None:
        self._edges = edges
        self._physical_id = physical_id

    def create(self, work: Work) -> None:
        """Make each."""
        if self._physical_id is not None:
            work.physical_id = self._physical_id(work.properties)
        work.attributes["Id"] = work.physical_id
        exchange(work, self._edges(work.properties))

    def update(self, work: Work, old: Properties) -> None:
        """Make those that are new, and remove those that are gone."""
        exchange(work, self._edges(work.properties), self._edges(old))

    def delete(self, work: Work) -> None:
        """Remove each."""
        exchange(work, (), self._edges(work.properties))


INLINE_POLICY = Connection(
    lambda given: [
        inline(kind, name, given["PolicyName"], given["PolicyDocument"])
        for kind, name in holders(given)
    ]
)
"""``AWS::IAM::Policy``: one inline policy in several identities."""
MEMBERSHIP = Connection(
    lambda given: [membership(given["GroupName"], user) for user in given["Users"]]
)
"""``AWS::IAM::UserToGroupAddition``."""


def policy_of(kind: str) -> Connection:
    """``AWS::IAM::RolePolicy``, ``UserPolicy`` or ``GroupPolicy``: one inline policy in one."""
    holder = f"{kind}Name"

    def edges(given: Properties) -> Iterable[Edge]:
        text = given.get("PolicyDocument", {})
        return [inline(kind, given[holder], given["PolicyName"], text)]

    return Connection(edges, lambda given: f"{given['PolicyName']}|{given[holder]}")


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
        attachments = self._edges(work, work.properties)
        work.attributes.update(
            PolicyArn=made["Arn"],
            PolicyId=made["PolicyId"],
            DefaultVersionId=made.get("DefaultVersionId", "v1"),
            IsAttachable=True,
            AttachmentCount=len(attachments),
            PermissionsBoundaryUsageCount=0,
            CreateDate=str(made.get("CreateDate", "")),
            UpdateDate=str(made.get("UpdateDate", "")),
        )
        exchange(work, attachments)

    def update(self, work: Work, old: Properties) -> None:
        """Make a new default version for a new document, and attach and detach."""
        if document(old["PolicyDocument"]) != document(work.get("PolicyDocument")):
            self._new_version(work)
        exchange(work, self._edges(work, work.properties), self._edges(work, old))

    def delete(self, work: Work) -> None:
        """Detach it from those it was attached to, drop old versions, and delete it."""
        arn = work.physical_id
        if not arn.startswith("arn:"):
            return  # it was never made
        exchange(work, (), self._edges(work, work.properties))
        for version in self._old_versions(work):
            work.quietly("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version)
        work.quietly("iam", "DeletePolicy", PolicyArn=arn)

    def _edges(self, work: Work, properties: Properties) -> list[Edge]:
        arn = work.physical_id
        return [attachment(kind, name, arn) for kind, name in holders(properties)]

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
        except ApiFault as fault:
            if fault.code == "NoSuchEntity":
                return []
            raise
        others = [v["VersionId"] for v in listed if not v.get("IsDefaultVersion")]
        return sorted(others, key=lambda version: int(version[1:]), reverse=True)
