"""Which access keys there are, and who signs with each."""

from stslab.policy import Principal
from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Caller, KeyRecord
from stslab.sandbox.state.identities import AccessKey, User
from stslab.sandbox.state.settings import Account
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.sts import callers


def root_caller(account: Account, access_key_id: str = "") -> Caller:
    """The account's root user, whose user id is the account's."""
    principal = Principal.from_arn(account.root_arn, user_id=account.account)
    return Caller(principal, account.account, access_key_id, "Root", account.account)


def user_caller(user: User, access_key_id: str = "") -> Caller:
    """The IAM user."""
    principal = Principal.from_arn(user.arn, user_id=user.unique_id)
    return Caller(principal, user.account, access_key_id, "IAMUser", user.unique_id, user.name)


def lookup(view: View, access_key_id: str) -> KeyRecord | None:
    """The key of this id, active or not, expired or not; None where there is none."""
    account = view.get(Account, identifiers.account_of_key(access_key_id) or "", "")
    if account is None:
        return None
    key = view.get(AccessKey, account.account, access_key_id)
    if key is None:
        return callers.lookup(view, access_key_id)
    caller = _owner(view, account, key)
    if caller is None:
        return None
    return KeyRecord(access_key_id, key.secret_access_key, caller, key.active)


def _owner(view: View, account: Account, key: AccessKey) -> Caller | None:
    if not key.user:
        return root_caller(account, key.key)
    user = view.get(User, key.account, key.user)
    return None if user is None else user_caller(user, key.key)
