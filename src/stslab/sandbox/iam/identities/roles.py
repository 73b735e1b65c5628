"""IAM roles, service-linked ones too."""

import json
import re
import uuid
from functools import partial

from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Judge, Reads, Writes
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.identities import boundaries
from stslab.sandbox.iam.policies import documents
from stslab.sandbox.state.identities import InstanceProfile, Role
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_ROLES = 1000
_SERVICE_PATH = "/aws-service-role/"
_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)?([a-z0-9-]+)\.amazonaws\.com")
_TASK = re.compile(r"task/aws-service-role/[\w.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")


def create_role(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """CreateRole; the principals that its trust policy names must exist."""
    account, params = request.account, request.params
    name, path = params["RoleName"], params.get("Path", "/")
    if tx.get(Role, account, name.lower()) is not None:
        raise faults.exists(f"Role with name {name} already exists.")
    faults.check_quota("RolesPerAccount", _ROLES, tx.count(Role, account))
    if path.startswith(_SERVICE_PATH):
        raise faults.invalid(f"The path {_SERVICE_PATH} is reserved for service-linked roles.")
    role = Role(
        account=account,
        name=name,
        path=path,
        unique_id=identifiers.unique_id("AROA", account),
        created=request.now,
        trust=documents.trusted(params["AssumeRolePolicyDocument"], judge.seen(tx)),
        boundary=boundaries.requested(tx, request),
        description=params.get("Description", ""),
        tags=tagging.checked(params.get("Tags", ())),
        max_session=params.get("MaxSessionDuration", 3600),
    )
    tx.put(role)
    return {"Role": shapes.whole_role(tx, role)}


def get_role(view: View, request: ApiRequest) -> Answer:
    """GetRole."""
    return {"Role": shapes.whole_role(view, lookups.named(view, Role, request))}


def list_roles(view: View, request: ApiRequest) -> Answer:
    """ListRoles."""
    found = shapes.by_name(view.all(Role, request.account), request.params.get("PathPrefix"))
    return paging.page("Roles", found, request.params, partial(shapes.role, view))


def update_role(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateRole: description and maximum session duration."""
    role, params = _own_role(tx, request), request.params
    description = params.get("Description", role.description)
    max_session = params.get("MaxSessionDuration", role.max_session)
    tx.put(replace(role, description=description, max_session=max_session))
    return {}


def update_role_description(tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateRoleDescription."""
    role = replace(_own_role(tx, request), description=request.params["Description"])
    tx.put(role)
    return {"Role": shapes.role(tx, role)}


def update_assume_role_policy(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """UpdateAssumeRolePolicy; the principals that it names must exist."""
    role = _own_role(tx, request)
    trust = documents.trusted(request.params["PolicyDocument"], judge.seen(tx))
    tx.put(replace(role, trust=trust))
    return {}


def delete_role(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteRole, once nothing is attached to it."""
    role = _own_role(tx, request)
    faults.refuse_if_held(
        (profiles_with(tx, role), "remove roles from instance profile"),
        (role.attached, "detach all policies"),
        (role.inline, "delete policies"),
    )
    tx.delete(role)
    return {}


def profiles_with(view: View, role: Role) -> list[InstanceProfile]:
    """The instance profiles that hold the role."""
    found = view.all(InstanceProfile, role.account)
    return shapes.by_name(profile for profile in found if profile.role == role.key)


def _own_role(view: View, request: ApiRequest) -> Role:
    role = lookups.named(view, Role, request)
    refuse_service_linked(role)
    return role


def refuse_service_linked(role: Role) -> None:
    """Raise UnmodifiableEntity for a role that only its service may change."""
    if role.path.startswith(_SERVICE_PATH):
        raise faults.unmodifiable(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only "
            "modifiable by AWS"
        )


def create_service_linked_role(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateServiceLinkedRole, with the trust of its service."""
    account, params = request.account, request.params
    service = params["AWSServiceName"]
    match = _SERVICE.fullmatch(service)
    if match is None:
        raise faults.invalid_input(f"Service principal {service} is not valid.")
    suffix = f"_{params['CustomSuffix']}" if params.get("CustomSuffix") else ""
    name = f"AWSServiceRoleFor{''.join(map(str.title, match[1].split('-')))}{suffix}"
    if tx.get(Role, account, name.lower()) is not None:
        raise faults.invalid_input(
            f"Service role name {name} has been taken in this account, please try a different "
            "suffix."
        )
    principal = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    role = Role(
        account=account,
        name=name,
        path=f"{_SERVICE_PATH}{service}/",
        unique_id=identifiers.unique_id("AROA", account),
        created=request.now,
        trust=json.dumps({"Version": "2012-10-17", "Statement": [principal]}),
        description=params.get("Description", ""),
    )
    tx.put(role)
    return {"Role": shapes.role(tx, role)}


def delete_service_linked_role(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteServiceLinkedRole; no service here holds on to one, so it is gone at once."""
    role = lookups.named(tx, Role, request)
    if not role.path.startswith(_SERVICE_PATH):
        raise faults.no_such(f"The service-linked role with name {role.name} cannot be found.")
    tx.delete(role)
    return {"DeletionTaskId": f"task{role.path}{role.name}/{uuid.uuid4()}"}


def get_service_linked_role_deletion_status(_view: View, request: ApiRequest) -> Answer:
    """GetServiceLinkedRoleDeletionStatus: a deletion that was begun has succeeded."""
    task = request.params["DeletionTaskId"]
    if not _TASK.fullmatch(task):
        raise faults.no_such(f"Deletion task {task} cannot be found.")
    return {"Status": "SUCCEEDED"}


READS: Reads = {
    "GetRole": get_role,
    "GetServiceLinkedRoleDeletionStatus": get_service_linked_role_deletion_status,
    "ListRoles": list_roles,
}


def writes(judge: Judge) -> Writes:
    """The operations that change roles; ``judge`` knows which principals there are by now."""
    return {
        "CreateRole": partial(create_role, judge),
        "CreateServiceLinkedRole": create_service_linked_role,
        "DeleteRole": delete_role,
        "DeleteServiceLinkedRole": delete_service_linked_role,
        "UpdateAssumeRolePolicy": partial(update_assume_role_policy, judge),
        "UpdateRole": update_role,
        "UpdateRoleDescription": update_role_description,
    }
