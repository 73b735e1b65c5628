"""IAM users and groups."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Read, Reads, Writes
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.identities import boundaries
from stslab.sandbox.state.identities import AccessKey, Group, MfaDevice, User
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_GROUPS_PER_USER = 10
_USERS = 5000
_GROUPS = 300


def create_user(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateUser, with its permissions boundary."""
    account, params = request.account, request.params
    _refuse_taken(tx, account, params["UserName"])
    faults.check_quota("UsersPerAccount", _USERS, tx.count(User, account))
    user = User(
        account=account,
        name=params["UserName"],
        path=params.get("Path", "/"),
        unique_id=identifiers.unique_id("AIDA", account),
        created=request.now,
        tags=tagging.checked(params.get("Tags", ())),
        boundary=boundaries.requested(tx, request),
    )
    tx.put(user)
    return {"User": shapes.whole_user(user)}


def _refuse_taken(view: View, account: str, name: str, but: User | None = None) -> None:
    other = view.get(User, account, name.lower())
    if other is not None and other is not but:
        raise faults.exists(f"User with name {name} already exists.")


def get_user(view: View, request: ApiRequest) -> Answer:
    """GetUser, of the caller where no name is given."""
    if request.caller.kind == "Root" and "UserName" not in request.params:
        return {"User": _root_user(view, request)}
    return {"User": shapes.whole_user(lookups.own_user(view, request))}


def _root_user(view: View, request: ApiRequest) -> dict[str, Any]:
    """The root user, who is as old as the oldest user."""
    created = (user.created for user in view.all(User, request.account))
    return {
        "Path": "/",
        "UserName": "root",
        "UserId": request.caller.user_id,
        "Arn": request.caller.principal.arn,
        "CreateDate": min(created, default=request.now),
    }


def list_users(view: View, request: ApiRequest) -> Answer:
    """ListUsers."""
    found = shapes.by_name(view.all(User, request.account), request.params.get("PathPrefix"))
    return paging.page("Users", found, request.params, shapes.user)


def update_user(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateUser: another name or path, the same principal."""
    params, user = request.params, lookups.named(tx, User, request)
    name = params.get("NewUserName", user.name)
    _refuse_taken(tx, request.account, name, but=user)
    renamed = replace(user, name=name, path=params.get("NewPath", user.path))
    tx.delete(user)
    tx.put(renamed)
    for key_id in user.access_keys:
        key = tx.get(AccessKey, user.account, key_id)
        if key is not None:
            tx.put(replace(key, user=renamed.key))
    for serial in user.mfa_devices:
        device = lookups.find(tx, MfaDevice, user.account, serial)
        if device is not None:
            tx.put(replace(device, user=renamed.key))
    return {}


def delete_user(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteUser, once nothing is left in it (IAM API Reference, "DeleteUser")."""
    user = lookups.named(tx, User, request)
    faults.refuse_if_held(
        (user.access_keys, "delete access keys"),
        (user.mfa_devices, "delete MFA device"),
        (user.login, "delete login profile"),
        (user.attached, "detach all policies"),
        (user.inline, "delete policies"),
        (user.groups, "remove users from group"),
    )
    tx.delete(user)
    return {}


def create_group(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateGroup."""
    account, name = request.account, request.params["GroupName"]
    if tx.get(Group, account, name.lower()) is not None:
        raise faults.exists(f"Group with name {name} already exists.")
    faults.check_quota("GroupsPerAccount", _GROUPS, tx.count(Group, account))
    group = Group(
        account=account,
        name=name,
        path=request.params.get("Path", "/"),
        unique_id=identifiers.unique_id("AGPA", account),
        created=request.now,
    )
    tx.put(group)
    return {"Group": shapes.group(group)}


def get_group(view: View, request: ApiRequest) -> Answer:
    """GetGroup: the group, and its users in pages."""
    group = lookups.named(view, Group, request)
    users = shapes.by_name(lookups.users_in(view, group))
    shown = paging.page("Users", users, request.params, shapes.user)
    return {"Group": shapes.group(group), **shown}


def list_groups(view: View, request: ApiRequest) -> Answer:
    """ListGroups."""
    found = shapes.by_name(view.all(Group, request.account), request.params.get("PathPrefix"))
    return paging.page("Groups", found, request.params, shapes.group)


def list_groups_for_user(view: View, request: ApiRequest) -> Answer:
    """ListGroupsForUser."""
    found = lookups.groups_of(view, lookups.named(view, User, request))
    return paging.page("Groups", found, request.params, shapes.group)


def update_group(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateGroup: another name or path."""
    params, group = request.params, lookups.named(tx, Group, request)
    name = params.get("NewGroupName", group.name)
    if tx.get(Group, group.account, name.lower()) not in (None, group):
        raise faults.exists(f"Group with name {name} already exists.")
    renamed = replace(group, name=name, path=params.get("NewPath", group.path))
    members = list(lookups.users_in(tx, group))
    tx.delete(group)
    tx.put(renamed)
    for user in members:
        tx.put(replace(user, groups=(*_but(user.groups, group.key), renamed.key)))
    return {}


def delete_group(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteGroup, once it has no users and no policies."""
    group = lookups.named(tx, Group, request)
    faults.refuse_if_held(
        (list(lookups.users_in(tx, group)), "remove users from group"),
        (group.attached, "detach all policies"),
        (group.inline, "delete policies"),
    )
    tx.delete(group)
    return {}


def add_user_to_group(tx: Transaction, request: ApiRequest) -> Answer:
    """AddUserToGroup."""
    group, user = lookups.named(tx, Group, request), lookups.named(tx, User, request)
    if group.key not in user.groups:
        faults.check_quota("GroupsPerUser", _GROUPS_PER_USER, len(user.groups))
        tx.put(replace(user, groups=(*user.groups, group.key)))
    return {}


def remove_user_from_group(tx: Transaction, request: ApiRequest) -> Answer:
    """RemoveUserFromGroup."""
    group, user = lookups.named(tx, Group, request), lookups.named(tx, User, request)
    if group.key not in user.groups:
        raise faults.no_such(f"User {user.name} not in group {group.name}")
    tx.put(replace(user, groups=tuple(_but(user.groups, group.key))))
    return {}


def _but(keys: Iterable[str], gone: str) -> list[str]:
    return [key for key in keys if key != gone]


def _none_of_user(member: str) -> Read:
    """Answers that a user has none of what can't be made here, as who deletes users asks."""

    def listed(view: View, request: ApiRequest) -> Answer:
        if not request.params.get("AllUsers"):
            lookups.own_user(view, request)
        return {member: [], "IsTruncated": False}

    return listed


READS: Reads = {
    "GetGroup": get_group,
    "GetUser": get_user,
    "ListGroups": list_groups,
    "ListGroupsForUser": list_groups_for_user,
    "ListServiceSpecificCredentials": _none_of_user("ServiceSpecificCredentials"),
    "ListSigningCertificates": _none_of_user("Certificates"),
    "ListSSHPublicKeys": _none_of_user("SSHPublicKeys"),
    "ListUsers": list_users,
}
WRITES: Writes = {
    "AddUserToGroup": add_user_to_group,
    "CreateGroup": create_group,
    "CreateUser": create_user,
    "DeleteGroup": delete_group,
    "DeleteUser": delete_user,
    "RemoveUserFromGroup": remove_user_from_group,
    "UpdateGroup": update_group,
    "UpdateUser": update_user,
}
