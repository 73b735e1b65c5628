"""Access keys, group memberships, instance profiles and identity providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources.identities import change_tags
from stslab.sandbox.cloudformation.resources.work import Work
from stslab.sandbox.state import providers

Properties = Mapping[str, Any]


class AccessKey:
    """``AWS::IAM::AccessKey``; its physical id is the key's id."""

    def create(self, work: Work) -> None:
        """Create it; AWS shows the secret to ``Fn::GetAtt`` for as long as the stack lives."""
        made = work.iam("CreateAccessKey", UserName=work.get("UserName"))["AccessKey"]
        work.physical_id = made["AccessKeyId"]
        work.attributes["SecretAccessKey"] = made["SecretAccessKey"]
        if work.get("Status") == "Inactive":
            self._set_status(work)

    def update(self, work: Work, _old: Properties) -> None:
        """Change its status."""
        self._set_status(work)

    def delete(self, work: Work) -> None:
        """Delete it; before it was made, it has no id."""
        if work.physical_id:
            work.quietly(
                "iam",
                "DeleteAccessKey",
                UserName=work.get("UserName"),
                AccessKeyId=work.physical_id,
            )

    def _set_status(self, work: Work) -> None:
        work.iam(
            "UpdateAccessKey",
            UserName=work.get("UserName"),
            AccessKeyId=work.physical_id,
            Status=work.get("Status", "Active"),
        )


class Membership:
    """``AWS::IAM::UserToGroupAddition``."""

    def create(self, work: Work) -> None:
        """Add each user to the group."""
        work.attributes["Id"] = work.physical_id
        for user in work.get("Users"):
            work.iam("AddUserToGroup", GroupName=work.get("GroupName"), UserName=user)

    def update(self, work: Work, old: Properties) -> None:
        """Add all who are named, and remove who no longer is."""
        self.create(work)
        same_group = old["GroupName"] == work.get("GroupName")
        for user in old["Users"]:
            if not same_group or user not in work.get("Users"):
                self._remove(work, old["GroupName"], user)

    def delete(self, work: Work) -> None:
        """Remove each user from the group."""
        for user in work.get("Users"):
            self._remove(work, work.get("GroupName"), user)

    def _remove(self, work: Work, group: str, user: str) -> None:
        work.quietly("iam", "RemoveUserFromGroup", GroupName=group, UserName=user)


class InstanceProfile:
    """``AWS::IAM::InstanceProfile``."""

    def create(self, work: Work) -> None:
        """Create it and put its role in."""
        made = work.iam(
            "CreateInstanceProfile", InstanceProfileName=work.physical_id, Path=work.get("Path")
        )["InstanceProfile"]
        work.attributes["Arn"] = made["Arn"]
        self._add(work, work.get("Roles"))

    def update(self, work: Work, old: Properties) -> None:
        """Exchange its role; it holds one at most, so the old one goes first."""
        wanted = work.get("Roles")
        self._remove(work, [role for role in old["Roles"] if role not in wanted])
        self._add(work, [role for role in wanted if role not in old["Roles"]])

    def delete(self, work: Work) -> None:
        """Take its role out and delete it."""
        self._remove(work, work.get("Roles"))
        work.quietly("iam", "DeleteInstanceProfile", InstanceProfileName=work.physical_id)

    def _add(self, work: Work, roles: list[str]) -> None:
        for role in roles:
            work.iam(
                "AddRoleToInstanceProfile", InstanceProfileName=work.physical_id, RoleName=role
            )

    def _remove(self, work: Work, roles: list[str]) -> None:
        for role in roles:
            work.quietly(
                "iam",
                "RemoveRoleFromInstanceProfile",
                InstanceProfileName=work.physical_id,
                RoleName=role,
            )


class OidcProvider:
    """``AWS::IAM::OIDCProvider``; its physical id is its ARN."""

    def create(self, work: Work) -> None:
        """Create it."""
        made = work.tagged(
            "CreateOpenIDConnectProvider",
            Url=work.get("Url"),
            ClientIDList=work.get("ClientIdList"),
            ThumbprintList=work.get("ThumbprintList"),
        )
        work.physical_id = made["OpenIDConnectProviderArn"]
        work.attributes["Arn"] = work.physical_id
        work.tag_system(providers.OidcProvider, work.physical_id.partition(":oidc-provider/")[2])

    def update(self, work: Work, old: Properties) -> None:
        """Change its audiences, thumbprints and tags."""
        named = {"OpenIDConnectProviderArn": work.physical_id}
        new_ids, old_ids = set(work.get("ClientIdList") or ()), set(old.get("ClientIdList") or ())
        for client in sorted(new_ids - old_ids):
            work.iam("AddClientIDToOpenIDConnectProvider", **named, ClientID=client)
        for client in sorted(old_ids - new_ids):
            work.iam("RemoveClientIDFromOpenIDConnectProvider", **named, ClientID=client)
        thumbprints = work.get("ThumbprintList")
        if thumbprints and thumbprints != old.get("ThumbprintList"):
            work.iam("UpdateOpenIDConnectProviderThumbprint", **named, ThumbprintList=thumbprints)
        change_tags(work, "TagOpenIDConnectProvider", "UntagOpenIDConnectProvider", named)

    def delete(self, work: Work) -> None:
        """Delete it; before it was made, it has no ARN."""
        if work.physical_id.startswith("arn:"):
            work.quietly(
                "iam", "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=work.physical_id
            )
