"""Operations on users and groups, on access keys, also root's, and on console passwords."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api import faults, identifiers, pages
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Reads, shown
from stslab.sandbox.iam import answers, entities, lookups
from stslab.sandbox.state.identities import AccessKey, Group, LoginProfile, MfaDevice, User
from stslab.sandbox.state.snapshot import PasswordPolicy, Transaction, View
from stslab.structures import beside

E = TypeVar("E", User, Group)


def create_user(tx: Transaction, request: ApiRequest) -> Answer:
    tags, boundary = entities.given(request), lookups.boundary(tx, request)
    name = request.params["UserName"]
    user = lookups.put_new(tx, request, User, name, tags=tags, boundary=boundary)
    return {"User": answers.whole_user(user)}


def get_user(view: View, request: ApiRequest) -> Answer:
    """Without a name in the request, the caller. The root user is named by the account's alias."""
    if request.caller.kind != "Root" or "UserName" in request.params:
        return {"User": answers.whole_user(lookups.own_user(view, request))}
    root = {
        "UserName": lookups.account(view, request.account).alias or None,
        "UserId": request.caller.user_id,
        "Arn": request.caller.principal.arn,
        "CreateDate": lookups.root_created(view, request),
    }
    return {"User": root}


def update_user(tx: Transaction, request: ApiRequest) -> None:
    user, renamed = _rename(tx, request, User, "NewUserName")
    for key in lookups.access_keys(tx, user.account, user):
        tx.put(replace(key, user=renamed.key))
    for serial in user.mfa_devices:
        if device := lookups.find(tx, MfaDevice, user.account, serial):
            tx.put(replace(device, user=renamed.key))


def _rename(tx: Transaction, request: ApiRequest, kind: type[E], new: str) -> tuple[E, E]:
    params, old = request.params, lookups.named(tx, kind, request)
    name = params.get(new, old.name)
    renamed = replace(old, name=name, path=params.get("NewPath", old.path))
    lookups.refuse_taken(tx, renamed, name, but=old)
    tx.delete(old)
    tx.put(renamed)
    return old, renamed


def create_group(tx: Transaction, request: ApiRequest) -> Answer:
    group = lookups.put_new(tx, request, Group, request.params["GroupName"])
    return {"Group": shown(group)}


def get_group(view: View, request: ApiRequest) -> Answer:
    group = lookups.named(view, Group, request)
    page = pages.page(request, "Users", lookups.users_in(view, group), shown)
    return {"Group": shown(group), **page}


def list_groups_for_user(view: View, request: ApiRequest) -> Answer:
    groups = lookups.groups_of(view, lookups.named(view, User, request))
    return pages.page(request, "Groups", groups, shown)


def update_group(tx: Transaction, request: ApiRequest) -> None:
    members = list(lookups.users_in(tx, lookups.named(tx, Group, request)))
    group, renamed = _rename(tx, request, Group, "NewGroupName")
    for user in members:
        tx.put(replace(user, groups=(*lookups.without(user.groups, group.key), renamed.key)))


def add_user_to_group(tx: Transaction, request: ApiRequest) -> None:
    group, user = lookups.named(tx, Group, request), lookups.named(tx, User, request)
    if group.key not in user.groups:
        if len(user.groups) >= lookups.QUOTAS["GroupsPerUser"]:
            raise lookups.fault("groups of a user", user=user.name)
        tx.put(replace(user, groups=(*user.groups, group.key)))


def remove_user_from_group(tx: Transaction, request: ApiRequest) -> None:
    user, group = lookups.named(tx, User, request), lookups.named(tx, Group, request)
    tx.put(replace(user, groups=lookups.without(user.groups, group.key)))


def _none_of_user(member: str, view: View, request: ApiRequest) -> Answer:
    """An empty list, for programs that delete users: the account can't create these things."""
    if not request.params.get("AllUsers"):
        (lookups.owner if member == "Certificates" else lookups.own_user)(view, request)
    elif "UserName" in request.params:
        raise faults.invalid_input("AllUsers cannot be specified together with UserName.")
    return pages.page(request, member, [], str)


_CERTIFICATES = "ServerCertificateMetadataList"
READS: Reads = {
    "ListServerCertificates": lambda _, request: pages.page(request, _CERTIFICATES, [], str),
    "ListServiceSpecificCredentials": partial(_none_of_user, "ServiceSpecificCredentials"),
    "ListSigningCertificates": partial(_none_of_user, "Certificates"),
    "ListSSHPublicKeys": partial(_none_of_user, "SSHPublicKeys"),
}


# -- access keys ----------------------------------------------------------------------------


def create_access_key(tx: Transaction, request: ApiRequest) -> Answer:
    """A user can have two keys. Only this answer contains the secret."""
    user = lookups.owner(tx, request)
    there_are = len(lookups.access_keys(tx, request.account, user))
    lookups.check_quota("AccessKeysPerUser", there_are + 1)
    key = new_key(request.account, request.now, user)
    tx.put(key)
    if user is not None:
        tx.put(replace(user, access_keys=(*user.access_keys, key.access_key_id)))
    return {"AccessKey": {**_metadata(user, key), "SecretAccessKey": key.secret_access_key}}


def new_key(account: str, now: datetime, user: User | None) -> AccessKey:
    """A new access key of a user, or of root (None)."""
    return AccessKey(
        account=account,
        access_key_id=identifiers.access_key_id("AKIA", account),
        secret_access_key=identifiers.secret_access_key(),
        owner=user.unique_id if user else account,
        user=user.key if user else "",
        created=now,
    )


def list_access_keys(view: View, request: ApiRequest) -> Answer:
    user = lookups.owner(view, request)
    keys, show = lookups.access_keys(view, request.account, user), partial(_metadata, user)
    return pages.page(request, "AccessKeyMetadata", keys, show, "{0.created} {0.key}".format)


def update_access_key(tx: Transaction, request: ApiRequest) -> None:
    key, status = _key(tx, request, lookups.owner(tx, request)), request.params["Status"]
    if status == "Expired":
        raise faults.invalid_input("The status of an access key can be set to Active or Inactive.")
    tx.put(replace(key, active=status == "Active"))


def delete_access_key(tx: Transaction, request: ApiRequest) -> None:
    user = lookups.owner(tx, request)
    key = _key(tx, request, user)
    tx.delete(key)
    if user is not None:
        tx.put(replace(user, access_keys=lookups.without(user.access_keys, key.access_key_id)))


def get_access_key_last_used(view: View, request: ApiRequest) -> Answer:
    key_id = request.params["AccessKeyId"]
    key = view.get(AccessKey, request.account, key_id)
    user = view.get(User, request.account, key.user) if key else None
    if key is None or user is None:
        raise lookups.fault("last used", caller=request.caller.principal.arn, key=key_id)
    last: Answer = {"ServiceName": "N/A", "Region": "N/A"}
    if used := key.last_used:
        last = {"LastUsedDate": used.at, "ServiceName": used.service, "Region": used.region}
    return {"UserName": user.name, "AccessKeyLastUsed": last}


def _key(view: View, request: ApiRequest, user: User | None) -> AccessKey:
    key_id = request.params["AccessKeyId"]
    key = view.get(AccessKey, request.account, key_id)
    if key is None or key.user != (user.key if user else ""):
        raise faults.no_such(f"The Access Key with id {key_id} cannot be found.")
    return key


def _metadata(user: User | None, key: AccessKey) -> Answer:
    name = user.name if user else None
    return shown(key, UserName=name, Status="Active" if key.active else "Inactive")


# -- console passwords ----------------------------------------------------------------------
# There is no console. They are checked by the policy, so that labs get the errors of AWS.

_DEFAULT = PasswordPolicy(minimum_length=8)
"""The rules of an account without a password policy, with three of the four kinds of character."""
_TABLES = beside(__file__, "passwords.yaml")
_MEMBERS: Mapping[str, str] = _TABLES["members"]


def create_login_profile(tx: Transaction, request: ApiRequest) -> Answer:
    user, params = lookups.own_user(tx, request), request.params
    if user.login is not None:
        raise faults.exists(f"Login Profile for user {user.name} already exists.")
    faults.require("Password" in params, "Must specify a password.")
    _check(tx, request.account, params["Password"])
    login = LoginProfile(
        password=params["Password"],
        created=request.now,
        reset_required=params.get("PasswordResetRequired", False),
    )
    tx.put(replace(user, login=login))
    return _shown(user, login)


def get_login_profile(view: View, request: ApiRequest) -> Answer:
    return _shown(*_with_password(view, request))


def update_login_profile(tx: Transaction, request: ApiRequest) -> None:
    (user, login), params = _with_password(tx, request), request.params
    if "Password" in params:
        _check(tx, request.account, params["Password"])
        login = replace(login, password=params["Password"], changed=request.now)
    reset = params.get("PasswordResetRequired", login.reset_required)
    tx.put(replace(user, login=replace(login, reset_required=reset)))


def change_password(tx: Transaction, request: ApiRequest) -> None:
    old, new = request.params["OldPassword"], request.params["NewPassword"]
    if not request.caller.user_name:
        raise ApiFault("InvalidUserType", "Only IAM Users can change their own password")
    user, login = _with_password(tx, request)
    if login.password != old:
        raise ApiFault("AccessDenied", "The old password was incorrect.")
    if new == old:
        raise ApiFault("AccessDenied", "The new password must differ from the old one.")
    _check(tx, request.account, new)
    login = replace(login, password=new, changed=request.now, reset_required=False)
    tx.put(replace(user, login=login))


def delete_login_profile(tx: Transaction, request: ApiRequest) -> None:
    user, _ = _with_password(tx, request)
    tx.put(replace(user, login=None))


def _with_password(view: View, request: ApiRequest) -> tuple[User, LoginProfile]:
    user = lookups.own_user(view, request)
    if user.login is None:
        raise faults.no_such(f"Login Profile for User {user.name} cannot be found.")
    return user, user.login


def _check(view: View, account: str, password: str) -> None:
    own = lookups.account(view, account).password_policy
    policy = own or _DEFAULT
    short = f"Password should have a minimum length of {policy.minimum_length}"
    problems = [] if len(password) >= policy.minimum_length else [short]
    lacking = {
        member: f"Password should have at least one {kind}"
        for member, (pattern, kind) in _TABLES["characters"].items()
        if not re.search(pattern, password)
    }
    problems += [problem for member, problem in lacking.items() if getattr(policy, member)]
    if own is None and (more := len(lacking) - 1) > 0:
        of = f"Password should meet {more} more of the following requirements: "
        problems.append(of + ", ".join(lacking.values()))
    if problems:
        raise ApiFault("PasswordPolicyViolation", ", ".join(problems))


def _shown(user: User, login: LoginProfile) -> Answer:
    return {
        "LoginProfile": {
            "UserName": user.name,
            "CreateDate": login.created,
            "PasswordResetRequired": login.reset_required,
        }
    }


def get_account_password_policy(view: View, request: ApiRequest) -> Answer:
    account = request.account
    policy = lookups.account(view, account).password_policy
    if policy is None:
        raise faults.no_such(f"The Password Policy with domain name {account} cannot be found.")
    told: Answer = {name: getattr(policy, member) for name, member in _MEMBERS.items()}
    told["PasswordReusePrevention"] = policy.reuse_prevention or None
    if not policy.max_age:
        told |= {"MaxPasswordAge": None, "HardExpiry": None}
    return {"PasswordPolicy": {**told, "ExpirePasswords": policy.max_age > 0}}


def update_account_password_policy(tx: Transaction, request: ApiRequest) -> None:
    """Parameters that are left out get their defaults."""
    params = request.params
    given = {member: params[name] for name, member in _MEMBERS.items() if name in params}
    tx.put(replace(lookups.account(tx, request.account), password_policy=PasswordPolicy(**given)))


def delete_account_password_policy(tx: Transaction, request: ApiRequest) -> None:
    account = lookups.account(tx, request.account)
    if account.password_policy is None:
        raise faults.no_such("The account policy with name PasswordPolicy cannot be found.")
    tx.put(replace(account, password_policy=None))
