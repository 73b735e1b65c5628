"""IAM users and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.identities import boundaries
from stslab.sandbox.iam.mfa import devices as mfa_devices
from stslab.sandbox.saved.account import REGION, World

_GROUPS_PER_USER = 10
_USERS = 5000
_GROUPS = 300
Answer = Mapping[str, Any]


def create_user(world: World, request: ApiRequest) -> Answer:
    """CreateUser, with its permissions boundary."""
    iam, params = lookups.backend(world, request), request.params
    name = params["UserName"]
    if lookups.taken(iam.users, name):
        raise faults.exists(f"User with name {name} already exists.")
    faults.check_quota("UsersPerAccount", _USERS, len(iam.users))
    tags = tagging.checked(params.get("Tags", ()))
    bound = params.get("PermissionsBoundary")
    if bound is not None:
        boundaries.usable(iam, bound)
    user = iam.create_user(REGION, name, params.get("Path", "/"), tags)
    if bound is not None:
        world.account(request.account).user_boundaries[name] = bound
    return {"User": shapes.whole_user(world, iam, user)}


def get_user(world: World, request: ApiRequest) -> Answer:
    """GetUser, of the caller where no name is given."""
    iam = lookups.backend(world, request)
    if request.caller.kind == "Root" and "UserName" not in request.params:
        return {"User": _root_user(iam, request)}
    return {"User": shapes.whole_user(world, iam, lookups.own_user(world, request))}


def _root_user(iam: Any, request: ApiRequest) -> dict[str, Any]:
    """The root user, who is as old as the oldest user."""
    created = [user.create_date for user in list(iam.users.values())]
    return {
        "Path": "/",
        "UserName": "root",
        "UserId": request.caller.user_id,
        "Arn": request.caller.principal.arn,
        "CreateDate": shapes.moment(min(created)) if created else request.now,
    }


def list_users(world: World, request: ApiRequest) -> Answer:
    """ListUsers."""
    users = lookups.backend(world, request).users.values()
    found = shapes.under_path(users, request.params.get("PathPrefix"))
    return paging.page("Users", [shapes.user(user) for user in found], request.params)


def update_user(world: World, request: ApiRequest) -> Answer:
    """UpdateUser: another name or path, the same principal."""
    iam, params = lookups.backend(world, request), request.params
    user = lookups.user(iam, params["UserName"])
    name = params.get("NewUserName", user.name)
    others = [other for other in iam.users if other != user.name]
    if lookups.taken(others, name):
        raise faults.exists(f"User with name {name} already exists.")
    tags = tagging.of(iam, "user", user)
    iam.tagger.delete_all_tags_for_resource(user.arn)
    _move_user(world, iam, user, name)
    user.path = params.get("NewPath", user.path)
    iam.tagger.tag_resource(user.arn, tags)
    return {}


def _move_user(world: World, iam: Any, user: Any, name: str) -> None:
    bounds = world.account(user.account_id).user_boundaries
    if user.name in bounds:
        bounds[name] = bounds.pop(user.name)
    iam.users[name] = iam.users.pop(user.name)
    user.name = name
    for key in user.access_keys:
        key.user_name = name
    for device in mfa_devices.of_user(iam, user):
        device.user_name = name
        mfa_devices.changed(iam, device)


def delete_user(world: World, request: ApiRequest) -> Answer:
    """DeleteUser, once nothing is left in it (IAM API Reference, "DeleteUser")."""
    iam = lookups.backend(world, request)
    user = lookups.user(iam, request.params["UserName"])
    held = (
        (user.access_keys, "delete access keys"),
        (user.signing_certificates, "delete signing certificates"),
        (user.ssh_public_keys, "delete SSH public keys"),
        (user.mfa_devices, "delete MFA device"),
        (user.password, "delete login profile"),
        (user.managed_policies, "detach all policies"),
        (user.policies, "delete policies"),
        (iam.get_groups_for_user(user.name), "remove users from group"),
    )
    refuse_if_held(held)
    iam.tagger.delete_all_tags_for_resource(user.arn)
    world.account(request.account).user_boundaries.pop(user.name, None)
    del iam.users[user.name]
    return {}


def refuse_if_held(held: tuple[tuple[Any, str], ...]) -> None:
    """Raise DeleteConflict with the first thing that is still there, and what to do first."""
    for what, first in held:
        if what:
            raise faults.in_use(f"Cannot delete entity, must {first} first.")


def create_group(world: World, request: ApiRequest) -> Answer:
    """CreateGroup."""
    iam, name = lookups.backend(world, request), request.params["GroupName"]
    if lookups.taken(iam.groups, name):
        raise faults.exists(f"Group with name {name} already exists.")
    faults.check_quota("GroupsPerAccount", _GROUPS, len(iam.groups))
    return {"Group": shapes.group(iam.create_group(name, request.params.get("Path", "/")))}


def get_group(world: World, request: ApiRequest) -> Answer:
    """GetGroup: the group, and its users in pages."""
    group = lookups.group(lookups.backend(world, request), request.params["GroupName"])
    users = [shapes.user(user) for user in shapes.under_path(group.users, None)]
    return {"Group": shapes.group(group), **paging.page("Users", users, request.params)}


def list_groups(world: World, request: ApiRequest) -> Answer:
    """ListGroups."""
    groups = lookups.backend(world, request).groups.values()
    found = shapes.under_path(groups, request.params.get("PathPrefix"))
    return paging.page("Groups", [shapes.group(group) for group in found], request.params)


def list_groups_for_user(world: World, request: ApiRequest) -> Answer:
    """ListGroupsForUser."""
    iam = lookups.backend(world, request)
    user = lookups.user(iam, request.params["UserName"])
    found = shapes.under_path(iam.get_groups_for_user(user.name), None)
    return paging.page("Groups", [shapes.group(group) for group in found], request.params)


def update_group(world: World, request: ApiRequest) -> Answer:
    """UpdateGroup: another name or path."""
    iam, params = lookups.backend(world, request), request.params
    group = lookups.group(iam, params["GroupName"])
    name = params.get("NewGroupName", group.name)
    if lookups.taken([other for other in iam.groups if other != group.name], name):
        raise faults.exists(f"Group with name {name} already exists.")
    iam.groups[name] = iam.groups.pop(group.name)
    group.name, group.path = name, params.get("NewPath", group.path)
    return {}


def delete_group(world: World, request: ApiRequest) -> Answer:
    """DeleteGroup, once it has no users and no policies."""
    iam = lookups.backend(world, request)
    group = lookups.group(iam, request.params["GroupName"])
    held = (
        (group.users, "remove users from group"),
        (group.managed_policies, "detach all policies"),
        (group.policies, "delete policies"),
    )
    refuse_if_held(held)
    del iam.groups[group.name]
    return {}


def add_user_to_group(world: World, request: ApiRequest) -> Answer:
    """AddUserToGroup."""
    iam, params = lookups.backend(world, request), request.params
    group, user = lookups.group(iam, params["GroupName"]), lookups.user(iam, params["UserName"])
    if user not in group.users:
        there_are = len(iam.get_groups_for_user(user.name))
        faults.check_quota("GroupsPerUser", _GROUPS_PER_USER, there_are)
        group.users.append(user)
    return {}


def remove_user_from_group(world: World, request: ApiRequest) -> Answer:
    """RemoveUserFromGroup."""
    iam, params = lookups.backend(world, request), request.params
    group, user = lookups.group(iam, params["GroupName"]), lookups.user(iam, params["UserName"])
    if user not in group.users:
        raise faults.no_such(f"User {user.name} not in group {group.name}")
    group.users.remove(user)
    return {}


def list_service_specific_credentials(world: World, request: ApiRequest) -> Answer:
    """ListServiceSpecificCredentials: none, since none can be made here."""
    if not request.params.get("AllUsers"):
        lookups.own_user(world, request)
    return {"ServiceSpecificCredentials": []}


HANDLERS = {
    "CreateUser": create_user,
    "GetUser": get_user,
    "ListUsers": list_users,
    "UpdateUser": update_user,
    "DeleteUser": delete_user,
    "CreateGroup": create_group,
    "GetGroup": get_group,
    "ListGroups": list_groups,
    "ListGroupsForUser": list_groups_for_user,
    "ListServiceSpecificCredentials": list_service_specific_credentials,
    "UpdateGroup": update_group,
    "DeleteGroup": delete_group,
    "AddUserToGroup": add_user_to_group,
    "RemoveUserFromGroup": remove_user_from_group,
}
