"""Access keys of IAM users, and when keys and roles were last used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from stslab.sandbox.api.model import ApiRequest, Caller
from stslab.sandbox.iam import faults, lookups, paging, shapes
from stslab.sandbox.iam.identities import key_rings
from stslab.sandbox.iam.identities.key_rings import KeyRing
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]
_KEYS_PER_USER = 2
_MINUTE = timedelta(minutes=1)
_NEVER = {"ServiceName": "N/A", "Region": "N/A"}


def record_use(world: World, caller: Caller, service: str, region: str, now: datetime) -> None:
    """Remember that the caller's key, or its role, was used; to the minute, and of no other.

    What is remembered is saved with the next change. IAM User Guide, "Get access key last used
    information" and "View role access".
    """
    account = world.accounts.get(caller.account)
    if account is None:
        return
    session, at = caller.session, now.replace(tzinfo=None)
    if session is not None and session.role_id:
        _record_role(account.iam, session.role_id, region, at)
    elif caller.kind == "IAMUser":
        _record_key(account.iam, caller.access_key_id, service, region, at)


def _record_role(iam: Any, role_id: str, region: str, at: datetime) -> None:
    role = iam.roles.get(role_id)
    if role is None or _is_recent(role.last_used, at):
        return
    role.last_used, role.last_used_region = at, region
    iam.roles[role_id] = role


def _record_key(iam: Any, key_id: str, service: str, region: str, at: datetime) -> None:
    from moto.iam.models import AccessKeyLastUsed

    key = iam.access_keys.get(key_id)
    user = iam.users.get(key.user_name) if key is not None else None
    if user is None:
        return
    before = key.last_used
    same = before is not None and (before.service, before.region) == (service, region)
    if same and _is_recent(before.timestamp, at):
        return
    key.last_used = AccessKeyLastUsed(at, service, region)
    iam.users[user.name] = user


def _is_recent(before: datetime | None, at: datetime) -> bool:
    return before is not None and abs(at - before) < _MINUTE


def create_access_key(world: World, request: ApiRequest) -> Answer:
    """CreateAccessKey: two a user at most; the secret is shown this once."""
    ring = key_rings.of(world, request)
    faults.check_quota("AccessKeysPerUser", _KEYS_PER_USER, len(ring.keys))
    key = ring.new()
    return {"AccessKey": {**_metadata(key), "SecretAccessKey": key.secret_access_key}}


def list_access_keys(world: World, request: ApiRequest) -> Answer:
    """ListAccessKeys."""
    keys = [_metadata(key) for key in key_rings.of(world, request).keys]
    return paging.page("AccessKeyMetadata", keys, request.params)


def update_access_key(world: World, request: ApiRequest) -> Answer:
    """UpdateAccessKey: Active or Inactive, at once."""
    ring, status = key_rings.of(world, request), request.params["Status"]
    if status == "Expired":
        raise faults.invalid_input("The status of an access key can be set to Active or Inactive.")
    ring.set_status(_key(ring, request.params["AccessKeyId"]), status)
    return {}


def delete_access_key(world: World, request: ApiRequest) -> Answer:
    """DeleteAccessKey."""
    ring = key_rings.of(world, request)
    ring.drop(_key(ring, request.params["AccessKeyId"]))
    return {}


def get_access_key_last_used(world: World, request: ApiRequest) -> Answer:
    """GetAccessKeyLastUsed."""
    iam, key_id = lookups.backend(world, request), request.params["AccessKeyId"]
    key = iam.access_keys.get(key_id)
    if key is None:
        raise faults.no_such(f"The Access Key with id {key_id} cannot be found.")
    used = key.last_used
    shown = (
        _NEVER
        if used is None
        else {
            "LastUsedDate": shapes.moment(used.timestamp),
            "ServiceName": used.service,
            "Region": used.region,
        }
    )
    return {"UserName": key.user_name, "AccessKeyLastUsed": shown}


def _key(ring: KeyRing, key_id: str) -> Any:
    for key in ring.keys:
        if key.access_key_id == key_id:
            return key
    raise faults.no_such(f"The Access Key with id {key_id} cannot be found.")


def _metadata(key: Any) -> dict[str, Any]:
    return shapes.filled(
        {
            "UserName": key.user_name,
            "AccessKeyId": key.access_key_id,
            "Status": key.status,
            "CreateDate": shapes.moment(key.create_date),
        }
    )


HANDLERS = {
    "CreateAccessKey": create_access_key,
    "ListAccessKeys": list_access_keys,
    "UpdateAccessKey": update_access_key,
    "DeleteAccessKey": delete_access_key,
    "GetAccessKeyLastUsed": get_access_key_last_used,
}
