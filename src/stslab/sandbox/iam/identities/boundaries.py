"""Permissions boundaries of users and roles (IAM User Guide, "Permissions boundaries")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]


def usable(iam: Any, arn: str) -> str:
    """``arn`` if it is a managed policy's, which can be a boundary.

    Raises:
        ApiFault: InvalidInput or NoSuchEntity.
    """
    if iam.managed_policies.get(lookups.checked_arn(arn)) is None:
        raise faults.no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def put_user_boundary(world: World, request: ApiRequest) -> Answer:
    """PutUserPermissionsBoundary."""
    iam, params = lookups.backend(world, request), request.params
    user = lookups.user(iam, params["UserName"])
    bounds = world.account(request.account).user_boundaries
    bounds[user.name] = usable(iam, params["PermissionsBoundary"])
    return {}


def delete_user_boundary(world: World, request: ApiRequest) -> Answer:
    """DeleteUserPermissionsBoundary."""
    user = lookups.user(lookups.backend(world, request), request.params["UserName"])
    if world.account(request.account).user_boundaries.pop(user.name, None) is None:
        raise faults.no_such(f"No permissions boundary is set for user {user.name}.")
    return {}


def put_role_boundary(world: World, request: ApiRequest) -> Answer:
    """PutRolePermissionsBoundary."""
    iam, params = lookups.backend(world, request), request.params
    role = lookups.role(iam, params["RoleName"])
    role.permissions_boundary_arn = usable(iam, params["PermissionsBoundary"])
    return {}


def delete_role_boundary(world: World, request: ApiRequest) -> Answer:
    """DeleteRolePermissionsBoundary."""
    role = lookups.role(lookups.backend(world, request), request.params["RoleName"])
    if not role.permissions_boundary_arn:
        raise faults.no_such(f"No permissions boundary is set for role {role.name}.")
    role.permissions_boundary_arn = None
    return {}


HANDLERS = {
    "PutUserPermissionsBoundary": put_user_boundary,
    "DeleteUserPermissionsBoundary": delete_user_boundary,
    "PutRolePermissionsBoundary": put_role_boundary,
    "DeleteRolePermissionsBoundary": delete_role_boundary,
}
