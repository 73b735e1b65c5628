"""What a request names, found in moto's store, or NoSuchEntity in AWS's words."""

from __future__ import annotations

import re
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults
from stslab.sandbox.saved.account import World

_POLICY_ARN = re.compile(r"arn:aws:iam::(\d{12}|aws):policy/[\x21-\x7e]+")


def backend(world: World, request: ApiRequest) -> Any:
    """Moto's IAM backend of the account that the request is for."""
    return world.account(request.account).iam


def user(iam: Any, name: str) -> Any:
    """The user of this name."""
    found = iam.users.get(name)
    if found is None:
        raise faults.no_such(f"The user with name {name} cannot be found.")
    return found


def own_user(world: World, request: ApiRequest) -> Any:
    """The user that the request names, or else the one who makes it.

    Raises:
        ApiFault: there is no such user, or the caller is none and names none.
    """
    name = request.params.get("UserName") or request.caller.user_name
    if not name:
        raise faults.invalid("Must specify userName when calling with non-User credentials")
    return user(backend(world, request), name)


def group(iam: Any, name: str) -> Any:
    """The group of this name."""
    found = iam.groups.get(name)
    if found is None:
        raise faults.no_such(f"The group with name {name} cannot be found.")
    return found


def role(iam: Any, name: str) -> Any:
    """The role of this name."""
    for found in list(iam.roles.values()):
        if found.name == name:
            return found
    raise faults.no_such(f"The role with name {name} cannot be found.")


def instance_profile(iam: Any, name: str) -> Any:
    """The instance profile of this name."""
    found = iam.instance_profiles.get(name)
    if found is None:
        raise faults.no_such(f"Instance Profile {name} cannot be found.")
    return found


def policy(iam: Any, arn: str) -> Any:
    """The managed policy with this ARN, AWS's or the account's own."""
    found = iam.managed_policies.get(checked_arn(arn))
    if found is None:
        raise faults.no_such(f"Policy {arn} was not found.")
    return found


def attachable(iam: Any, arn: str) -> Any:
    """The managed policy with this ARN, to be attached."""
    found = iam.managed_policies.get(checked_arn(arn))
    if found is None:
        raise faults.no_such(f"Policy {arn} does not exist or is not attachable.")
    return found


def own_policy(iam: Any, arn: str) -> Any:
    """The customer managed policy with this ARN, to be changed."""
    found = policy(iam, arn)
    if is_aws_managed(found):
        raise faults.invalid_input(f"Policy {arn} is owned by AWS and cannot be changed.")
    return found


def version(managed: Any, version_id: str) -> Any:
    """The version of a managed policy."""
    for found in managed.versions:
        if found.version_id == version_id:
            return found
    raise faults.no_such(
        f"Policy {managed.arn} version {version_id} does not exist or is not attachable."
    )


def checked_arn(arn: str) -> str:
    """``arn`` if it is formed like a managed policy's."""
    if not _POLICY_ARN.fullmatch(arn):
        raise faults.invalid_input(f"ARN {arn} is not valid.")
    return arn


def is_aws_managed(managed: Any) -> bool:
    """Whether AWS keeps the policy, the same in every account."""
    return str(managed.arn).startswith("arn:aws:iam::aws:")


def default_version(managed: Any) -> Any:
    """The version of a managed policy that counts."""
    return next(version for version in managed.versions if version.is_default)


def taken(names: Any, name: str) -> bool:
    """Whether the name is taken: names of users, groups and roles differ by more than case."""
    wanted = name.lower()
    return any(existing.lower() == wanted for existing in list(names))
