"""Managed policies and their versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.policies import documents
from stslab.sandbox.saved.account import REGION, World

Answer = Mapping[str, Any]
_VERSIONS = 5
_POLICIES = 1500


def create_policy(world: World, request: ApiRequest) -> Answer:
    """CreatePolicy."""
    iam, params = lookups.backend(world, request), request.params
    name = params["PolicyName"]
    own = [
        one.name for one in list(iam.managed_policies.values()) if not lookups.is_aws_managed(one)
    ]
    if lookups.taken(own, name):
        raise faults.exists(
            f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    faults.check_quota("PoliciesPerAccount", _POLICIES, len(own))
    tags = tagging.checked(params.get("Tags", ()))
    policy = _class("ManagedPolicy")(
        name,
        account_id=request.account,
        region=REGION,
        description=params.get("Description", ""),
        document=documents.managed(params["PolicyDocument"]),
        path=params.get("Path", "/"),
        tags={tag["Key"].lower(): tag for tag in tags},
    )
    iam.managed_policies[policy.arn] = policy
    return {"Policy": shapes.filled({**shapes.policy(world, policy), "Tags": tags or None})}


def _class(name: str) -> Any:
    """Moto's class of this name, as the sandbox has changed it."""
    from moto.iam import models

    return getattr(models, name)


def get_policy(world: World, request: ApiRequest) -> Answer:
    """GetPolicy."""
    iam = lookups.backend(world, request)
    policy = lookups.policy(iam, request.params["PolicyArn"])
    whole = {
        **shapes.policy(world, policy),
        "Description": policy.description or None,
        "Tags": shapes.tags(iam, "policy", policy) or [],
    }
    return {"Policy": shapes.filled(whole)}


def list_policies(world: World, request: ApiRequest) -> Answer:
    """ListPolicies: AWS's, the account's own (Local), or both."""
    iam, params = lookups.backend(world, request), request.params
    scope = params.get("Scope", "All")
    chosen = [
        policy
        for policy in list(iam.managed_policies.values())
        if scope in ("All", "AWS" if lookups.is_aws_managed(policy) else "Local")
        and (policy.attachment_count or not params.get("OnlyAttached"))
        and _used_as(world, policy, params.get("PolicyUsageFilter"))
    ]
    found = shapes.under_path(chosen, params.get("PathPrefix"))
    return paging.page("Policies", [shapes.policy(world, policy) for policy in found], params)


def _used_as(world: World, policy: Any, usage: str | None) -> bool:
    if usage == "PermissionsBoundary":
        return shapes.bounded_by(world.accounts.get(policy.account_id), policy.arn) > 0
    return usage is None or policy.attachment_count > 0


def delete_policy(world: World, request: ApiRequest) -> Answer:
    """DeletePolicy, once it is attached nowhere and has one version only."""
    iam = lookups.backend(world, request)
    policy = lookups.own_policy(iam, request.params["PolicyArn"])
    bounded = shapes.bounded_by(world.account(request.account), policy.arn)
    if policy.attachment_count or bounded:
        raise faults.in_use("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise faults.in_use(
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )
    del iam.managed_policies[policy.arn]
    return {}


def create_policy_version(world: World, request: ApiRequest) -> Answer:
    """CreatePolicyVersion: five at most."""
    iam, params = lookups.backend(world, request), request.params
    policy = lookups.own_policy(iam, params["PolicyArn"])
    text = documents.managed(params["PolicyDocument"])
    if len(policy.versions) >= _VERSIONS:
        raise faults.limit_exceeded(
            f"A managed policy can have up to {_VERSIONS} versions. Before you create a new "
            "version, you must delete an existing version."
        )
    version = _class("PolicyVersion")(policy.arn, text, False, f"v{policy.next_version_num}")
    policy.versions.append(version)
    policy.next_version_num += 1
    policy.update_date = version.create_date
    if params.get("SetAsDefault"):
        policy.update_default_version(version.version_id)
    return {"PolicyVersion": shapes.policy_version(version, with_document=False)}


def get_policy_version(world: World, request: ApiRequest) -> Answer:
    """GetPolicyVersion."""
    policy = lookups.policy(lookups.backend(world, request), request.params["PolicyArn"])
    version = lookups.version(policy, request.params["VersionId"])
    return {"PolicyVersion": shapes.policy_version(version, with_document=True)}


def list_policy_versions(world: World, request: ApiRequest) -> Answer:
    """ListPolicyVersions, the newest first."""
    policy = lookups.policy(lookups.backend(world, request), request.params["PolicyArn"])
    versions = [
        shapes.policy_version(version, with_document=False)
        for version in sorted(policy.versions, key=lambda one: -int(one.version_id[1:]))
    ]
    return paging.page("Versions", versions, request.params)


def set_default_policy_version(world: World, request: ApiRequest) -> Answer:
    """SetDefaultPolicyVersion."""
    policy = lookups.own_policy(lookups.backend(world, request), request.params["PolicyArn"])
    version = lookups.version(policy, request.params["VersionId"])
    if not version.is_default:
        policy.update_default_version(version.version_id)
        policy.update_date = request.now
    return {}


def delete_policy_version(world: World, request: ApiRequest) -> Answer:
    """DeletePolicyVersion: any but the default one."""
    policy = lookups.own_policy(lookups.backend(world, request), request.params["PolicyArn"])
    version = lookups.version(policy, request.params["VersionId"])
    if version.is_default:
        raise faults.in_use("Cannot delete the default version of a policy.")
    policy.versions.remove(version)
    return {}


def list_entities_for_policy(world: World, request: ApiRequest) -> Answer:
    """ListEntitiesForPolicy: who has it attached, or as a boundary."""
    iam, params = lookups.backend(world, request), request.params
    policy = lookups.policy(iam, params["PolicyArn"])
    prefix, wanted = params.get("PathPrefix"), params.get("EntityFilter")
    lists = {
        kind: [
            {f"{kind}Name": entity.name, f"{kind}Id": entity.id}
            for entity in shapes.under_path(entities, prefix)
            if wanted in (None, kind)
        ]
        for kind, entities in _entities(world, iam, policy, params.get("PolicyUsageFilter"))
    }
    return {**{f"Policy{kind}s": found for kind, found in lists.items()}, "IsTruncated": False}


def _entities(
    world: World, iam: Any, policy: Any, usage: str | None
) -> Iterator[tuple[str, list[Any]]]:
    bounds = world.account(iam.account_id).user_boundaries
    holders = {"User": iam.users, "Group": iam.groups, "Role": iam.roles}
    for kind, entities in holders.items():
        yield (
            kind,
            [
                entity
                for entity in list(entities.values())
                if (usage != "PermissionsBoundary" and policy.arn in entity.managed_policies)
                or (usage != "PermissionsPolicy" and _bound(bounds, kind, entity) == policy.arn)
            ],
        )


def _bound(bounds: Mapping[str, str], kind: str, entity: Any) -> str | None:
    if kind == "User":
        return bounds.get(entity.name)
    found: str | None = getattr(entity, "permissions_boundary_arn", None)
    return found


HANDLERS = {
    "CreatePolicy": create_policy,
    "GetPolicy": get_policy,
    "ListPolicies": list_policies,
    "DeletePolicy": delete_policy,
    "CreatePolicyVersion": create_policy_version,
    "GetPolicyVersion": get_policy_version,
    "ListPolicyVersions": list_policy_versions,
    "SetDefaultPolicyVersion": set_default_policy_version,
    "DeletePolicyVersion": delete_policy_version,
    "ListEntitiesForPolicy": list_entities_for_policy,
}
