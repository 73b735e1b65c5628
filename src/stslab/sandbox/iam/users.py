"""Operations on IAM users and groups."""

from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api import faults
from stslab.sandbox.api.model import Answer, ApiRequest, Reads
from stslab.sandbox.iam import answers, lookups, tagging
from stslab.sandbox.state.identities import Group, MfaDevice, User
from stslab.sandbox.state.snapshot import Transaction, View

E = TypeVar("E", User, Group)


def create_user(tx: Transaction, request: ApiRequest) -> Answer:
    tags, boundary = tagging.given(request), lookups.boundary(tx, request)
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


def list_users(view: View, request: ApiRequest) -> Answer:
    return answers.listed(view, request, User, "Users", answers.user)


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


def delete_user(tx: Transaction, request: ApiRequest) -> None:
    """Refused while the user has keys, policies and the like (IAM API Reference, "DeleteUser")."""
    user = lookups.named(tx, User, request)
    faults.refuse_if_held(
        (user.login, "delete login profile"),
        (user.mfa_devices, "remove tokens from principal"),
        (user.access_keys, "delete access keys"),
        (user.attached, "detach all policies"),
        (user.inline, "delete policies"),
        (user.groups, "remove users from group"),
    )
    tx.delete(user)


def create_group(tx: Transaction, request: ApiRequest) -> Answer:
    group = lookups.put_new(tx, request, Group, request.params["GroupName"])
    return {"Group": answers.group(group)}


def get_group(view: View, request: ApiRequest) -> Answer:
    group = lookups.named(view, Group, request)
    users = answers.by_name(lookups.users_in(view, group))
    shown = answers.page("Users", users, request.params, answers.user)
    return {"Group": answers.group(group), **shown}


def list_groups(view: View, request: ApiRequest) -> Answer:
    return answers.listed(view, request, Group, "Groups", answers.group)


def list_groups_for_user(view: View, request: ApiRequest) -> Answer:
    groups = lookups.groups_of(view, lookups.named(view, User, request))
    return answers.page("Groups", groups, request.params, answers.group)


def update_group(tx: Transaction, request: ApiRequest) -> None:
    members = list(lookups.users_in(tx, lookups.named(tx, Group, request)))
    group, renamed = _rename(tx, request, Group, "NewGroupName")
    for user in members:
        tx.put(replace(user, groups=(*_without(user.groups, group.key), renamed.key)))


def delete_group(tx: Transaction, request: ApiRequest) -> None:
    group = lookups.named(tx, Group, request)
    faults.refuse_if_held(
        (list(lookups.users_in(tx, group)), "remove users from group"),
        (group.attached, "detach all policies"),
        (group.inline, "delete policies"),
    )
    tx.delete(group)


def add_user_to_group(tx: Transaction, request: ApiRequest) -> None:
    group, user = lookups.named(tx, Group, request), lookups.named(tx, User, request)
    if group.key not in user.groups:
        lookups.check_quota("GroupsPerUser", len(user.groups) + 1)
        tx.put(replace(user, groups=(*user.groups, group.key)))


def remove_user_from_group(tx: Transaction, request: ApiRequest) -> None:
    group, user = lookups.named(tx, Group, request), lookups.named(tx, User, request)
    tx.put(replace(user, groups=_without(user.groups, group.key)))


def _without(keys: tuple[str, ...], removed: str) -> tuple[str, ...]:
    return tuple(key for key in keys if key != removed)


def _none_of_user(member: str, view: View, request: ApiRequest) -> Answer:
    """An empty list, for programs that delete users: the account can't create these things."""
    if not request.params.get("AllUsers"):
        lookups.own_user(view, request)
    return {member: [], "IsTruncated": False}


READS: Reads = {
    "ListServerCertificates": lambda *_: {
        "ServerCertificateMetadataList": [],
        "IsTruncated": False,
    },
    "ListServiceSpecificCredentials": partial(_none_of_user, "ServiceSpecificCredentials"),
    "ListSigningCertificates": partial(_none_of_user, "Certificates"),
    "ListSSHPublicKeys": partial(_none_of_user, "SSHPublicKeys"),
}
