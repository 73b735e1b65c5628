"""Tags on everything in IAM that can have them, wherever moto keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging
from stslab.sandbox.iam.mfa.devices import MfaDevice
from stslab.sandbox.saved.account import World

Tags = list[dict[str, str]]
_MOST = 50
_RESERVED = "aws:"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of thing is named by a request, and where its tags are."""

    parameter: str
    find: Callable[[Any, str], Any]
    read: Callable[[Any, Any], Tags]
    write: Callable[[Any, Any, Tags], None]


def of(iam: Any, kind: str, found: Any) -> Tags:
    """The tags of an entity of this kind, by key."""
    tags = _KINDS[kind].read(iam, found)
    return sorted(
        ({"Key": tag["Key"], "Value": tag["Value"]} for tag in tags), key=lambda tag: tag["Key"]
    )


def add_system(iam: Any, kind: str, name: str, tags: Mapping[str, str]) -> Any:
    """Set tags that only AWS itself sets (``aws:…``); returns the entity that has them."""
    row = _KINDS[kind]
    found = row.find(iam, name)
    kept = [tag for tag in row.read(iam, found) if tag["Key"] not in tags]
    row.write(iam, found, kept + [{"Key": key, "Value": tags[key]} for key in tags])
    return found


def checked(tags: Iterable[Mapping[str, str]]) -> Tags:
    """Tags of a request, fit to be kept.

    Raises:
        ApiFault: InvalidInput: twice the same key, or a reserved one.
    """
    given = [{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in tags]
    keys = [tag["Key"].lower() for tag in given]
    if len(set(keys)) < len(keys):
        raise faults.invalid_input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if any(key.startswith(_RESERVED) for key in keys):
        raise faults.invalid_input("System tags cannot be added/updated/deleted")
    return given


def _add(kind: Kind) -> Callable[[World, ApiRequest], Mapping[str, Any]]:
    def add(world: World, request: ApiRequest) -> Mapping[str, Any]:
        iam, found = _found(kind, world, request)
        new = checked(request.params["Tags"])
        replaced = {tag["Key"].lower() for tag in new}
        kept = [tag for tag in kind.read(iam, found) if tag["Key"].lower() not in replaced]
        if len(kept) + len(new) > _MOST:
            raise faults.limit_exceeded(
                "The number of tags has reached the maximum limit. "
                f"Cannot exceed quota for TagsPerResource: {_MOST}"
            )
        kind.write(iam, found, kept + new)
        return {}

    return add


def _remove(kind: Kind) -> Callable[[World, ApiRequest], Mapping[str, Any]]:
    def remove(world: World, request: ApiRequest) -> Mapping[str, Any]:
        iam, found = _found(kind, world, request)
        gone = {key.lower() for key in request.params["TagKeys"]}
        kept = [tag for tag in kind.read(iam, found) if tag["Key"].lower() not in gone]
        kind.write(iam, found, kept)
        return {}

    return remove


def _list(kind_name: str, kind: Kind) -> Callable[[World, ApiRequest], Mapping[str, Any]]:
    def listed(world: World, request: ApiRequest) -> Mapping[str, Any]:
        iam, found = _found(kind, world, request)
        return paging.page("Tags", of(iam, kind_name, found), request.params)

    return listed


def _found(kind: Kind, world: World, request: ApiRequest) -> tuple[Any, Any]:
    iam = lookups.backend(world, request)
    return iam, kind.find(iam, request.params[kind.parameter])


def _user_tags(iam: Any, user: Any) -> Tags:
    tags: Tags = iam.tagger.list_tags_for_resource(user.arn)["Tags"]
    return tags


def _write_user_tags(iam: Any, user: Any, tags: Tags) -> None:
    iam.tagger.delete_all_tags_for_resource(user.arn)
    iam.tagger.tag_resource(user.arn, tags)


def _listed_tags(_iam: Any, holder: Any) -> Tags:
    return list(getattr(holder, "tags", None) or [])


def _write_listed_tags(_iam: Any, holder: Any, tags: Tags) -> None:
    holder.tags = tags


def _keyed_tags(_iam: Any, holder: Any) -> Tags:
    return list((holder.tags or {}).values())


def _write_keyed_tags(_iam: Any, holder: Any, tags: Tags) -> None:
    holder.tags = {tag["Key"].lower(): tag for tag in tags}


def oidc_provider(iam: Any, arn: str) -> Any:
    """The OpenID Connect provider with this ARN."""
    found = iam.open_id_providers.get(arn)
    if found is None:
        raise faults.no_such(f"OpenIDConnect Provider not found for arn {arn}")
    return found


def saml_provider(iam: Any, arn: str) -> Any:
    """The SAML provider with this ARN."""
    for found in list(iam.saml_providers.values()):
        if found.arn == arn:
            return found
    raise faults.no_such(f"Manifest not found for arn {arn}")


def mfa_device(iam: Any, serial: str) -> MfaDevice:
    """The virtual MFA device with this serial number."""
    found: MfaDevice | None = iam.virtual_mfa_devices.get(serial)
    if found is None:
        raise faults.no_such(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return found


_KINDS: Mapping[str, Kind] = {
    "user": Kind("UserName", lookups.user, _user_tags, _write_user_tags),
    "role": Kind("RoleName", lookups.role, _listed_tags, _write_listed_tags),
    "policy": Kind("PolicyArn", lookups.own_policy, _keyed_tags, _write_keyed_tags),
    "instance profile": Kind(
        "InstanceProfileName", lookups.instance_profile, _listed_tags, _write_listed_tags
    ),
    "OIDC provider": Kind(
        "OpenIDConnectProviderArn", oidc_provider, _keyed_tags, _write_keyed_tags
    ),
    "SAML provider": Kind("SAMLProviderArn", saml_provider, _listed_tags, _write_listed_tags),
    "MFA device": Kind("SerialNumber", mfa_device, _listed_tags, _write_listed_tags),
}

_OPERATIONS: Mapping[str, tuple[str, str, str]] = {
    "user": ("TagUser", "UntagUser", "ListUserTags"),
    "role": ("TagRole", "UntagRole", "ListRoleTags"),
    "policy": ("TagPolicy", "UntagPolicy", "ListPolicyTags"),
    "instance profile": (
        "TagInstanceProfile",
        "UntagInstanceProfile",
        "ListInstanceProfileTags",
    ),
    "OIDC provider": (
        "TagOpenIDConnectProvider",
        "UntagOpenIDConnectProvider",
        "ListOpenIDConnectProviderTags",
    ),
    "SAML provider": ("TagSAMLProvider", "UntagSAMLProvider", "ListSAMLProviderTags"),
    "MFA device": ("TagMFADevice", "UntagMFADevice", "ListMFADeviceTags"),
}


def _handlers() -> dict[str, Callable[[World, ApiRequest], Mapping[str, Any]]]:
    table: dict[str, Callable[[World, ApiRequest], Mapping[str, Any]]] = {}
    for name, (add, remove, listed) in _OPERATIONS.items():
        kind = _KINDS[name]
        table |= {add: _add(kind), remove: _remove(kind), listed: _list(name, kind)}
    return table


HANDLERS = _handlers()
