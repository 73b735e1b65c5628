"""Inline and attached policies of users, groups and roles, and their permissions boundaries.

Seven operations are the same for three kinds of holders, two for the two that have boundaries.
"""

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from stslab.policy import PolicyKind
from stslab.sandbox.api import faults, policies
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import lookups, shapes
from stslab.sandbox.iam.managed_policies import counted
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import Transaction, View

Holder = type[User | Group | Role]
_ATTACHED = 10
_INLINE_SIZES: Mapping[Holder, int] = {User: 2048, Group: 5120, Role: 10240}
"""The quota, in characters without white space, of all inline policies of one."""


def _put(kind: Holder, tx: Transaction, request: ApiRequest) -> Answer:
    holder, name = lookups.changeable(tx, kind, request), request.params["PolicyName"]
    text = policies.checked(request.params["PolicyDocument"], PolicyKind.IDENTITY)
    inline, most = {**holder.inline, name: text}, _INLINE_SIZES[kind]
    if sum(map(counted, inline.values())) > most:
        raise faults.limit_exceeded(
            f"Maximum policy size of {most} bytes exceeded for {kind.table} {holder.name}"
        )
    tx.put(replace(holder, inline=inline))
    return {}


def _get(kind: Holder, view: View, request: ApiRequest) -> Answer:
    holder, name = lookups.named(view, kind, request), request.params["PolicyName"]
    document = shapes.document(_inline(holder, name))
    return {
        f"{kind.table.title()}Name": holder.name,
        "PolicyName": name,
        "PolicyDocument": document,
    }


def _delete(kind: Holder, tx: Transaction, request: ApiRequest) -> Answer:
    holder, gone = lookups.changeable(tx, kind, request), request.params["PolicyName"]
    _inline(holder, gone)
    kept = {name: text for name, text in holder.inline.items() if name != gone}
    tx.put(replace(holder, inline=kept))
    return {}


def _inline(holder: Identity, name: str) -> str:
    text = holder.inline.get(name)
    if text is None:
        raise faults.no_such(f"The {holder.table} policy with name {name} cannot be found.")
    return text


def _list(kind: Holder, view: View, request: ApiRequest) -> Answer:
    names = sorted(lookups.named(view, kind, request).inline)
    return shapes.page("PolicyNames", names, request.params, str)


def _attach(kind: Holder, tx: Transaction, request: ApiRequest) -> Answer:
    holder = lookups.changeable(tx, kind, request)
    arn = lookups.checked_arn(request.params["PolicyArn"])
    if lookups.find(tx, ManagedPolicy, request.account, arn) is None:
        raise faults.no_such(f"Policy {arn} does not exist or is not attachable.")
    if arn not in holder.attached:
        faults.check_quota(f"PoliciesPer{kind.table.title()}", _ATTACHED, len(holder.attached))
        tx.put(replace(holder, attached=(*holder.attached, arn)))
    return {}


def _detach(kind: Holder, tx: Transaction, request: ApiRequest) -> Answer:
    holder = lookups.changeable(tx, kind, request)
    gone = lookups.checked_arn(request.params["PolicyArn"])
    if gone not in holder.attached:
        raise faults.no_such(f"Policy {gone} was not found.")
    tx.put(replace(holder, attached=tuple(arn for arn in holder.attached if arn != gone)))
    return {}


def _list_attached(kind: Holder, view: View, request: ApiRequest) -> Answer:
    attached = shapes.managed(view, lookups.named(view, kind, request))
    found = shapes.by_name(attached, request.params.get("PathPrefix"))
    return shapes.page("AttachedPolicies", found, request.params, shapes.attached)


def _put_boundary(kind: type[User | Role], tx: Transaction, request: ApiRequest) -> Answer:
    holder = lookups.named(tx, kind, request)
    tx.put(replace(holder, boundary=lookups.boundary(tx, request)))
    return {}


def _delete_boundary(kind: type[User | Role], tx: Transaction, request: ApiRequest) -> Answer:
    holder = lookups.named(tx, kind, request)
    if not holder.boundary:
        raise faults.no_such(f"No permissions boundary is set for {kind.table} {holder.name}.")
    tx.put(replace(holder, boundary=""))
    return {}


_READS = (
    ("Get{}Policy", _get),
    ("List{}Policies", _list),
    ("ListAttached{}Policies", _list_attached),
)
_WRITES = (
    ("Put{}Policy", _put),
    ("Delete{}Policy", _delete),
    ("Attach{}Policy", _attach),
    ("Detach{}Policy", _detach),
)
READS: Reads = {
    name.format(kind.table.title()): partial(read, kind)
    for name, read in _READS
    for kind in _INLINE_SIZES
}
WRITES: Writes = {
    name.format(kind.table.title()): partial(write, kind)
    for name, write in _WRITES
    for kind in _INLINE_SIZES
} | {
    "PutUserPermissionsBoundary": partial(_put_boundary, User),
    "PutRolePermissionsBoundary": partial(_put_boundary, Role),
    "DeleteUserPermissionsBoundary": partial(_delete_boundary, User),
    "DeleteRolePermissionsBoundary": partial(_delete_boundary, Role),
}
