"""Access keys, instance profiles and identity providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources.edges import Edge, exchange, in_profile
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


class InstanceProfile:
    """``AWS::IAM::InstanceProfile``."""

    def create(self, work: Work) -> None:
        """Create it and put its role in."""
        made = work.iam(
            "CreateInstanceProfile", InstanceProfileName=work.physical_id, Path=work.get("Path")
        )["InstanceProfile"]
        work.attributes["Arn"] = made["Arn"]
        exchange(work, self._edges(work, work.properties))

    def update(self, work: Work, old: Properties) -> None:
        """Exchange its role; it holds one at most, so the old one goes first."""
        new_edges, old_edges = self._edges(work, work.properties), self._edges(work, old)
        exchange(work, (), [edge for edge in old_edges if edge not in new_edges])
        exchange(work, [edge for edge in new_edges if edge not in old_edges])

    def delete(self, work: Work) -> None:
        """Take its role out and delete it."""
        exchange(work, (), self._edges(work, work.properties))
        work.quietly("iam", "DeleteInstanceProfile", InstanceProfileName=work.physical_id)

    def _edges(self, work: Work, properties: Properties) -> list[Edge]:
        return [in_profile(work.physical_id, role) for role in properties["Roles"]]


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
