"""What a request names, found in a view of the account, or NoSuchEntity in AWS's words."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from stslab.sandbox.api import faults, identifiers
from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.iam import aws_policies
from stslab.sandbox.state.identities import (
    AccessKey,
    Group,
    ManagedPolicy,
    OidcProvider,
    Role,
    SamlProvider,
    User,
)
from stslab.sandbox.state.snapshot import TABLES, Account, Named, Record, Transaction, View

R = TypeVar("R", bound=Record)
N = TypeVar("N", bound=Named)
SERVICE_PATH = "/aws-service-role/"
"""The path of service-linked roles."""
_POLICY_ARN = re.compile(r"arn:aws:iam::(\d{12}|aws):policy/[\x21-\x7e]+")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How requests name a kind of record; ``kinds.yaml`` says what its members mean."""

    parameter: str
    lacking: str
    taken: str
    quota: str = ""
    most: int = 0
    prefix: str = ""
    member: str = "name"
    made: str = ""
    called: str = ""
    type: str = ""
    listed: str = ""
    renamed: Mapping[str, str] = {}


KINDS: Mapping[type[Record], Kind] = {
    TABLES[table]: kind
    for table, kind in msgspec.yaml.decode(
        Path(__file__).with_name("kinds.yaml").read_bytes(), type=dict[str, Kind]
    ).items()
}
_KEYS: Mapping[type[Record], Callable[[str], str]] = {
    ManagedPolicy: lambda arn: arn.rsplit("/", 1)[-1].lower(),
    OidcProvider: lambda arn: arn.partition(":oidc-provider/")[2],
    SamlProvider: lambda arn: arn.rsplit("/", 1)[-1].lower(),
}
"""A record's key, by how requests call it; for all others, that in lower case.

Names differ by more than case, and yet a request must have the right case.
"""


def find(view: View, kind: type[R], account: str, identifier: str) -> R | None:
    """The record that a request calls so, by its name, ARN or serial number; or None.

    AWS's own policies are found in every account.
    """
    key = _KEYS.get(kind, str.lower)(identifier)
    found: Record | None = view.get(kind, account, key)
    if kind is ManagedPolicy:
        found = aws_policies.find(identifier) or found
    same = found is not None and getattr(found, KINDS[kind].member) == identifier
    return cast("R", found) if same else None


def existing(view: View, kind: type[R], account: str, identifier: str) -> R:
    """What :func:`find` finds, or NoSuchEntity."""
    found = find(view, kind, account, identifier)
    if found is None:
        raise faults.no_such(KINDS[kind].lacking.format(identifier))
    return found


def named(view: View, kind: type[R], request: ApiRequest) -> R:
    """The record that the request names, or NoSuchEntity."""
    return existing(view, kind, request.account, request.params[KINDS[kind].parameter])


def put_new(
    tx: Transaction,
    request: ApiRequest,
    kind: type[N],
    name: str,
    tags: Mapping[str, str] | None = None,
    **members: object,
) -> N:
    """A new record of this name, in the request's path, with a unique id and these members."""
    account = request.account
    record = kind(
        account=account,
        name=name,
        path=request.params.get("Path", "/"),
        unique_id=identifiers.unique_id(KINDS[kind].prefix, account),
        created=request.now,
        tags=tags or {},
        **members,
    )
    put(tx, record, name)
    return record


def put(tx: Transaction, record: Record, called: str) -> None:
    """Put a record that was not there; EntityAlreadyExists or LimitExceeded where it can't be."""
    refuse_taken(tx, record, called)
    row = KINDS[type(record)]
    if row.quota:
        faults.check_quota(row.quota, row.most, tx.count(type(record), record.account))
    tx.put(record)


def refuse_taken(view: View, record: Record, called: str, but: Record | None = None) -> None:
    """Raise EntityAlreadyExists where another one than ``but`` has the record's key."""
    if view.get(type(record), record.account, record.key) not in (None, but):
        raise faults.exists(KINDS[type(record)].taken.format(called))


def root_created(view: View, request: ApiRequest) -> datetime:
    """When the root user was made: no user and no access key is older."""
    kinds: tuple[type[User | AccessKey], ...] = (User, AccessKey)
    found = (one.created for kind in kinds for one in view.all(kind, request.account))
    return min(found, default=request.now)


def own_user(view: View, request: ApiRequest) -> User:
    """The user that the request names, or else the one who makes it."""
    name = request.params.get("UserName") or request.caller.user_name
    if not name:
        raise faults.invalid("Must specify userName when calling with non-User credentials")
    return existing(view, User, request.account, name)


def groups_of(view: View, user: User) -> list[Group]:
    """The groups that the user is in, by name."""
    found = (view.get(Group, user.account, key) for key in sorted(user.groups))
    return [group for group in found if group is not None]


def users_in(view: View, group: Group) -> Iterator[User]:
    """The users that are in the group, in no order."""
    return (user for user in view.all(User, group.account) if group.key in user.groups)


def changeable(view: View, kind: type[R], request: ApiRequest) -> R:
    """Like :func:`named`, for a change: a service-linked role is refused."""
    found = named(view, kind, request)
    if isinstance(found, Role) and found.path.startswith(SERVICE_PATH):
        raise ApiFault(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{found.name}' - this role is "
            "only modifiable by AWS",
        )
    return found


def policy(view: View, request: ApiRequest) -> ManagedPolicy:
    """The managed policy that the request names, AWS's or the account's own."""
    checked_arn(request.params["PolicyArn"])
    return named(view, ManagedPolicy, request)


def own_policy(view: View, request: ApiRequest) -> ManagedPolicy:
    """The customer managed policy that the request names, to be changed."""
    found = policy(view, request)
    if found.account == aws_policies.OWNER:
        raise faults.invalid_input(f"Policy {found.arn} is owned by AWS and cannot be changed.")
    return found


def managed_text(view: View, account: str, arn: str) -> str | None:
    """The text of a managed policy's default version, or None where there is no such policy."""
    found = find(view, ManagedPolicy, account, arn)
    return None if found is None else found.document


def boundary(view: View, request: ApiRequest) -> str:
    """The ARN of the permissions boundary that the request passes; empty where it passes none."""
    arn: str = request.params.get("PermissionsBoundary", "")
    if arn and find(view, ManagedPolicy, request.account, checked_arn(arn)) is None:
        raise faults.no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
    refuse_service_policy(arn)
    return arn


def refuse_service_policy(arn: str) -> None:
    """Raise PolicyNotAttachable for a policy that is for a service-linked role alone."""
    if f":policy{SERVICE_PATH}" in arn:
        raise ApiFault(
            "PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role."
        )


def checked_arn(arn: str) -> str:
    """``arn`` if it is formed like a managed policy's; else InvalidInput."""
    if not _POLICY_ARN.fullmatch(arn):
        raise faults.invalid_input(f"ARN {arn} is not valid.")
    return arn


def account(view: View, account_id: str) -> Account:
    found = view.get(Account, account_id, "")
    if found is None:
        raise KeyError(account_id)
    return found
