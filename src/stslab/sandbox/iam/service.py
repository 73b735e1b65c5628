"""The whole Identity and Access Management service, as two tables of operations.

An operation's handler is the function of its name in one of these modules: ``create_user`` for
CreateUser. One that gets a ``tx`` writes, one that gets a ``view`` reads. Operations that are the
same for several kinds of things are in a module's own tables, ``READS`` and ``WRITES``.
"""

from collections.abc import Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import cast

import msgspec
from msgspec.structs import replace

from stslab.policy import NamedPolicy, PolicyKind, catalogue, parse
from stslab.sandbox.api.model import (
    ApiRequest,
    Judge,
    Keys,
    Need,
    Needs,
    Params,
    Read,
    Reads,
    Write,
    Writes,
    pass_role,
    request_tags,
    resource_tags,
)
from stslab.sandbox.iam import (
    account,
    credentials,
    lookups,
    mfa,
    policies,
    providers,
    roles,
    simulation,
    tagging,
    users,
)
from stslab.sandbox.state.identities import AccessKey, Group, MfaDevice, OidcProvider, Role, User
from stslab.sandbox.state.snapshot import Named, View
from stslab.vocabulary import LATEST

_MODULES = (account, credentials, mfa, policies, providers, roles, simulation, tagging, users)
_SPELLED = {"id": "ID", "mfa": "MFA", "saml": "SAML"}


class IamService:
    """IAM. ``judge`` knows which of the principals in trust policies there are by now."""

    def __init__(self, judge: Judge) -> None:
        reads: dict[str, Read] = {}
        writes: dict[str, Write] = {}
        for module in _MODULES:
            reads |= getattr(module, "READS", {}) | _named(module, "view")
            writes |= getattr(module, "WRITES", {}) | _named(module, "tx")
        for name, handler in _named(module=roles, first="judge").items():
            writes[name] = partial(handler, judge)
        self.reads: Reads = reads
        self.writes: Writes = writes
        self.needs = of


def _named(module: ModuleType, first: str) -> dict[str, FunctionType]:
    """The handlers in a module whose first parameter has this name, by their operations."""
    return {
        "".join(_SPELLED.get(word, word.title()) for word in name.split("_")): found
        for name, found in vars(module).items()
        if isinstance(found, FunctionType)
        and found.__module__ == module.__name__
        and found.__code__.co_varnames[:1] in ((first,), (f"_{first}",))
        and "request" in found.__code__.co_varnames[: found.__code__.co_argcount]
        and not name.startswith("_")
    }


# -- what each request needs -------------------------------------------------------------------
# IAM's actions are named as its operations; which types of resources each has is in the
# Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and
# Access Management".

_INSTANCES = "ec2.amazonaws.com"
Entity = Named | OidcProvider | MfaDevice


class Target(msgspec.Struct, frozen=True):
    """The resource of a request: its ARN, how IAM's messages call it, and what is there."""

    arn: str
    shown: str | None = None
    entity: Entity | None = None


def of(view: View, request: ApiRequest) -> Needs:
    """The action on what the request names, and what some operations need beside it.

    What is made with tags is tagged, what is renamed is needed by both names, and a role that goes
    into an instance profile is passed to EC2.
    """
    target = _target(view, request)
    action = f"iam:{request.operation}"
    context = {**_there(target.entity), **_asked(request.params)}
    need = Need(
        action,
        target.arn,
        {key: value for key, value in context.items() if _has(action, key)},
        _of_password_policy(view, request, action),
        resource_account=request.account,
        shown=target.shown,
    )
    return (need, *_further(view, request, target, need))


def _of_password_policy(view: View, request: ApiRequest, action: str) -> NamedPolicy | None:
    """What a password policy permits to each user of the account, unless something denies it.

    IAM User Guide, "Setting an account password policy for IAM users".
    """
    if request.operation not in _OF_OWN_PASSWORD or not request.caller.user_name:
        return None
    found = lookups.account(view, request.account).password_policy
    if found is None or not found.may_change:
        return None
    permitted = {
        "Effect": "Allow",
        "Principal": {"AWS": request.caller.principal.arn},
        "Action": action,
        "Resource": "*",
    }
    policy = parse({"Version": LATEST, "Statement": permitted}, PolicyKind.RESOURCE)
    return NamedPolicy("password policy", policy)


def _has(action: str, key: str) -> bool:
    """Whether an action has a key; all have those of tags, whose names are the account's own."""
    return "/" in key or key.startswith("aws:") or key.lower() in catalogue.condition_keys(action)


def _further(view: View, request: ApiRequest, target: Target, need: Need) -> Needs:
    if request.operation.startswith("Create") and request.params.get("Tags"):
        made = request.operation.removeprefix("Create").removeprefix("Virtual")
        tags = request_tags(_tags(request.params))
        return (replace(need, action=f"iam:Tag{made}", context=tags),)
    if request.operation in _RENAMES:  # the ARN that it is to have: IAM API Reference, "UpdateUser"
        kind, old, new = _RENAMES[request.operation]
        before = target.entity.path if isinstance(target.entity, User | Group) else "/"
        path = request.params.get("NewPath") or before
        name = request.params.get(new) or request.params[old]
        renamed = f"arn:aws:iam::{request.account}:{kind}{path}{name}"
        return () if renamed == need.resource else (replace(need, resource=renamed, shown=None),)
    if request.operation == "AddRoleToInstanceProfile":
        role = lookups.find(view, Role, request.account, request.params["RoleName"])
        return () if role is None else (pass_role(view, role.account, role.arn, _INSTANCES),)
    return ()


def _target(view: View, request: ApiRequest) -> Target:
    prefix = f"arn:aws:iam::{request.account}"
    if request.operation in _LISTS:
        kind = _LISTS[request.operation]
        path = request.params.get("PathPrefix", "/")
        shown = f"policy path {path}" if kind == "policy" else None
        return Target(f"{prefix}:{kind}{path}", shown)
    if pointed := request.params.get("PolicySourceArn"):
        return Target(pointed, None, _with_arn(view, request.account, pointed))
    if request.operation == "GetAccessKeyLastUsed":  # on the user whose key it is
        key = view.get(AccessKey, request.account, request.params["AccessKeyId"])
        user = None if key is None else view.get(User, key.account, key.user)
        return Target("*", "*") if user is None else Target(user.arn, f"user {user.name}", user)
    if linked := roles.linked(request):
        return Target(f"{prefix}:role{linked}")
    types = catalogue.resource_types(f"iam:{request.operation}")
    for type_name, (record, row) in _TYPES.items():
        given = map(request.params.get, (row.parameter, row.called))
        names = [str(name) for name in given if name]
        if type_name in types and names:
            entity = cast("Entity | None", lookups.find(view, record, request.account, names[0]))
            return _resolved(request, type_name, entity, names[0])
    return _implied(view, request, types)


def _resolved(request: ApiRequest, kind: str, entity: Entity | None, name: str) -> Target:
    if name.startswith("arn:"):  # messages put the kind before the ARN for policies only
        return Target(name, f"policy {name}" if kind == "policy" else None, entity)
    creating = request.operation in _CREATING
    shown = None if creating else f"{kind.replace('-', ' ')} {name}"
    if entity is not None and not creating:
        return Target(entity.arn, shown, entity)
    path, name = request.params.get("Path") or "/", name.removeprefix("https://").rstrip("/")
    return Target(f"arn:aws:iam::{request.account}:{kind}{path}{name}", shown)


def _with_arn(view: View, account: str, arn: str) -> Entity | None:
    parts = arn.split(":", 5)
    kind, _, name = parts[-1].partition("/")
    known = _TYPES.get(kind)
    if known is None:
        return None
    by = arn if kind == "policy" else name.rsplit("/", 1)[-1]
    found = cast("Entity | None", lookups.find(view, known[0], account, by))
    return found if found is not None and found.arn == arn else None


def _implied(view: View, request: ApiRequest, types: frozenset[str]) -> Target:
    """The caller's own user, where a user may be left out; else everything."""
    caller = request.caller
    if "user" in types and not request.params.get("UserName"):
        user = lookups.find(view, User, request.account, caller.user_name)
        if user is not None and user.unique_id == caller.user_id:
            return Target(user.arn, f"user {user.name}", user)
        return Target(caller.principal.arn)
    return Target("*", "*")


def _asked(params: Params) -> Keys:
    """The keys of what the request passes."""
    keys: Keys = {
        key: params[parameter] for parameter, key in _OF_PARAMETERS.items() if params.get(parameter)
    }
    keys |= request_tags(_tags(params))
    if params.get("TagKeys"):
        keys["aws:TagKeys"] = tuple(params["TagKeys"])
    return keys


def _tags(params: Params) -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in params.get("Tags") or ()}


def _there(entity: Entity | None) -> Keys:
    """The keys of the entity that the request names: its tags and its boundary."""
    if entity is None:
        return {}
    keys = resource_tags(entity.tags, "iam")
    boundary = entity.boundary if isinstance(entity, User | Role) else ""
    return {**keys, "iam:PermissionsBoundary": boundary} if boundary else keys


# A type of resource -> its records, and how requests name one.
_TYPES = {kind.type or record.table: (record, kind) for record, kind in lookups.KINDS.items()}
_LISTS = {kind.listed: name for name, (_, kind) in _TYPES.items() if kind.listed}
_RENAMES = {
    operation: (name, kind.parameter, new)
    for name, (_, kind) in _TYPES.items()
    for operation, new in kind.renamed.items()
}
_OF_OWN_PASSWORD = ("ChangePassword", "GetAccountPasswordPolicy")
_CREATING = frozenset(kind.made for _, kind in _TYPES.values())
# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "PolicyArn": "iam:PolicyARN",
    "PermissionsBoundary": "iam:PermissionsBoundary",
    "AWSServiceName": "iam:AWSServiceName",
}
