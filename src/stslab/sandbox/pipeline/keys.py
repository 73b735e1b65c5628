"""Which access keys there are, and who signs with each."""

from __future__ import annotations

from typing import Any

from stslab.policy import Principal
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.saved.account import Account, World


def root_caller(account: Account, access_key_id: str = "") -> Caller:
    """The account's root user, whose user id is the account's."""
    principal = Principal.from_arn(account.root_arn, user_id=account.account_id)
    return Caller(principal, account.account_id, access_key_id, "Root", account.account_id)


def user_caller(user: Any, access_key_id: str = "") -> Caller:
    """The IAM user, given moto's record of it."""
    principal = Principal.from_arn(user.arn, user_id=user.id)
    return Caller(principal, user.account_id, access_key_id, "IAMUser", user.id, user.name)


class LongTermKeys:
    """The access keys of root users and IAM users."""

    def __init__(self, world: World) -> None:
        self._world = world

    def lookup(self, access_key_id: str) -> KeyRecord | None:
        """The key of this id, active or not, as it is known; None where there is none."""
        now, replica = self.present(access_key_id), self._world.replica
        return now if replica is None else replica.key(access_key_id, now)

    def present(self, access_key_id: str) -> KeyRecord | None:
        """The key of this id as it is, whether or not that has spread."""
        account = self._world.accounts.get(identifiers.account_of_key(access_key_id) or "")
        if account is None:
            return None
        return _root_key(account, access_key_id) or _user_key(account, access_key_id)


def _root_key(account: Account, access_key_id: str) -> KeyRecord | None:
    key = account.root_keys.get(access_key_id)
    if key is None:
        return None
    caller = root_caller(account, access_key_id)
    return KeyRecord(access_key_id, key.secret_access_key, caller, key.status == "Active")


def _user_key(account: Account, access_key_id: str) -> KeyRecord | None:
    key = account.iam.access_keys.get(access_key_id)
    user = account.iam.users.get(key.user_name) if key is not None else None
    if user is None:
        return None
    caller = user_caller(user, access_key_id)
    return KeyRecord(access_key_id, key.secret_access_key, caller, key.status == "Active")
