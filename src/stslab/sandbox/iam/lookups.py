"""Finds the records that a request names, or raises NoSuchEntity with AWS's message."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import msgspec

from stslab.policy.request import split_arn
from stslab.sandbox.api import faults, identifiers
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import aws_policies
from stslab.sandbox.state import identities
from stslab.sandbox.state.identities import AccessKey, Group, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import TABLES, Account, Named, R, Record, Transaction, View
from stslab.structures import beside

fault = partial(faults.worded, beside(__file__, "messages.yaml"))
N = TypeVar("N", bound=Named)
Entity = Named | identities.OidcProvider | identities.MfaDevice
"""The things that have an ARN and tags."""
SERVICE_PATH = "/aws-service-role/"  # the path of service-linked roles
_POLICY_ARN = re.compile(r"arn:aws:iam::[^:]+:policy/[\x21-\x39\x3b-\x7e]+")
_RESERVED = re.compile(r"arn:aws:iam::aws:policy/(aws-service-role|root-task)/")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How requests name a kind of record; ``kinds.yaml`` explains the members."""

    parameter: str
    lacking: str
    taken: str
    quota: str = ""
    prefix: str = ""
    member: str = "name"
    made: str = ""
    called: str = ""
    type: str = ""
    listed: str = ""
    renamed: Mapping[str, str] = {}


_ROWS = msgspec.convert(beside(__file__, "kinds.yaml"), dict[str, Kind])
KINDS: Mapping[type[Record], Kind] = {TABLES[table]: kind for table, kind in _ROWS.items()}
_QUOTAS: Mapping[str, dict[str, int]] = beside(__file__, "quotas.yaml")
SUMMARISED, FIXED = _QUOTAS["summarised"], _QUOTAS["fixed"]
QUOTAS = SUMMARISED | _QUOTAS["others"]
_KEYS: Mapping[type[Record], Callable[[str], str]] = {
    ManagedPolicy: lambda arn: arn.rsplit("/", 1)[-1].lower() if _POLICY_ARN.match(arn) else "",
    identities.OidcProvider: lambda arn: arn.partition(":oidc-provider/")[2],
    identities.SamlProvider: lambda arn: arn.rsplit("/", 1)[-1].lower(),
}
"""How to get a record's key from its identifier in a request; for other kinds, in lower case.

So a request may use any case for a name, in ARNs for that and the path of a managed policy only.
"""


def find(view: View, kind: type[R], account: str, identifier: str) -> R | None:
    """The record with this name, ARN or serial number, or None; AWS's policies are everywhere."""
    found: Record | None = view.get(kind, account, _KEYS.get(kind, str.lower)(identifier))
    if kind is ManagedPolicy:
        found = aws_policies.find(identifier) or found
    member = KINDS[kind].member
    shown = identifier if found is None or member == "name" else getattr(found, member)
    same = shown.lower() == identifier.lower() if kind is ManagedPolicy else shown == identifier
    return cast("R", found) if same else None


def own_arn(view: View, request: ApiRequest, arn: str) -> str:
    """The ARN as the managed policy has it, whatever its case in the request."""
    found = find(view, ManagedPolicy, request.account, arn)
    return found.arn if found else arn


def named(view: View, kind: type[R], request: ApiRequest, name: str = "") -> R:
    """The record that the request names, or the one with this name. Raises NoSuchEntity."""
    name = name or request.params[KINDS[kind].parameter]
    if kind is ManagedPolicy:
        checked_arn(name)
    found = find(view, kind, request.account, name)
    if found is None:
        raise faults.no_such(KINDS[kind].lacking.format(name))
    return found


def put_new(
    tx: Transaction, request: ApiRequest, kind: type[N], name: str, path: str = "", **members: Any
) -> N:
    """Put a new record with these members, in ``path`` or that of the request; see :func:`put`."""
    account, given = request.account, request.params.get("Path", "/")
    if given.startswith(SERVICE_PATH):
        raise fault("reserved path")
    record = kind(
        account=account,
        name=name,
        path=path or given,
        unique_id=identifiers.unique_id(KINDS[kind].prefix, account),
        created=request.now,
        **members,
    )
    put(tx, record, name)
    return record


def check_quota(name: str, wanted: int, called: str = "") -> None:
    """Raise LimitExceeded for more than the quota of this name; ``called`` in its message."""
    if wanted > QUOTAS[name]:
        raise faults.limit_exceeded(f"Cannot exceed quota for {called or name}: {QUOTAS[name]}")


def put(tx: Transaction, record: Record, called: str) -> None:
    """Put a new record, called so in messages. Raises EntityAlreadyExists or LimitExceeded.

    Service-linked roles may exceed the quota (IAM User Guide, "Using service-linked roles").
    """
    refuse_taken(tx, record, called)
    row = KINDS[type(record)]
    if row.quota and not getattr(record, "path", "").startswith(SERVICE_PATH):
        there_are = tx.count(type(record), record.account)
        check_quota(row.quota.removesuffix("PerAccount"), there_are + 1, called=row.quota)
    tx.put(record)


def refuse_taken(view: View, record: Record, called: str, but: Record | None = None) -> None:
    """Raise EntityAlreadyExists if a record other than ``but`` has the key of this one."""
    if view.get(type(record), record.account, record.key) not in (None, but):
        raise faults.exists(KINDS[type(record)].taken.format(called))


def root_created(view: View, request: ApiRequest) -> datetime:
    """The root user's creation date: that of the oldest user, access key or role."""
    kinds: tuple[type[User | AccessKey | Role], ...] = (User, AccessKey, Role)
    dates = (record.created for kind in kinds for record in view.all(kind, request.account))
    return min(dates, default=request.now)


def own_user(view: View, request: ApiRequest) -> User:
    """The user that the request names, or else the user that makes it."""
    name = request.params.get("UserName") or request.caller.user_name
    faults.require(name, "Must specify userName when calling with non-User credentials")
    return named(view, User, request, name)


def owner(view: View, request: ApiRequest) -> User | None:
    """Like :func:`own_user`; None for the root user that makes a request without a name."""
    if request.caller.kind == "Root" and "UserName" not in request.params:
        return None
    return own_user(view, request)


def groups_of(view: View, user: User) -> list[Group]:
    """The groups of a user, sorted by name."""
    return list(filter(None, (view.get(Group, user.account, key) for key in sorted(user.groups))))


def access_keys(view: View, account: str, user: User | None) -> list[AccessKey]:
    """The access keys of a user, or of root (None), oldest first."""
    if user is None:
        roots = (key for key in view.all(AccessKey, account) if not key.user)
        return sorted(roots, key=lambda key: (key.created, key.key))
    return list(filter(None, (view.get(AccessKey, account, id_) for id_ in user.access_keys)))


def users_in(view: View, group: Group) -> Iterator[User]:
    return (user for user in view.all(User, group.account) if group.key in user.groups)


def profiles_with(view: View, role: Role) -> list[identities.InstanceProfile]:
    profiles = view.all(identities.InstanceProfile, role.account)
    return [profile for profile in profiles if profile.role == role.key]


def without(items: tuple[str, ...], removed: str) -> tuple[str, ...]:
    return tuple(item for item in items if item != removed)


def changeable(view: View, kind: type[R], request: ApiRequest) -> R:
    """Like :func:`named`, but refuses a service-linked role, which can't be changed."""
    record = named(view, kind, request)
    if isinstance(record, Role) and record.path.startswith(SERVICE_PATH):
        raise fault("protected", role=record.name)
    return record


def managed_text(view: View, account: str, arn: str) -> str | None:
    """The text of a managed policy's default version, or None if the policy does not exist."""
    found = find(view, ManagedPolicy, account, arn)
    return found.document if found else None


def boundary(view: View, request: ApiRequest) -> str:
    """The ARN of the permissions boundary in the request, or empty. Raises NoSuchEntity."""
    arn = own_arn(view, request, request.params.get("PermissionsBoundary", ""))
    if arn and find(view, ManagedPolicy, request.account, checked_arn(arn)) is None:
        raise faults.no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
    refuse_reserved(request, arn)
    return arn


def refuse_reserved(request: ApiRequest, arn: str) -> None:
    if _RESERVED.match(arn):
        kinds = (kind for kind in ("user", "group") if f"{kind.title()}Name" in request.params)
        raise fault("reserved", kind=next(kinds, "role"))


def checked_arn(arn: str) -> str:
    """Return ``arn``, or raise ValidationError or InvalidInput if it is not a managed policy's."""
    faults.require(split_arn(arn) or arn.startswith("arn:aws:"), f"ARN {arn} is not valid.")
    faults.require(arn.startswith("arn:aws:"), "Invalid ARN partition")
    if not _POLICY_ARN.fullmatch(arn):
        raise faults.invalid_input(f"ARN {arn} is not valid.")
    return arn


def account(view: View, account_id: str) -> Account:
    record = view.get(Account, account_id, "")
    if record is None:
        raise KeyError(account_id)
    return record
