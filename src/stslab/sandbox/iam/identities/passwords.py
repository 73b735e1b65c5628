"""Console passwords of users, and the account's rules for them.

Nobody signs in to a console here: passwords are kept and judged by the account's password
policy, so that a lab on them meets the same refusals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.iam import faults, lookups, shapes
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]

_RULES: tuple[tuple[str, str, str], ...] = (
    ("require_symbols", r"[!@#$%^&*()_+\-=\[\]{}|']", "one of the symbols"),
    ("require_numbers", r"[0-9]", "a number"),
    ("require_uppercase_characters", r"[A-Z]", "an uppercase letter"),
    ("require_lowercase_characters", r"[a-z]", "a lowercase letter"),
)
_DEFAULT_LENGTH = 8


def create_login_profile(world: World, request: ApiRequest) -> Answer:
    """CreateLoginProfile."""
    user = lookups.own_user(world, request)
    if user.password:
        raise faults.exists(f"Login Profile for user {user.name} already exists.")
    _set(world, request, user)
    user.password_created = request.now
    return {"LoginProfile": _shown(user)}


def get_login_profile(world: World, request: ApiRequest) -> Answer:
    """GetLoginProfile."""
    return {"LoginProfile": _shown(_with_password(world, request))}


def update_login_profile(world: World, request: ApiRequest) -> Answer:
    """UpdateLoginProfile."""
    _set(world, request, _with_password(world, request))
    return {}


def delete_login_profile(world: World, request: ApiRequest) -> Answer:
    """DeleteLoginProfile."""
    _with_password(world, request).password = None
    return {}


def _with_password(world: World, request: ApiRequest) -> Any:
    user = lookups.own_user(world, request)
    if not user.password:
        raise faults.no_such(f"Login Profile for User {user.name} cannot be found.")
    return user


def _set(world: World, request: ApiRequest, user: Any) -> None:
    params = request.params
    if "Password" in params:
        _check(lookups.backend(world, request).account_password_policy, params["Password"])
        user.password = params["Password"]
    user.password_reset_required = params.get("PasswordResetRequired", user.password_reset_required)


def _check(policy: Any, password: str) -> None:
    length = policy.minimum_password_length if policy is not None else _DEFAULT_LENGTH
    problems = [] if len(password) >= length else [f"a minimum length of {length} characters"]
    for attribute, pattern, needed in _RULES:
        if policy is not None and getattr(policy, attribute) and not re.search(pattern, password):
            problems.append(needed)
    if problems:
        raise ApiFault(
            "PasswordPolicyViolation",
            "Password does not conform to the account password policy: it needs "
            f"{', '.join(problems)}.",
        )


def _shown(user: Any) -> dict[str, Any]:
    return shapes.filled(
        {
            "UserName": user.name,
            "CreateDate": getattr(user, "password_created", None)
            or shapes.moment(user.create_date),
            "PasswordResetRequired": bool(user.password_reset_required),
        }
    )


HANDLERS = {
    "CreateLoginProfile": create_login_profile,
    "GetLoginProfile": get_login_profile,
    "UpdateLoginProfile": update_login_profile,
    "DeleteLoginProfile": delete_login_profile,
}
