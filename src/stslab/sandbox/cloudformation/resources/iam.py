"""The handlers of the types of ``AWS::IAM``. Much of their work is to make and remove edges."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from stslab.sandbox.api.model import iso
from stslab.sandbox.api.policies import uses_of
from stslab.sandbox.cloudformation.resources.work import Refused, Work, document
from stslab.sandbox.cloudformation.template.template import Properties
from stslab.sandbox.state import identities

VERSIONS = 5  # the maximum number of versions of a managed policy ("IAM and AWS STS quotas")


class Edge(NamedTuple):
    """A membership, inline policy, attachment or role in a profile: what makes and removes it."""

    make: str
    remove: str
    ends: Mapping[str, str]  # the parameters of both calls
    rest: Mapping[str, str] = {}  # further ones of the call that makes it


def change_edges(work: Work, new: Iterable[Edge], old: Iterable[Edge] = ()) -> None:
    wanted, existing = list(new), list(old)
    for edge in wanted:
        if edge not in existing:
            work.iam(edge.make, **edge.ends, **edge.rest)
    kept = [f"{edge.remove} {edge.ends}".lower() for edge in wanted]  # IAM's names ignore capitals
    for edge in existing:
        if f"{edge.remove} {edge.ends}".lower() not in kept:
            work.quietly("iam", edge.remove, **edge.ends)


def inline(kind: str, holder: str, policy: str, text: object) -> Edge:
    ends = {f"{kind}Name": holder, "PolicyName": policy}
    return Edge(f"Put{kind}Policy", f"Delete{kind}Policy", ends, {"PolicyDocument": document(text)})


def attachment(kind: str, holder: str, arn: str) -> Edge:
    ends = {f"{kind}Name": holder, "PolicyArn": arn}
    return Edge(f"Attach{kind}Policy", f"Detach{kind}Policy", ends)


def membership(group: str, user: str) -> Edge:
    return Edge("AddUserToGroup", "RemoveUserFromGroup", {"GroupName": group, "UserName": user})


def holders(given: Properties) -> Iterator[tuple[str, str]]:
    """The identities in ``Roles``, ``RoleName`` and the like, as (kind, name)."""
    for kind in ("Role", "User", "Group"):
        for name in (*(given.get(f"{kind}s") or ()), given.get(f"{kind}Name")):
            if name is not None:
                yield kind, name


class Connection(msgspec.Struct, frozen=True):
    """A resource that consists of edges. ``physical_id`` makes an id from its properties."""

    edges: Callable[[Properties], Iterable[Edge]]
    physical_id: Callable[[Properties], str] | None = None

    def create(self, work: Work) -> None:
        if self.physical_id is not None:
            work.physical_id = self.physical_id(work.properties)
        work.attributes["Id"] = work.physical_id
        change_edges(work, self.edges(work.properties))

    def update(self, work: Work, old: Properties) -> None:
        change_edges(work, self.edges(work.properties), self.edges(old))

    def delete(self, work: Work) -> None:
        change_edges(work, (), self.edges(work.properties))


INLINE_POLICY = Connection(
    lambda given: [
        inline(kind, name, given["PolicyName"], given.get("PolicyDocument", {}))
        for kind, name in holders(given)
    ]
)
"""An inline policy in one identity (``AWS::IAM::RolePolicy`` ...) or in several (``Policy``)."""
MEMBERSHIP = Connection(
    lambda given: [membership(given["GroupName"], user) for user in given["Users"]]
)
"""``AWS::IAM::UserToGroupAddition``."""


class Identity:
    """Base class of the handlers of identities and profiles.

    An update, also one right after the creation, sets what differs from what was given.
    """

    kind: str  # in the names of operations
    given: tuple[str, ...] = ("Path", "PermissionsBoundary")  # what its creation takes
    attributes: tuple[str, ...] = ("Arn",)  # those in its answers

    def create(self, work: Work) -> None:
        given = {name: work.get(name) for name in self.given if name in work.properties}
        texts = {k: document(v) if k.endswith("Document") else v for k, v in given.items()}
        work.tagged(f"Create{self.kind}", **self._named(work), **texts)
        work.old_tags = work.tags
        self.update(work, given)

    def update(self, work: Work, old: Properties) -> None:
        """Set what differs, a boundary before policies, and read the thing."""
        self.change(work, old)
        named = self._named(work)
        new, before = work.get("PermissionsBoundary"), old.get("PermissionsBoundary")
        if new and new != before:
            work.iam(f"Put{self.kind}PermissionsBoundary", **named, PermissionsBoundary=new)
        elif before and not new:
            work.quietly("iam", f"Delete{self.kind}PermissionsBoundary", **named)
        change_edges(work, self._edges(work, work.properties), self._edges(work, old))
        work.retag("iam", self.kind, **named)
        if self.kind != "Role" or not work.attributes:  # of these AWS reads only new ones
            read = work.iam(f"Get{self.kind}", **named)[self.kind]
            work.attributes.update({name: read[name] for name in self.attributes})

    def delete(self, work: Work) -> None:
        change_edges(work, (), self._edges(work, work.properties))
        change_edges(work, (), self._from_elsewhere(work))
        if work.get("LoginProfile"):
            work.quietly("iam", "DeleteLoginProfile", **self._named(work))
        work.quietly("iam", f"Delete{self.kind}", **self._named(work))

    def change(self, work: Work, old: Properties) -> None:
        """Update the properties of this kind. For users and groups that is the path."""
        path = work.get("Path", "/")
        if path != old.get("Path", "/"):
            work.iam(f"Update{self.kind}", **self._named(work), NewPath=path)

    def _from_elsewhere(self, work: Work) -> Iterable[Edge]:  # noqa: ARG002 - a role's needs it
        """What others made and the deletion removes too, after what the template has."""
        return ()

    def _named(self, work: Work) -> dict[str, str]:
        return {f"{self.kind}Name": work.physical_id}

    def _edges(self, work: Work, given: Properties) -> Iterator[Edge]:
        name = work.physical_id
        for entry in given.get("Policies") or ():
            yield inline(self.kind, name, entry["PolicyName"], entry["PolicyDocument"])
        for arn in given.get("ManagedPolicyArns") or ():
            yield attachment(self.kind, name, arn)
        for group in given.get("Groups") or ():
            yield membership(group, name)


class Role(Identity):
    kind = "Role"
    given = ("AssumeRolePolicyDocument", "Description", "MaxSessionDuration", *Identity.given)
    attributes = ("Arn", "RoleId")

    def change(self, work: Work, old: Properties) -> None:
        trust = document(work.get("AssumeRolePolicyDocument"))
        if trust != document(old.get("AssumeRolePolicyDocument", {})):
            work.iam("UpdateAssumeRolePolicy", **self._named(work), PolicyDocument=trust)
        for name, default, operation in (
            ("Description", "", "UpdateRoleDescription"),
            ("MaxSessionDuration", 3600, "UpdateRole"),
        ):
            if (wanted := work.get(name, default)) != old.get(name, default):
                work.iam(operation, **self._named(work), **{name: wanted})

    def _from_elsewhere(self, work: Work) -> Iterator[Edge]:
        named = self._named(work)
        with suppress(Refused):  # what can't be listed is left, and may prevent the deletion
            for policy in work.iam("ListAttachedRolePolicies", **named)["AttachedPolicies"]:
                yield attachment(self.kind, work.physical_id, policy["PolicyArn"])
            for name in work.iam("ListRolePolicies", **named)["PolicyNames"]:
                yield inline(self.kind, work.physical_id, name, "")


class User(Identity):
    kind = "User"

    def change(self, work: Work, old: Properties) -> None:
        new, before = work.get("LoginProfile"), old.get("LoginProfile")
        if new and new != before:
            verb, login = "Update" if before else "Create", {"PasswordResetRequired": False, **new}
            work.iam(f"{verb}LoginProfile", **self._named(work), **login)
        elif before and not new:
            work.quietly("iam", "DeleteLoginProfile", **self._named(work))
        super().change(work, old)  # if it fails, the rollback makes the password again


class Group(Identity):
    """``AWS::IAM::Group``, which has neither tags nor a boundary."""

    kind = "Group"
    given = ("Path",)


class ManagedPolicy:
    """``AWS::IAM::ManagedPolicy``. Its physical id is its ARN, or its name before its creation."""

    def create(self, work: Work) -> None:
        made = work.iam(
            "CreatePolicy",
            PolicyName=work.physical_id,
            PolicyDocument=document(work.get("PolicyDocument")),
            Path=work.get("Path"),
            Description=work.get("Description"),
        )
        work.physical_id = made["Policy"]["Arn"]
        self._attach(work, {})

    def update(self, work: Work, old: Properties) -> None:
        text, arn = document(work.get("PolicyDocument")), work.physical_id
        if document(old["PolicyDocument"]) != text:
            versions = self._old_versions(work)
            if len(versions) >= VERSIONS - 1:
                work.iam("DeletePolicyVersion", PolicyArn=arn, VersionId=versions[-1])
            given = {"PolicyArn": arn, "PolicyDocument": text, "SetAsDefault": True}
            work.iam("CreatePolicyVersion", **given)
        self._attach(work, old)

    def _attach(self, work: Work, old: Properties) -> None:
        """Change the template's attachments, and tell what the policy then is."""
        change_edges(work, self._edges(work, work.properties), self._edges(work, old))
        arn, view = work.physical_id, work.state.snapshot
        account, name = arn.split(":")[4], arn.rpartition("/")[2]
        attached, bounding = uses_of(view, account)
        policy = view.get(identities.ManagedPolicy, account, name.lower())
        if policy is not None and policy.arn == arn:
            work.attributes.update(
                AttachmentCount=attached.get(arn, 0),
                CreateDate=iso(policy.created),
                DefaultVersionId=policy.default,
                IsAttachable=True,
                PermissionsBoundaryUsageCount=bounding.get(arn, 0),
                PolicyArn=arn,
                PolicyId=policy.unique_id,
                UpdateDate=iso(policy.versions[-1].created),
            )

    def delete(self, work: Work) -> None:
        arn = work.physical_id
        if not arn.startswith("arn:"):
            return  # it was never created
        change_edges(work, (), self._edges(work, work.properties))
        for version in self._old_versions(work):
            work.quietly("iam", "DeletePolicyVersion", PolicyArn=arn, VersionId=version)
        work.quietly("iam", "DeletePolicy", PolicyArn=arn)

    def _edges(self, work: Work, given: Properties) -> list[Edge]:
        return [attachment(kind, name, work.physical_id) for kind, name in holders(given)]

    def _old_versions(self, work: Work) -> list[str]:
        """The versions that are not the default one, newest first."""
        listed = work.quietly("iam", "ListPolicyVersions", PolicyArn=work.physical_id)
        return [v["VersionId"] for v in listed.get("Versions", ()) if not v.get("IsDefaultVersion")]


class AccessKey:
    """``AWS::IAM::AccessKey``. Its physical id is the key's id, or empty before its creation."""

    def create(self, work: Work) -> None:
        """As in AWS, ``Fn::GetAtt`` returns the secret while the stack exists."""
        made = work.iam("CreateAccessKey", UserName=work.get("UserName"))["AccessKey"]
        work.physical_id = made["AccessKeyId"]
        work.attributes.update(Id=work.physical_id, SecretAccessKey=made["SecretAccessKey"])
        if work.get("Status", "Active") != "Active":
            self.update(work, {})

    def update(self, work: Work, _old: Properties) -> None:
        work.iam("UpdateAccessKey", **self._named(work), Status=work.get("Status", "Active"))

    def delete(self, work: Work) -> None:
        if work.physical_id:
            work.quietly("iam", "DeleteAccessKey", **self._named(work))

    def _named(self, work: Work) -> dict[str, str]:
        return {"UserName": work.get("UserName"), "AccessKeyId": work.physical_id}


class InstanceProfile(Identity):
    kind = "InstanceProfile"
    given = ("Path",)

    def update(self, work: Work, old: Properties) -> None:
        """Remove the old role first: a profile can have only one."""
        roles = [role for role in old.get("Roles", ()) if role in work.get("Roles")]
        staying = {**old, "Roles": roles}
        change_edges(work, self._edges(work, staying), self._edges(work, old))
        super().update(work, staying)

    def _edges(self, work: Work, given: Properties) -> Iterator[Edge]:
        for role in given.get("Roles", ()):
            ends = {"InstanceProfileName": work.physical_id, "RoleName": role}
            yield Edge("AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile", ends)


class OidcProvider:
    """``AWS::IAM::OIDCProvider``. Its physical id is its ARN, or empty before its creation."""

    def create(self, work: Work) -> None:
        made = work.tagged(
            "CreateOpenIDConnectProvider",
            Url=work.get("Url"),
            ClientIDList=work.get("ClientIdList"),
            ThumbprintList=work.get("ThumbprintList"),
        )
        work.physical_id = made["OpenIDConnectProviderArn"]
        work.attributes["Arn"] = work.physical_id

    def update(self, work: Work, old: Properties) -> None:
        named = {"OpenIDConnectProviderArn": work.physical_id}
        new_ids, old_ids = set(work.get("ClientIdList") or ()), set(old.get("ClientIdList") or ())
        for client in sorted(new_ids ^ old_ids):
            verb = "AddClientIDTo" if client in new_ids else "RemoveClientIDFrom"
            work.iam(f"{verb}OpenIDConnectProvider", **named, ClientID=client)
        thumbprints = work.get("ThumbprintList")
        if thumbprints != old.get("ThumbprintList"):  # IAM refuses none, as it does in AWS
            work.iam("UpdateOpenIDConnectProviderThumbprint", **named, ThumbprintList=thumbprints)
        work.retag("iam", "OpenIDConnectProvider", **named)

    def delete(self, work: Work) -> None:
        if (arn := work.physical_id).startswith("arn:"):
            work.quietly("iam", "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=arn)
