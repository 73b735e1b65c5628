"""What many kinds of things in IAM have: lists of them, their deletion, and their tags."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import TypeVar

from msgspec.structs import replace

from stslab.sandbox.api import faults, pages
from stslab.sandbox.api.model import Answer, ApiRequest, Reads, Writes, shown
from stslab.sandbox.iam import answers, aws_policies, lookups
from stslab.sandbox.state.identities import Group, InstanceProfile, Role, SamlProvider, User
from stslab.sandbox.state.snapshot import Named, Transaction, View

T = TypeVar("T", bound=lookups.Entity)
_MOST = lookups.QUOTAS["TagsPerResource"]
_NOTHING = "Error occurred while validating input. "  # of a user or a role; of others, _NO_TAGS
_NO_TAGS = "The provided tag {} must not be null/empty."


def _delete(kind: type[Named], tx: Transaction, request: ApiRequest) -> None:
    """IAM API Reference, "DeleteUser", "DeleteGroup", "DeleteRole", "DeleteInstanceProfile"."""
    record = lookups.changeable(tx, kind, request)
    for thing, fix in _held(tx, record):
        if thing:
            raise faults.in_use(f"Cannot delete entity, must {fix} first.")
    tx.delete(record)


def _held(view: View, record: Named) -> Iterator[tuple[object, str]]:
    """What the record must not hold when it is deleted, and what AWS says to do about it."""
    if isinstance(record, User):
        yield record.login, "delete login profile"
        yield record.mfa_devices, "remove tokens from principal"
        yield record.access_keys, "delete access keys"
    if isinstance(record, Role):
        yield lookups.profiles_with(view, record), "remove roles from instance profile"
    if isinstance(record, InstanceProfile):
        yield record.role, "remove roles from instance profile"
    if isinstance(record, Group):
        yield list(lookups.users_in(view, record)), "remove users from group"
    if isinstance(record, User | Group | Role):
        yield record.attached, "detach all policies"
        yield record.inline, "delete policies"
    if isinstance(record, User):
        yield record.groups, "remove users from group"


# -- tags ------------------------------------------------------------------------------------


def given(request: ApiRequest) -> dict[str, str]:
    """The tags in a request. Raises InvalidInput for a reserved or a duplicate key."""
    pairs = [(tag["Key"], tag.get("Value", "")) for tag in request.params.get("Tags", ())]
    fold = _fold(request)
    keys = [fold(key) for key, _ in pairs]
    if any(key.lower().startswith("aws:") for key in keys):
        raise faults.invalid_input("Tag keys beginning with aws: are reserved for system use.")
    if len(set(keys)) < len(keys):
        note = " Please note that Tag keys are case insensitive." if fold is str.lower else ""
        raise faults.invalid_input(f"Duplicate tag keys found.{note}")
    return dict(pairs)


def _fold(request: ApiRequest) -> Callable[[str], str]:
    """Tag keys of users and roles ignore case (IAM User Guide, "Tags for ... IAM resources")."""
    return str.lower if request.operation.endswith(("User", "Role")) else str


def _without(
    view: View, kind: type[T], request: ApiRequest, keys: Iterable[str]
) -> tuple[T, dict[str, str]]:
    """The record that the request names, and its tags without these keys."""
    holder, fold = lookups.named(view, kind, request), _fold(request)
    if holder.account == aws_policies.OWNER:
        raise faults.invalid_input("Tags not supported for policies in this domain")
    gone = {fold(key) for key in keys}
    return holder, {key: value for key, value in holder.tags.items() if fold(key) not in gone}


def _add(kind: type[T], tx: Transaction, request: ApiRequest) -> None:
    new = given(request)
    if not new:
        raise faults.invalid_input(_NOTHING if kind in (User, Role) else _NO_TAGS.format("map"))
    holder, kept = _without(tx, kind, request, new)
    tags = {**kept, **new}
    if len(tags) > _MOST:
        raise faults.limit_exceeded("The number of tags has reached the maximum limit.")
    tx.put(replace(holder, tags=tags))


def _remove(kind: type[T], tx: Transaction, request: ApiRequest) -> None:
    keys = request.params["TagKeys"]
    if not keys and kind not in (User, Role):
        raise faults.invalid_input(_NO_TAGS.format("keys"))
    holder, kept = _without(tx, kind, request, keys)
    tx.put(replace(holder, tags=kept))


def _list(kind: type[T], view: View, request: ApiRequest) -> Answer:
    tags = answers.tags(lookups.named(view, kind, request).tags)
    return pages.page(request, "Tags", tags, dict, itemgetter("Key"))


_KINDS: Mapping[str, type] = {
    row.made.removeprefix("Create").removeprefix("Virtual"): kind
    for kind, row in lookups.KINDS.items()
    if kind is not Group
}
"""The kinds of things that have tags, by their names in operations."""
READS: Reads = {
    **{f"List{word}Tags": partial(_list, kind) for word, kind in _KINDS.items()},
    "ListUsers": partial(answers.listed, User, "Users", lambda _, user: shown(user)),
    "ListGroups": partial(answers.listed, Group, "Groups", lambda _, group: shown(group)),
    "ListRoles": partial(answers.listed, Role, "Roles", answers.role),
    "ListInstanceProfiles": partial(
        answers.listed, InstanceProfile, "InstanceProfiles", answers.listed_profile
    ),
}
WRITES: Writes = {
    **{f"Tag{word}": partial(_add, kind) for word, kind in _KINDS.items()},
    **{f"Untag{word}": partial(_remove, kind) for word, kind in _KINDS.items()},
    "DeleteUser": partial(_delete, User),
    "DeleteGroup": partial(_delete, Group),
    "DeleteRole": partial(_delete, Role),
    "DeleteInstanceProfile": partial(_delete, InstanceProfile),
    "DeleteSAMLProvider": partial(_delete, SamlProvider),
}
