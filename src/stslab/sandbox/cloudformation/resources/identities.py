"""``AWS::IAM::Role``, ``User`` and ``Group``: what these three have in common is here once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources.edges import document, exchange, of_identity
from stslab.sandbox.cloudformation.resources.work import Work
from stslab.sandbox.state import identities

Properties = Mapping[str, Any]


class Identity:
    """A role, user or group, made by calls that have its ``kind`` in their names.

    ``given`` are the properties that its creation takes as they are.
    """

    kind: str
    given: tuple[str, ...] = ("Path", "PermissionsBoundary")

    def create(self, work: Work) -> None:
        """Create it, then what it holds."""
        name = work.physical_id
        made = work.tagged(f"Create{self.kind}", **self._named(name), **self.creation(work))
        work.attributes["Arn"] = made[self.kind]["Arn"]
        self.created(work, made[self.kind])
        exchange(work, of_identity(self.kind, name, work.properties))

    def update(self, work: Work, old: Properties) -> None:
        """Change what changed, nothing else."""
        name = work.physical_id
        self.change(work, old)
        new_edges = of_identity(self.kind, name, work.properties)
        exchange(work, new_edges, of_identity(self.kind, name, old))
        self._change_boundary(work, old)
        change_tags(work, f"Tag{self.kind}", f"Untag{self.kind}", self._named(name))

    def delete(self, work: Work) -> None:
        """Remove what it holds, then delete it."""
        name = work.physical_id
        exchange(work, (), of_identity(self.kind, name, work.properties))
        self.deleting(work)
        work.quietly("iam", f"Delete{self.kind}", **self._named(name))

    def creation(self, work: Work) -> dict[str, Any]:
        """The parameters of its creation, but for its name and tags."""
        return {name: work.get(name) for name in self.given}

    def created(self, work: Work, made: Mapping[str, Any]) -> None:
        """Do the rest of the creation that is this kind's own."""

    def change(self, work: Work, old: Properties) -> None:
        """Change what only this kind has: for users and groups, the path."""
        if work.get("Path", "/") != old.get("Path", "/"):
            named = self._named(work.physical_id)
            work.iam(f"Update{self.kind}", **named, NewPath=work.get("Path", "/"))
            work.attributes["Arn"] = work.iam(f"Get{self.kind}", **named)[self.kind]["Arn"]

    def deleting(self, work: Work) -> None:
        """Delete what stands in the way of the deletion."""

    def _named(self, name: str) -> dict[str, str]:
        return {f"{self.kind}Name": name}

    def _change_boundary(self, work: Work, old: Properties) -> None:
        new, named = work.get("PermissionsBoundary"), self._named(work.physical_id)
        if new == old.get("PermissionsBoundary"):
            return
        if new:
            work.iam(f"Put{self.kind}PermissionsBoundary", **named, PermissionsBoundary=new)
        else:
            work.quietly("iam", f"Delete{self.kind}PermissionsBoundary", **named)


def change_tags(work: Work, tag: str, untag: str, named: Mapping[str, str]) -> None:
    """Set the tags that are new or changed, and remove those that are gone."""
    new, old = work.own_tags, work.old_own_tags
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    gone = sorted(set(old) - set(new))
    if changed:
        pairs = [{"Key": key, "Value": value} for key, value in changed.items()]
        work.iam(tag, **named, Tags=pairs)
    if gone:
        work.iam(untag, **named, TagKeys=gone)


class Role(Identity):
    """``AWS::IAM::Role``."""

    kind = "Role"
    given = ("Path", "PermissionsBoundary", "Description", "MaxSessionDuration")

    def creation(self, work: Work) -> dict[str, Any]:
        """The trust policy too."""
        trust = document(work.get("AssumeRolePolicyDocument"))
        return {**super().creation(work), "AssumeRolePolicyDocument": trust}

    def created(self, work: Work, made: Mapping[str, Any]) -> None:
        """Tag it as CloudFormation's."""
        work.attributes["RoleId"] = made["RoleId"]
        work.tag_system(identities.Role, work.physical_id.lower())

    def change(self, work: Work, old: Properties) -> None:
        """Change its trust policy, description and session duration."""
        trust = document(work.get("AssumeRolePolicyDocument"))
        if trust != document(old.get("AssumeRolePolicyDocument", {})):
            work.iam("UpdateAssumeRolePolicy", RoleName=work.physical_id, PolicyDocument=trust)
        defaults = {"Description": "", "MaxSessionDuration": 3600}
        wanted = {name: work.get(name, default) for name, default in defaults.items()}
        if wanted != {name: old.get(name, default) for name, default in defaults.items()}:
            work.iam("UpdateRole", RoleName=work.physical_id, **wanted)


class User(Identity):
    """``AWS::IAM::User``."""

    kind = "User"

    def created(self, work: Work, made: Mapping[str, Any]) -> None:
        """Tag it as CloudFormation's, and give it its password."""
        name, login = made["UserName"], work.get("LoginProfile")
        work.tag_system(identities.User, name.lower())
        if login:
            work.iam(
                "CreateLoginProfile",
                UserName=name,
                Password=login.get("Password"),
                PasswordResetRequired=login.get("PasswordResetRequired"),
            )

    def deleting(self, work: Work) -> None:
        """Delete its password."""
        if work.get("LoginProfile"):
            work.quietly("iam", "DeleteLoginProfile", UserName=work.physical_id)


class Group(Identity):
    """``AWS::IAM::Group``, which has neither tags nor a boundary."""

    kind = "Group"
    given = ("Path",)
