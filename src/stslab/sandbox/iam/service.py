"""The IAM service: its tables of handlers, and the permissions that each request needs."""

import re
from typing import cast

import msgspec
from msgspec.structs import replace

from stslab.policy import NamedPolicy, PolicyKind, catalogue, parse
from stslab.sandbox.api import faults, model
from stslab.sandbox.api.model import ApiRequest, Keys, Need, Needs, request_tags, resource_tags
from stslab.sandbox.iam import (
    account,
    aws_policies,
    entities,
    lookups,
    mfa,
    policies,
    providers,
    roles,
    simulation,
    users,
)
from stslab.sandbox.iam.lookups import Entity
from stslab.sandbox.state.identities import AccessKey, Role, User
from stslab.sandbox.state.snapshot import View
from stslab.structures import beside
from stslab.vocabulary import LATEST

_MODULES = (account, entities, mfa, policies, providers, roles, simulation, users)


class IamService:
    """The IAM service. ``judge`` looks up the principals of trust policies."""

    def __init__(self, judge: model.Judge) -> None:
        self.reads: model.Reads = model.handlers(_MODULES, "view", "request")
        self.writes: model.Writes = model.handlers(_MODULES, "tx", "request", judge=judge)
        self.needs = needs_of


# -- the permissions that each request needs ---------------------------------------------------
# IAM's actions have the names of its operations. Their resource types are in the Service
# Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access
# Management".

_TABLES = beside(__file__, "needs.yaml")


class Target(msgspec.Struct, frozen=True):
    """The resource of a request: its ARN, its name in IAM's messages, and its record, if any."""

    arn: str
    shown: str | None = None
    entity: Entity | None = None


def needs_of(view: View, request: ApiRequest) -> Needs:
    """The operation's action on the resource that the request names, and further actions."""
    for name in sorted(request.params.keys() & _TABLES["lacking"]):
        raise faults.invalid_input(f"The embedded account does not support {name}.")
    target = _target(view, request)
    action = f"iam:{request.operation}"
    keys = _keys(view, request, target.entity)
    need = Need(
        action,
        target.arn,
        {key: value for key, value in keys.items() if catalogue.may_have(key, action)},
        _password_policy(view, request, action),
        resource_account=request.account,
        shown=target.shown,
    )
    return (need, *_further_needs(view, request, need))


def _password_policy(view: View, request: ApiRequest, action: str) -> NamedPolicy | None:
    """What it allows users: IAM User Guide, "Setting an account password policy for IAM users"."""
    applies = request.operation in _TABLES["own password"] and request.caller.user_name
    rules = lookups.account(view, request.account).password_policy if applies else None
    if rules is None or not rules.may_change:
        return None
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": request.caller.user_id},  # an ARN may have a * in its path
        "Action": action,
        "Resource": "*",
    }
    policy = parse({"Version": LATEST, "Statement": statement}, PolicyKind.RESOURCE)
    return NamedPolicy("password policy", policy)


def _further_needs(view: View, request: ApiRequest, need: Need) -> Needs:
    if request.operation.startswith("Create") and request.params.get("Tags"):
        kind = request.operation.removeprefix("Create").removeprefix("Virtual")
        tags = {key: one for key, one in need.context.items() if key != "iam:PermissionsBoundary"}
        return (replace(need, action=f"iam:Tag{kind}", context=tags),)
    if new := _RENAMES.get(request.operation):  # also the new ARN: IAM API Reference, "UpdateUser"
        start, _, rest = need.resource.partition("/")
        path, slash, name = f"/{rest}".rpartition("/")
        path, name = request.params.get("NewPath", path + slash), request.params.get(new, name)
        renamed = f"{start}{path}{name}"
        return () if renamed == need.resource else (replace(need, resource=renamed, shown=None),)
    if request.operation == "AddRoleToInstanceProfile":
        role = lookups.find(view, Role, request.account, request.params["RoleName"])
        if role is not None:
            instances = f"arn:aws:ec2:*:{role.account}:instance/*"
            need = model.pass_role(view, role.account, role.arn, "ec2.amazonaws.com", instances)
            return (need,)
    return ()


def _target(view: View, request: ApiRequest) -> Target:
    prefix = f"arn:aws:iam::{request.account}"
    if request.operation in _LISTS:
        kind = _LISTS[request.operation]
        path = request.params.get("PathPrefix", "/*" if kind.endswith("-provider") else "/")
        return Target(f"{prefix}:{kind}{path}", f"policy path {path}" if kind == "policy" else None)
    if source := request.params.get("PolicySourceArn"):
        holder = simulation.entity_of(view, request.account, source)
        return Target(holder.arn if holder else source, None, holder)
    if request.operation == "GetAccessKeyLastUsed":  # the resource is the user that has the key
        key = view.get(AccessKey, request.account, request.params["AccessKeyId"])
        user = None if key is None else view.get(User, key.account, key.user)
        return Target("*", "*") if user is None else Target(user.arn, f"user {user.name}", user)
    if linked := roles.linked_path(request):
        return Target(f"{prefix}:role{linked}")
    types = catalogue.resource_types(f"iam:{request.operation}")
    for type_name, (record, row) in _TYPES.items():
        names = [str(name) for name in map(request.params.get, (row.parameter, row.called)) if name]
        if type_name in types and names:
            entity = cast("Entity | None", lookups.find(view, record, request.account, names[0]))
            return _named_target(request, type_name, entity, names[0])
    return _default_target(view, request, types)


def _named_target(request: ApiRequest, kind: str, entity: Entity | None, name: str) -> Target:
    if name.startswith("arn:"):  # messages put the type before an ARN for policies only
        name = entity.arn if entity else name
        own = re.sub("^arn:[^:]*", "arn:aws", name)  # another partition's is refused by its handler
        return Target(own, f"policy {name}" if kind == "policy" else None, entity)
    creating = request.operation in _CREATING
    shown = None if creating and kind != "policy" else f"{kind.replace('-', ' ')} {name}"
    if entity is not None and not creating:
        return Target(entity.arn, shown, entity)
    path = request.params.get("Path") or "/"
    name = re.sub("^https://([^/]*?)(:443)?(?=/|$)", r"\1", name)  # a provider's URL
    return Target(f"arn:aws:iam::{request.account}:{kind}{path}{name}", shown)


def _default_target(view: View, request: ApiRequest, types: frozenset[str]) -> Target:
    """The caller, if the request may leave out the user's name; all users; else ``*``."""
    caller = request.caller
    if request.params.get("AllUsers"):
        return Target(f"arn:aws:iam::{request.account}:user/*")
    if "user" not in types:
        return Target("*", "*")
    user = lookups.find(view, User, request.account, caller.user_name)
    own = user if user is not None and user.unique_id == caller.user_id else None
    null = "null" if request.operation in _TABLES["own keys"] else ""  # AWS's text begins so
    shown = f"user {null}{caller.principal.arn.rpartition('/')[2]}"
    return Target(caller.principal.arn, shown, own)


def _keys(view: View, request: ApiRequest, entity: Entity | None) -> Keys:
    """The condition keys whose values the request has, and the resource, even if it is new."""
    params, new = request.params, request.operation in _CREATING
    tags = model.tags_in(params.get("Tags")) if new else entity.tags if entity else {}
    named = catalogue.resource_types(f"iam:{request.operation}") & {"user", "role"}
    keys = resource_tags(tags, *(["iam"] if named else []))
    if entity is not None and entity.account == aws_policies.OWNER:
        keys["aws:ResourceAccount"] = aws_policies.ACCOUNT
    if isinstance(entity, User | Role) and entity.boundary:
        keys["iam:PermissionsBoundary"] = entity.boundary
    for name, key in _TABLES["keys"].items():
        if params.get(name):
            keys[key] = lookups.own_arn(view, request, params[name])
    return keys | request_tags(params)


# Resource type -> the class of its records, and how requests name one.
_TYPES = {kind.type or record.table: (record, kind) for record, kind in lookups.KINDS.items()}
_LISTS = {kind.listed: name for name, (_, kind) in _TYPES.items() if kind.listed}
_LISTS["ListServerCertificates"] = "server-certificate"
_RENAMES = {
    operation: new for _, kind in _TYPES.values() for operation, new in kind.renamed.items()
}
_CREATING = frozenset(kind.made for _, kind in _TYPES.values())
