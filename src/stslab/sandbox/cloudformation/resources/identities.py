"""``AWS::IAM::Role``, ``User`` and ``Group``: what these three have in common is here once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.cloudformation.resources import policies
from stslab.sandbox.cloudformation.resources.work import Work
from stslab.sandbox.state.identities import Role, User

Properties = Mapping[str, Any]


class Identity:
    """A role, user or group, made by calls named after its kind."""

    def __init__(
        self,
        kind: str,
        create: Callable[[Work], Mapping[str, Any]],
        update: Callable[[Work, Properties], None] = lambda _work, _old: None,
        forget: Callable[[Work], None] = lambda _work: None,
    ) -> None:
        self.kind = kind
        self._create = create
        self._update = update
        self._forget = forget

    def create(self, work: Work) -> None:
        """Create it, then its inline policies and attachments."""
        made = self._create(work)
        work.attributes["Arn"] = made["Arn"]
        if self.kind == "Role":
            work.attributes["RoleId"] = made["RoleId"]
            work.tag_system(Role, work.physical_id.lower())
        if self.kind == "User":
            work.tag_system(User, work.physical_id.lower())
        self._apply(work, {})

    def update(self, work: Work, old: Properties) -> None:
        """Change what changed, nothing else."""
        self._update(work, old)
        self._apply(work, old)
        if self.kind != "Group":
            self._change_boundary(work, old)
            self._change_tags(work)

    def delete(self, work: Work) -> None:
        """Take its policies, then delete it."""
        name = work.physical_id
        for policy in policies.inline(work.properties):
            policies.take(work, self.kind, name, policy)
        for arn in work.get("ManagedPolicyArns") or ():
            policies.detach(work, self.kind, name, arn)
        self._forget(work)
        work.quietly("iam", f"Delete{self.kind}", **self._named(name))

    def _named(self, name: str) -> dict[str, str]:
        return {f"{self.kind}Name": name}

    def _apply(self, work: Work, old: Properties) -> None:
        name = work.physical_id
        new_inline, old_inline = policies.inline(work.properties), policies.inline(old)
        for policy, text in new_inline.items():
            if old_inline.get(policy) != text:
                policies.put(work, self.kind, name, policy, text)
        for policy in old_inline.keys() - new_inline.keys():
            policies.take(work, self.kind, name, policy)
        new_arns = dict.fromkeys(work.get("ManagedPolicyArns") or ())
        old_arns = dict.fromkeys(old.get("ManagedPolicyArns") or ())
        for arn in new_arns.keys() - old_arns.keys():
            policies.attach(work, self.kind, name, arn)
        for arn in old_arns.keys() - new_arns.keys():
            policies.detach(work, self.kind, name, arn)

    def _change_boundary(self, work: Work, old: Properties) -> None:
        new = work.get("PermissionsBoundary")
        if new == old.get("PermissionsBoundary"):
            return
        named = self._named(work.physical_id)
        if new:
            work.iam(f"Put{self.kind}PermissionsBoundary", **named, PermissionsBoundary=new)
        else:
            work.quietly("iam", f"Delete{self.kind}PermissionsBoundary", **named)

    def _change_tags(self, work: Work) -> None:
        change_tags(work, f"Tag{self.kind}", f"Untag{self.kind}", self._named(work.physical_id))


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


def create_role(work: Work) -> Mapping[str, Any]:
    """Create the role."""
    made: Mapping[str, Any] = work.tagged(
        "CreateRole",
        RoleName=work.physical_id,
        AssumeRolePolicyDocument=policies.document(work.get("AssumeRolePolicyDocument")),
        Path=work.get("Path"),
        Description=work.get("Description"),
        MaxSessionDuration=work.get("MaxSessionDuration"),
        PermissionsBoundary=work.get("PermissionsBoundary"),
    )["Role"]
    return made


def update_role(work: Work, old: Properties) -> None:
    """Change its trust policy, description and session duration."""
    trust = policies.document(work.get("AssumeRolePolicyDocument"))
    if trust != policies.document(old.get("AssumeRolePolicyDocument", {})):
        work.iam("UpdateAssumeRolePolicy", RoleName=work.physical_id, PolicyDocument=trust)
    wanted = {
        "Description": work.get("Description", ""),
        "MaxSessionDuration": work.get("MaxSessionDuration", 3600),
    }
    had = {
        "Description": old.get("Description", ""),
        "MaxSessionDuration": old.get("MaxSessionDuration", 3600),
    }
    if wanted != had:
        work.iam("UpdateRole", RoleName=work.physical_id, **wanted)


def create_user(work: Work) -> Mapping[str, Any]:
    """Create the user, put it into its groups, and give it its password."""
    name = work.physical_id
    made: Mapping[str, Any] = work.tagged(
        "CreateUser",
        UserName=name,
        Path=work.get("Path"),
        PermissionsBoundary=work.get("PermissionsBoundary"),
    )["User"]
    for group in work.get("Groups") or ():
        work.iam("AddUserToGroup", UserName=name, GroupName=group)
    login = work.get("LoginProfile")
    if login:
        work.iam(
            "CreateLoginProfile",
            UserName=name,
            Password=login.get("Password"),
            PasswordResetRequired=login.get("PasswordResetRequired"),
        )
    return made


def update_user(work: Work, old: Properties) -> None:
    """Change its path and its groups."""
    name = work.physical_id
    if work.get("Path", "/") != old.get("Path", "/"):
        work.iam("UpdateUser", UserName=name, NewPath=work.get("Path", "/"))
        work.attributes["Arn"] = work.iam("GetUser", UserName=name)["User"]["Arn"]
    new_groups, old_groups = set(work.get("Groups") or ()), set(old.get("Groups") or ())
    for group in sorted(new_groups - old_groups):
        work.iam("AddUserToGroup", UserName=name, GroupName=group)
    for group in sorted(old_groups - new_groups):
        work.quietly("iam", "RemoveUserFromGroup", UserName=name, GroupName=group)


def forget_user(work: Work) -> None:
    """Take it from its groups, and its password with it."""
    for group in work.get("Groups") or ():
        work.quietly("iam", "RemoveUserFromGroup", UserName=work.physical_id, GroupName=group)
    if work.get("LoginProfile"):
        work.quietly("iam", "DeleteLoginProfile", UserName=work.physical_id)


def create_group(work: Work) -> Mapping[str, Any]:
    """Create the group."""
    made: Mapping[str, Any] = work.iam(
        "CreateGroup", GroupName=work.physical_id, Path=work.get("Path")
    )["Group"]
    return made


def update_group(work: Work, old: Properties) -> None:
    """Change its path."""
    if work.get("Path", "/") != old.get("Path", "/"):
        name = work.physical_id
        work.iam("UpdateGroup", GroupName=name, NewPath=work.get("Path", "/"))
        work.attributes["Arn"] = work.iam("GetGroup", GroupName=name)["Group"]["Arn"]


ROLE = Identity("Role", create_role, update_role)
USER = Identity("User", create_user, update_user, forget_user)
GROUP = Identity("Group", create_group, update_group)
