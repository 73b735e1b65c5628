"""Access keys of IAM users, and of the root user."""

from typing import Any

from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import faults, lookups, paging, shapes
from stslab.sandbox.state.identities import AccessKey, User
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_KEYS_PER_USER = 2
_NEVER = {"ServiceName": "N/A", "Region": "N/A"}


def create_access_key(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateAccessKey: two a user at most; the secret is shown this once."""
    user = _owner(tx, request)
    faults.check_quota("AccessKeysPerUser", _KEYS_PER_USER, len(_keys(tx, request, user)))
    key = AccessKey(
        account=request.account,
        access_key_id=identifiers.access_key_id("AKIA", request.account),
        secret_access_key=identifiers.secret_access_key(),
        owner=user.unique_id if user else request.account,
        user=user.key if user else "",
        created=request.now,
    )
    tx.put(key)
    if user is not None:
        tx.put(replace(user, access_keys=(*user.access_keys, key.access_key_id)))
    return {"AccessKey": {**_metadata(key, user), "SecretAccessKey": key.secret_access_key}}


def list_access_keys(view: View, request: ApiRequest) -> Answer:
    """ListAccessKeys."""
    user = _owner(view, request)
    keys = _keys(view, request, user)
    return paging.page("AccessKeyMetadata", keys, request.params, lambda key: _metadata(key, user))


def update_access_key(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateAccessKey: Active or Inactive, at once."""
    key, status = _key(tx, request, _owner(tx, request)), request.params["Status"]
    if status == "Expired":
        raise faults.invalid_input("The status of an access key can be set to Active or Inactive.")
    tx.put(replace(key, active=status == "Active"))
    return {}


def delete_access_key(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteAccessKey."""
    user = _owner(tx, request)
    key = _key(tx, request, user)
    tx.delete(key)
    if user is not None:
        kept = tuple(one for one in user.access_keys if one != key.access_key_id)
        tx.put(replace(user, access_keys=kept))
    return {}


def get_access_key_last_used(view: View, request: ApiRequest) -> Answer:
    """GetAccessKeyLastUsed."""
    key_id = request.params["AccessKeyId"]
    key = view.get(AccessKey, request.account, key_id)
    user = view.get(User, request.account, key.user) if key else None
    if key is None or user is None:
        raise _no_key(key_id)
    used = key.last_used
    shown = (
        {"LastUsedDate": used.at, "ServiceName": used.service, "Region": used.region}
        if used
        else _NEVER
    )
    return {"UserName": user.name, "AccessKeyLastUsed": shown}


def _owner(view: View, request: ApiRequest) -> User | None:
    """The user whose keys the request is about; None for the root user's own."""
    if request.caller.kind == "Root" and "UserName" not in request.params:
        return None
    return lookups.own_user(view, request)


def _keys(view: View, request: ApiRequest, user: User | None) -> list[AccessKey]:
    """The owner's keys, the oldest first."""
    if user is None:
        roots = (key for key in view.all(AccessKey, request.account) if not key.user)
        return sorted(roots, key=lambda key: (key.created, key.key))
    found = (view.get(AccessKey, user.account, key_id) for key_id in user.access_keys)
    return [key for key in found if key is not None]


def _key(view: View, request: ApiRequest, user: User | None) -> AccessKey:
    key_id = request.params["AccessKeyId"]
    key = view.get(AccessKey, request.account, key_id)
    if key is None or key.user != (user.key if user else ""):
        raise _no_key(key_id)
    return key


def _no_key(key_id: str) -> Exception:
    return faults.no_such(f"The Access Key with id {key_id} cannot be found.")


def _metadata(key: AccessKey, user: User | None) -> dict[str, Any]:
    return shapes.filled(
        {
            "UserName": user.name if user else None,
            "AccessKeyId": key.access_key_id,
            "Status": "Active" if key.active else "Inactive",
            "CreateDate": key.created,
        }
    )


READS: Reads = {
    "GetAccessKeyLastUsed": get_access_key_last_used,
    "ListAccessKeys": list_access_keys,
}
WRITES: Writes = {
    "CreateAccessKey": create_access_key,
    "DeleteAccessKey": delete_access_key,
    "UpdateAccessKey": update_access_key,
}
