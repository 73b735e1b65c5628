"""IAM roles, service-linked ones too, and instance profiles."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.identities import boundaries
from stslab.sandbox.iam.identities.users import refuse_if_held
from stslab.sandbox.iam.policies import documents
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]

_DEFAULT_SECONDS = 3600
_ROLES = 1000
_INSTANCE_PROFILES = 1000
_SERVICE_PATH = "/aws-service-role/"
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)?([a-z0-9-]+)\.amazonaws\.com")
_TASK = re.compile(r"task/aws-service-role/[\w.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")


def create_role(world: World, request: ApiRequest) -> Answer:
    """CreateRole; the principals that its trust policy names must exist."""
    iam, params = lookups.backend(world, request), request.params
    _refuse_taken(iam, params["RoleName"])
    faults.check_quota("RolesPerAccount", _ROLES, len(iam.roles))
    path = params.get("Path", "/")
    if path.startswith(_SERVICE_PATH):
        raise faults.invalid(f"The path {_SERVICE_PATH} is reserved for service-linked roles.")
    bound = params.get("PermissionsBoundary")
    role = iam.create_role(
        role_name=params["RoleName"],
        assume_role_policy_document=documents.trusted(params["AssumeRolePolicyDocument"], world),
        path=path,
        permissions_boundary=None if bound is None else boundaries.usable(iam, bound),
        description=params.get("Description", ""),
        tags=tagging.checked(params.get("Tags", ())),
        max_session_duration=params.get("MaxSessionDuration", _DEFAULT_SECONDS),
    )
    return {"Role": shapes.whole_role(world, iam, role)}


def _refuse_taken(iam: Any, name: str) -> None:
    if lookups.taken([role.name for role in list(iam.roles.values())], name):
        raise faults.exists(f"Role with name {name} already exists.")


def get_role(world: World, request: ApiRequest) -> Answer:
    """GetRole."""
    iam = lookups.backend(world, request)
    return {"Role": shapes.whole_role(world, iam, lookups.role(iam, request.params["RoleName"]))}


def list_roles(world: World, request: ApiRequest) -> Answer:
    """ListRoles."""
    roles = lookups.backend(world, request).roles.values()
    found = shapes.under_path(roles, request.params.get("PathPrefix"))
    return paging.page("Roles", [shapes.role(world, role) for role in found], request.params)


def update_role(world: World, request: ApiRequest) -> Answer:
    """UpdateRole: description and maximum session duration."""
    role = _own_role(world, request)
    params = request.params
    role.description = params.get("Description", role.description)
    role.max_session_duration = params.get("MaxSessionDuration", role.max_session_duration)
    return {}


def update_role_description(world: World, request: ApiRequest) -> Answer:
    """UpdateRoleDescription."""
    role = _own_role(world, request)
    role.description = request.params["Description"]
    return {"Role": shapes.role(world, role)}


def update_assume_role_policy(world: World, request: ApiRequest) -> Answer:
    """UpdateAssumeRolePolicy; the principals that it names must exist."""
    role = _own_role(world, request)
    kept = documents.trusted(request.params["PolicyDocument"], world)
    role.assume_role_policy_document = kept
    return {}


def delete_role(world: World, request: ApiRequest) -> Answer:
    """DeleteRole, once nothing is attached to it."""
    iam, role = lookups.backend(world, request), _own_role(world, request)
    held = (
        (iam.get_instance_profiles_for_role(role.name), "remove roles from instance profile"),
        (role.managed_policies, "detach all policies"),
        (role.policies, "delete policies"),
    )
    refuse_if_held(held)
    del iam.roles[role.id]
    return {}


def _own_role(world: World, request: ApiRequest) -> Any:
    role = lookups.role(lookups.backend(world, request), request.params["RoleName"])
    refuse_service_linked(role)
    return role


def refuse_service_linked(role: Any) -> None:
    """Raise UnmodifiableEntity for a role that only its service may change."""
    if role.path.startswith(_SERVICE_PATH):
        raise faults.unmodifiable(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only "
            "modifiable by AWS"
        )


def create_service_linked_role(world: World, request: ApiRequest) -> Answer:
    """CreateServiceLinkedRole, with the trust of its service."""
    iam, params = lookups.backend(world, request), request.params
    service = params["AWSServiceName"]
    match = _SERVICE.fullmatch(service)
    if match is None:
        raise faults.invalid_input(f"Service principal {service} is not valid.")
    suffix = f"_{params['CustomSuffix']}" if params.get("CustomSuffix") else ""
    name = f"AWSServiceRoleFor{''.join(map(str.title, match[1].split('-')))}{suffix}"
    if lookups.taken([role.name for role in list(iam.roles.values())], name):
        raise faults.invalid_input(
            f"Service role name {name} has been taken in this account, please try a different "
            "suffix."
        )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(
        role_name=name,
        assume_role_policy_document=json.dumps(trust),
        path=f"{_SERVICE_PATH}{service}/",
        permissions_boundary=None,
        description=params.get("Description", ""),
        tags=[],
        max_session_duration=_DEFAULT_SECONDS,
        linked_service=service,
    )
    return {"Role": shapes.role(world, role)}


def delete_service_linked_role(world: World, request: ApiRequest) -> Answer:
    """DeleteServiceLinkedRole; no service here holds on to one, so it is gone at once."""
    iam = lookups.backend(world, request)
    role = lookups.role(iam, request.params["RoleName"])
    if not role.path.startswith(_SERVICE_PATH):
        raise faults.no_such(f"The service-linked role with name {role.name} cannot be found.")
    del iam.roles[role.id]
    return {"DeletionTaskId": f"task{role.path}{role.name}/{uuid.uuid4()}"}


def get_service_linked_role_deletion_status(_world: World, request: ApiRequest) -> Answer:
    """GetServiceLinkedRoleDeletionStatus: a deletion that was begun has succeeded."""
    task = request.params["DeletionTaskId"]
    if not _TASK.fullmatch(task):
        raise faults.no_such(f"Deletion task {task} cannot be found.")
    return {"Status": "SUCCEEDED"}


def create_instance_profile(world: World, request: ApiRequest) -> Answer:
    """CreateInstanceProfile."""
    iam, params = lookups.backend(world, request), request.params
    name = params["InstanceProfileName"]
    if lookups.taken(iam.instance_profiles, name):
        raise faults.exists(f"Instance Profile {name} already exists.")
    there_are = len(iam.instance_profiles)
    faults.check_quota("InstanceProfilesPerAccount", _INSTANCE_PROFILES, there_are)
    tags = tagging.checked(params.get("Tags", ()))
    profile = iam.create_instance_profile(name, params.get("Path", "/"), [], tags)
    return {"InstanceProfile": shapes.instance_profile(world, iam, profile)}


def get_instance_profile(world: World, request: ApiRequest) -> Answer:
    """GetInstanceProfile."""
    iam = lookups.backend(world, request)
    profile = lookups.instance_profile(iam, request.params["InstanceProfileName"])
    return {"InstanceProfile": shapes.instance_profile(world, iam, profile)}


def list_instance_profiles(world: World, request: ApiRequest) -> Answer:
    """ListInstanceProfiles."""
    iam = lookups.backend(world, request)
    found = shapes.under_path(iam.instance_profiles.values(), request.params.get("PathPrefix"))
    shown = [shapes.instance_profile(world, iam, profile, whole=False) for profile in found]
    return paging.page("InstanceProfiles", shown, request.params)


def list_instance_profiles_for_role(world: World, request: ApiRequest) -> Answer:
    """ListInstanceProfilesForRole."""
    iam = lookups.backend(world, request)
    role = lookups.role(iam, request.params["RoleName"])
    found = iam.get_instance_profiles_for_role(role.name)
    shown = [shapes.instance_profile(world, iam, profile, whole=False) for profile in found]
    return paging.page("InstanceProfiles", shown, request.params)


def add_role_to_instance_profile(world: World, request: ApiRequest) -> Answer:
    """AddRoleToInstanceProfile: one role at most."""
    iam, params = lookups.backend(world, request), request.params
    profile = lookups.instance_profile(iam, params["InstanceProfileName"])
    role = lookups.role(iam, params["RoleName"])
    faults.check_quota("InstanceSessionsPerInstanceProfile", 1, len(profile.roles))
    profile.roles.append(role)
    return {}


def remove_role_from_instance_profile(world: World, request: ApiRequest) -> Answer:
    """RemoveRoleFromInstanceProfile."""
    iam, params = lookups.backend(world, request), request.params
    profile = lookups.instance_profile(iam, params["InstanceProfileName"])
    role = lookups.role(iam, params["RoleName"])
    if role not in profile.roles:
        raise faults.no_such(f"The role with name {role.name} cannot be found.")
    profile.roles.remove(role)
    return {}


def delete_instance_profile(world: World, request: ApiRequest) -> Answer:
    """DeleteInstanceProfile, once it has no role."""
    iam = lookups.backend(world, request)
    profile = lookups.instance_profile(iam, request.params["InstanceProfileName"])
    refuse_if_held(((profile.roles, "remove roles from instance profile"),))
    del iam.instance_profiles[profile.name]
    return {}


HANDLERS = {
    "CreateRole": create_role,
    "GetRole": get_role,
    "ListRoles": list_roles,
    "UpdateRole": update_role,
    "UpdateRoleDescription": update_role_description,
    "UpdateAssumeRolePolicy": update_assume_role_policy,
    "DeleteRole": delete_role,
    "CreateServiceLinkedRole": create_service_linked_role,
    "DeleteServiceLinkedRole": delete_service_linked_role,
    "GetServiceLinkedRoleDeletionStatus": get_service_linked_role_deletion_status,
    "CreateInstanceProfile": create_instance_profile,
    "GetInstanceProfile": get_instance_profile,
    "ListInstanceProfiles": list_instance_profiles,
    "ListInstanceProfilesForRole": list_instance_profiles_for_role,
    "AddRoleToInstanceProfile": add_role_to_instance_profile,
    "RemoveRoleFromInstanceProfile": remove_role_from_instance_profile,
    "DeleteInstanceProfile": delete_instance_profile,
}
