"""What each IAM request needs: its action, on the entity that it names.

IAM's actions are named as its operations; which types of resources each has comes from the
Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and
Access Management".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stslab.sandbox.api import reference
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.api.need import Need, Needs
from stslab.sandbox.pipeline import context, gather
from stslab.sandbox.pipeline.context import Keys
from stslab.sandbox.saved.account import Account, World

_INSTANCES = "ec2.amazonaws.com"
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Target:
    """The resource of a request: its ARN, how IAM's messages call it, and what is there."""

    arn: str
    shown: str | None = None
    entity: Any = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of resource: the parameters that name one, and how to find it."""

    parameters: tuple[str, ...]
    find: Callable[[Account, str], Any]


def of(request: ApiRequest, world: World) -> Needs:
    """The action on what the request names, and what two operations need beside it.

    What is renamed is needed by both names, and a role that goes into an instance profile is
    passed to EC2.
    """
    account = world.account(request.account)
    target = _target(request, account)
    keys = {**_asked(request.params), **_there(account, target.entity)}
    need = Need(
        f"iam:{request.operation}",
        target.arn,
        keys,
        resource_account=request.account,
        shown=target.shown,
    )
    return (need, *_further(request, account, target, need))


def _further(request: ApiRequest, account: Account, target: Target, need: Need) -> Needs:
    if request.operation in _RENAMES:
        renamed = _renamed(request, account, target)
        return () if renamed == need.resource else (replace(need, resource=renamed, shown=None),)
    if request.operation == "AddRoleToInstanceProfile":
        role = gather.role_named(account, request.params["RoleName"])
        return () if role is None else (pass_role(account, role.arn, _INSTANCES),)
    return ()


def _renamed(request: ApiRequest, account: Account, target: Target) -> str:
    """The ARN that the entity is to have (IAM API Reference, "UpdateUser", "UpdateGroup")."""
    kind, old, new = _RENAMES[request.operation]
    path = request.params.get("NewPath") or getattr(target.entity, "path", None) or "/"
    name = request.params.get(new) or request.params[old]
    return f"arn:aws:iam::{account.account_id}:{kind}{path}{name}"


def pass_role(account: Account, role_arn: str, service: str) -> Need:
    """What whoever hands a role to ``service`` needs.

    IAM User Guide, "Granting a user permissions to pass a role to an AWS service".

    Raises:
        ApiFault: AccessDenied: the role is another account's, which nobody can pass.
    """
    if role_arn.split(":")[4:5] != [account.account_id]:
        raise ApiFault("AccessDenied", "Cross-account pass role is not allowed.", _FORBIDDEN)
    role = gather.role_named(account, role_arn.rsplit("/", 1)[-1])
    keys: Keys = {"iam:PassedToService": service, **_there(account, role)}
    return Need("iam:PassRole", role_arn, keys, resource_account=account.account_id)


def _target(request: ApiRequest, account: Account) -> Target:
    prefix = f"arn:aws:iam::{account.account_id}"
    if request.operation in _LISTS:
        kind = _LISTS[request.operation]
        path = request.params.get("PathPrefix", "/")
        shown = f"policy path {path}" if kind == "policy" else None
        return Target(f"{prefix}:{kind}{path}", shown)
    if pointed := request.params.get("PolicySourceArn") or request.params.get("Arn"):
        return Target(str(pointed), None, _with_arn(account, str(pointed)))
    if request.operation == "GetAccessKeyLastUsed":
        return _holder(account, request.params["AccessKeyId"])
    known = reference.actions("iam").get(request.operation)
    types = known.resource_types if known else frozenset()
    for type_name, known_by in _KINDS.items():
        if type_name in types and (name := _named(request.params, known_by)):
            entity = known_by.find(account, name)
            return _resolved(request, account, type_name, entity, name)
    return _implied(request, account, types)


def _named(params: Mapping[str, Any], kind: _Kind) -> str:
    return next((str(params[name]) for name in kind.parameters if params.get(name)), "")


def _resolved(request: ApiRequest, account: Account, kind: str, entity: Any, name: str) -> Target:
    if name.startswith("arn:"):
        return Target(name, f"{kind} {name}", entity)
    creating = request.operation in _CREATING
    if entity is not None and not creating:
        return Target(entity.arn, f"{kind} {name}", entity)
    path = request.params.get("Path") or "/"
    arn = f"arn:aws:iam::{account.account_id}:{kind}{path}{name}"
    return Target(arn, None if creating else f"{kind} {name}")


def _with_arn(account: Account, arn: str) -> Any:
    iam = account.iam
    tables = (iam.users, iam.roles, iam.groups, iam.managed_policies)
    return next((one for table in tables for one in list(table.values()) if one.arn == arn), None)


def _holder(account: Account, key_id: str) -> Target:
    """The user whose access key it is."""
    key = account.iam.access_keys.get(key_id)
    user = None if key is None else account.iam.users.get(key.user_name)
    return Target("*", "*") if user is None else Target(user.arn, f"user {user.name}", user)


def _implied(request: ApiRequest, account: Account, types: frozenset[str]) -> Target:
    """The caller's own user, where a user may be left out; else everything."""
    caller = request.caller
    if "user" in types and not request.params.get("UserName"):
        user = gather.user_named(account, caller.user_name, caller.user_id)
        if user is not None:
            return Target(user.arn, f"user {user.name}", user)
        return Target(caller.principal.arn)
    return Target("*", "*")


def _asked(params: Mapping[str, Any]) -> Keys:
    """The keys of what the request passes."""
    keys: Keys = {
        key: params[parameter] for parameter, key in _OF_PARAMETERS.items() if params.get(parameter)
    }
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()}
    keys |= context.request_tags(tags)
    if params.get("TagKeys"):
        keys["aws:TagKeys"] = tuple(params["TagKeys"])
    return keys


def _there(account: Account, entity: Any) -> Keys:
    """The keys of the entity that the request names: its tags and its boundary."""
    if entity is None:
        return {}
    keys = context.resource_tags(context.own_tags(entity), "iam")
    boundary = getattr(entity, "permissions_boundary_arn", None)
    if account.iam.users.get(getattr(entity, "name", "")) is entity:
        boundary = account.user_boundaries.get(entity.name)
    return {**keys, "iam:PermissionsBoundary": boundary} if boundary else keys


def _user(account: Account, name: str) -> Any:
    return account.iam.users.get(name)


def _group(account: Account, name: str) -> Any:
    return account.iam.groups.get(name)


def _profile(account: Account, name: str) -> Any:
    return account.iam.instance_profiles.get(name)


def _policy(account: Account, arn: str) -> Any:
    return account.iam.managed_policies.get(arn)


def _oidc_provider(account: Account, arn: str) -> Any:
    return account.iam.open_id_providers.get(arn)


def _saml_provider(account: Account, arn: str) -> Any:
    providers = list(account.iam.saml_providers.values())
    return next((one for one in providers if one.arn == arn), None)


def _mfa_device(account: Account, serial: str) -> Any:
    return account.iam.virtual_mfa_devices.get(serial)


def _none(_account: Account, _name: str) -> None:
    return None


# In the order in which they are tried: an operation on a user's policy is on the user.
_KINDS: Mapping[str, _Kind] = {
    "user": _Kind(("UserName",), _user),
    "role": _Kind(("RoleName",), gather.role_named),
    "group": _Kind(("GroupName",), _group),
    "instance-profile": _Kind(("InstanceProfileName",), _profile),
    "policy": _Kind(("PolicyArn", "PolicyName"), _policy),
    "oidc-provider": _Kind(("OpenIDConnectProviderArn",), _oidc_provider),
    "saml-provider": _Kind(("SAMLProviderArn", "Name"), _saml_provider),
    "server-certificate": _Kind(("ServerCertificateName",), _none),
    "mfa": _Kind(("SerialNumber", "VirtualMFADeviceName"), _mfa_device),
}
# These name what they make, which is not there yet.
_CREATING = frozenset(
    {
        "CreateGroup",
        "CreateInstanceProfile",
        "CreatePolicy",
        "CreateRole",
        "CreateSAMLProvider",
        "CreateUser",
        "CreateVirtualMFADevice",
        "UploadServerCertificate",
    }
)
# These name a path, and IAM answers with the path's ARN.
_LISTS: Mapping[str, str] = {
    "ListUsers": "user",
    "ListRoles": "role",
    "ListGroups": "group",
    "ListPolicies": "policy",
    "ListInstanceProfiles": "instance-profile",
}
# The type of what is renamed, and the parameters that have its old and its new name.
_RENAMES: Mapping[str, tuple[str, str, str]] = {
    "UpdateGroup": ("group", "GroupName", "NewGroupName"),
    "UpdateServerCertificate": (
        "server-certificate",
        "ServerCertificateName",
        "NewServerCertificateName",
    ),
    "UpdateUser": ("user", "UserName", "NewUserName"),
}
# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "PolicyArn": "iam:PolicyARN",
    "PermissionsBoundary": "iam:PermissionsBoundary",
    "AWSServiceName": "iam:AWSServiceName",
}
