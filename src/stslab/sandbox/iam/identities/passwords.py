"""Console passwords of users, and the account's rules for them.

Nobody signs in to a console here: passwords are kept and judged by the account's password
policy, so that a lab on them meets the same refusals.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import faults, lookups, shapes
from stslab.sandbox.state.identities import LoginProfile, User
from stslab.sandbox.state.settings import PasswordPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_DEFAULT = PasswordPolicy(minimum_length=8)
"""Holds where the account has no rules of its own."""
_RULES: tuple[tuple[str, str, str], ...] = (
    ("symbols", r"[!@#$%^&*()_+\-=\[\]{}|']", "one of the symbols"),
    ("numbers", r"[0-9]", "a number"),
    ("uppercase", r"[A-Z]", "an uppercase letter"),
    ("lowercase", r"[a-z]", "a lowercase letter"),
)
# Parameter of UpdateAccountPasswordPolicy -> member of the record.
_MEMBERS: Mapping[str, str] = {
    "MinimumPasswordLength": "minimum_length",
    "RequireSymbols": "symbols",
    "RequireNumbers": "numbers",
    "RequireUppercaseCharacters": "uppercase",
    "RequireLowercaseCharacters": "lowercase",
    "AllowUsersToChangePassword": "may_change",
    "MaxPasswordAge": "max_age",
    "PasswordReusePrevention": "reuse_prevention",
    "HardExpiry": "hard_expiry",
}
_ABSENT_WHERE_ZERO = ("MaxPasswordAge", "PasswordReusePrevention")


def create_login_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateLoginProfile."""
    user, params = lookups.own_user(tx, request), request.params
    if user.login is not None:
        raise faults.exists(f"Login Profile for user {user.name} already exists.")
    if "Password" not in params:
        raise faults.invalid("Must specify a password.")
    _check(tx, request.account, params["Password"])
    login = LoginProfile(
        password=params["Password"],
        created=request.now,
        reset_required=params.get("PasswordResetRequired", False),
    )
    tx.put(replace(user, login=login))
    return _shown(user, login)


def get_login_profile(view: View, request: ApiRequest) -> Answer:
    """GetLoginProfile."""
    return _shown(*_with_password(view, request))


def update_login_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateLoginProfile."""
    (user, login), params = _with_password(tx, request), request.params
    if "Password" in params:
        _check(tx, request.account, params["Password"])
        login = replace(login, password=params["Password"])
    reset = params.get("PasswordResetRequired", login.reset_required)
    tx.put(replace(user, login=replace(login, reset_required=reset)))
    return {}


def delete_login_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteLoginProfile."""
    user, _ = _with_password(tx, request)
    tx.put(replace(user, login=None))
    return {}


def _with_password(view: View, request: ApiRequest) -> tuple[User, LoginProfile]:
    user = lookups.own_user(view, request)
    if user.login is None:
        raise faults.no_such(f"Login Profile for User {user.name} cannot be found.")
    return user, user.login


def _check(view: View, account: str, password: str) -> None:
    policy = lookups.account(view, account).password_policy or _DEFAULT
    length = policy.minimum_length
    problems = [] if len(password) >= length else [f"a minimum length of {length} characters"]
    for member, pattern, needed in _RULES:
        if getattr(policy, member) and not re.search(pattern, password):
            problems.append(needed)
    if problems:
        raise ApiFault(
            "PasswordPolicyViolation",
            "Password does not conform to the account password policy: it needs "
            f"{', '.join(problems)}.",
        )


def _shown(user: User, login: LoginProfile) -> dict[str, Any]:
    return {
        "LoginProfile": {
            "UserName": user.name,
            "CreateDate": login.created,
            "PasswordResetRequired": login.reset_required,
        }
    }


def get_password_policy(view: View, request: ApiRequest) -> Answer:
    """GetAccountPasswordPolicy: the account's own, where there is one."""
    policy = _own_policy(view, request)
    shown = {name: getattr(policy, member) for name, member in _MEMBERS.items()}
    absent = {name: None for name in _ABSENT_WHERE_ZERO if not shown[name]}
    expires = {"ExpirePasswords": policy.max_age > 0}
    return {"PasswordPolicy": shapes.filled({**shown, **expires, **absent})}


def update_password_policy(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateAccountPasswordPolicy: what is left out gets its default."""
    given = {member: request.params.get(name) for name, member in _MEMBERS.items()}
    policy = PasswordPolicy(**shapes.filled(given))
    tx.put(replace(lookups.account(tx, request.account), password_policy=policy))
    return {}


def delete_password_policy(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteAccountPasswordPolicy."""
    _own_policy(tx, request)
    tx.put(replace(lookups.account(tx, request.account), password_policy=None))
    return {}


def _own_policy(view: View, request: ApiRequest) -> PasswordPolicy:
    policy = lookups.account(view, request.account).password_policy
    if policy is None:
        raise faults.no_such(
            f"The Password Policy with domain name {request.account} cannot be found."
        )
    return policy


READS: Reads = {
    "GetAccountPasswordPolicy": get_password_policy,
    "GetLoginProfile": get_login_profile,
}
WRITES: Writes = {
    "CreateLoginProfile": create_login_profile,
    "DeleteAccountPasswordPolicy": delete_password_policy,
    "DeleteLoginProfile": delete_login_profile,
    "UpdateAccountPasswordPolicy": update_password_policy,
    "UpdateLoginProfile": update_login_profile,
}
