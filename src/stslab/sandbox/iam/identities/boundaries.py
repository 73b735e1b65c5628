"""Permissions boundaries of users and roles (IAM User Guide, "Permissions boundaries")."""

from msgspec.structs import replace

from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Write, Writes
from stslab.sandbox.iam import faults, lookups
from stslab.sandbox.state.identities import Role, User
from stslab.sandbox.state.policies import ManagedPolicy
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction


def requested(view: View, request: ApiRequest) -> str:
    """The ARN of the boundary that the request passes, empty where it passes none.

    Raises:
        ApiFault: InvalidInput or NoSuchEntity: it is no managed policy's.
    """
    arn: str = request.params.get("PermissionsBoundary", "")
    if arn and lookups.find(view, ManagedPolicy, request.account, lookups.checked_arn(arn)) is None:
        raise faults.no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def _put(kind: type[User | Role]) -> Write:
    def put(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.named(tx, kind, request)
        tx.put(replace(holder, boundary=requested(tx, request)))
        return {}

    return put


def _delete(kind: type[User | Role]) -> Write:
    def delete(tx: Transaction, request: ApiRequest) -> Answer:
        holder = lookups.named(tx, kind, request)
        if not holder.boundary:
            word = kind.table
            raise faults.no_such(f"No permissions boundary is set for {word} {holder.name}.")
        tx.put(replace(holder, boundary=""))
        return {}

    return delete


WRITES: Writes = {
    "PutUserPermissionsBoundary": _put(User),
    "PutRolePermissionsBoundary": _put(Role),
    "DeleteUserPermissionsBoundary": _delete(User),
    "DeleteRolePermissionsBoundary": _delete(Role),
}
