"""Inline and attached policies of users, groups and roles, and their permissions boundaries."""

from dataclasses import dataclass

from msgspec.structs import replace

from stslab.policy import PolicyKind
from stslab.sandbox.api import faults, policies
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Read, Reads, Write, Writes
from stslab.sandbox.iam import lookups, shapes
from stslab.sandbox.iam.managed_policies import counted
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import Transaction, View

_ATTACHED = 10


@dataclass(frozen=True, slots=True)
class Holder:
    """A kind of entity that policies are put in or attached to.

    ``inline_size`` is the quota, in characters without white space, of all inline policies.
    """

    kind: type[User | Group | Role]
    inline_size: int

    @property
    def word(self) -> str:
        """What IAM calls it in messages."""
        return self.kind.table

    @property
    def title(self) -> str:
        """The word as it is part of operations' and parameters' names."""
        return self.word.title()


HOLDERS = (Holder(User, 2048), Holder(Group, 5120), Holder(Role, 10240))


def _put(kind: Holder) -> Write:
    def put(tx: Transaction, request: ApiRequest) -> Answer:
        holder, name = lookups.changeable(tx, kind.kind, request), request.params["PolicyName"]
        text = policies.checked(request.params["PolicyDocument"], PolicyKind.IDENTITY)
        inline = {**holder.inline, name: text}
        if sum(map(counted, inline.values())) > kind.inline_size:
            raise faults.limit_exceeded(
                f"Maximum policy size of {kind.inline_size} bytes exceeded for {kind.word} "
                f"{holder.name}"
            )
        tx.put(replace(holder, inline=inline))
        return {}

    return put


def _get(kind: Holder) -> Read:
    def get(view: View, request: ApiRequest) -> Answer:
        holder, name = lookups.named(view, kind.kind, request), request.params["PolicyName"]
        text = _existing(kind, holder, name)
        return {
            f"{kind.title}Name": holder.name,
            "PolicyName": name,
            "PolicyDocument": shapes.document(text),
        }

    return get


def _delete(kind: Holder) -> Write:
    def delete(tx: Transaction, request: ApiRequest) -> Answer:
        holder, gone = lookups.changeable(tx, kind.kind, request), request.params["PolicyName"]
        _existing(kind, holder, gone)
        kept = {name: text for name, text in holder.inline.items() if name != gone}
        tx.put(replace(holder, inline=kept))
        return {}

    return delete


def _list(kind: Holder) -> Read:
    def listed(view: View, request: ApiRequest) -> Answer:
        names = sorted(lookups.named(view, kind.kind, request).inline)
        return shapes.page("PolicyNames", names, request.params, str)

    return listed


def _attach(kind: Holder) -> Write:
    def attach(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.changeable(tx, kind.kind, request)
        arn = lookups.checked_arn(request.params["PolicyArn"])
        if lookups.find(tx, ManagedPolicy, request.account, arn) is None:
            raise faults.no_such(f"Policy {arn} does not exist or is not attachable.")
        if arn not in holder.attached:
            faults.check_quota(f"PoliciesPer{kind.title}", _ATTACHED, len(holder.attached))
            tx.put(replace(holder, attached=(*holder.attached, arn)))
        return {}

    return attach


def _detach(kind: Holder) -> Write:
    def detach(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.changeable(tx, kind.kind, request)
        gone = lookups.checked_arn(request.params["PolicyArn"])
        if gone not in holder.attached:
            raise faults.no_such(f"Policy {gone} was not found.")
        kept = tuple(arn for arn in holder.attached if arn != gone)
        tx.put(replace(holder, attached=kept))
        return {}

    return detach


def _list_attached(kind: Holder) -> Read:
    def listed(view: View, request: ApiRequest) -> Answer:
        attached = shapes.managed(view, lookups.named(view, kind.kind, request))
        found = shapes.by_name(attached, request.params.get("PathPrefix"))
        return shapes.page("AttachedPolicies", found, request.params, shapes.attached)

    return listed


def _existing(kind: Holder, holder: Identity, name: str) -> str:
    text = holder.inline.get(name)
    if text is None:
        raise faults.no_such(f"The {kind.word} policy with name {name} cannot be found.")
    return text


def _put_boundary(kind: type[User | Role]) -> Write:
    def put(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.named(tx, kind, request)
        tx.put(replace(holder, boundary=lookups.boundary(tx, request)))
        return {}

    return put


def _delete_boundary(kind: type[User | Role]) -> Write:
    def delete(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.named(tx, kind, request)
        if not holder.boundary:
            raise faults.no_such(f"No permissions boundary is set for {kind.table} {holder.name}.")
        tx.put(replace(holder, boundary=""))
        return {}

    return delete


READS: Reads = {
    **{f"Get{kind.title}Policy": _get(kind) for kind in HOLDERS},
    **{f"List{kind.title}Policies": _list(kind) for kind in HOLDERS},
    **{f"ListAttached{kind.title}Policies": _list_attached(kind) for kind in HOLDERS},
}
WRITES: Writes = {
    **{f"Put{kind.title}Policy": _put(kind) for kind in HOLDERS},
    **{f"Delete{kind.title}Policy": _delete(kind) for kind in HOLDERS},
    **{f"Attach{kind.title}Policy": _attach(kind) for kind in HOLDERS},
    **{f"Detach{kind.title}Policy": _detach(kind) for kind in HOLDERS},
    "PutUserPermissionsBoundary": _put_boundary(User),
    "PutRolePermissionsBoundary": _put_boundary(Role),
    "DeleteUserPermissionsBoundary": _delete_boundary(User),
    "DeleteRolePermissionsBoundary": _delete_boundary(Role),
}
