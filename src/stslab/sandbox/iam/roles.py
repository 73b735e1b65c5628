"""Operations on IAM roles, service-linked roles and instance profiles."""

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from stslab.policy import PolicyKind, parse
from stslab.policy.documents.document import size
from stslab.policy.documents.statement import Statement
from stslab.sandbox.api import faults, identifiers, pages, policies
from stslab.sandbox.api.model import Answer, ApiRequest, Judge, Params
from stslab.sandbox.iam import answers, entities, lookups
from stslab.sandbox.state.identities import InstanceProfile, Role
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.structures import beside
from stslab.vocabulary import LATEST

_SERVICE = re.compile(r"(?:[a-z0-9-]+\.)+amazonaws\.com")
_TASK = re.compile(r"task/aws-service-role/[\w.-]+/[\w+=,.@-]+/[0-9a-f-]{36}")
_BY_APPLICATION = ("accounts.google.com", "www.amazon.com", "graph.facebook.com")
_LONGEST_NAME = 64  # IAM User Guide, "IAM and AWS STS quotas"
_GITHUB, _GITHUB_CLAIMS = "token.actions.githubusercontent.com", ("sub", "job_workflow_ref")
_table = partial(beside, __file__, "roles.yaml")


def create_role(judge: Judge, tx: Transaction, request: ApiRequest) -> Answer:
    """The principals in the trust policy must exist."""
    params, trust = request.params, request.params["AssumeRolePolicyDocument"]
    role = lookups.put_new(
        tx,
        request,
        Role,
        params["RoleName"],
        trust=_trust(judge, tx, trust),
        boundary=lookups.boundary(tx, request),
        description=params.get("Description", ""),
        tags=entities.given(request),
        max_session=params.get("MaxSessionDuration", 3600),
    )
    return {"Role": answers.new_role(role, trust)}


def _trust(judge: Judge, view: View, text: str) -> str:
    """The trust policy, checked, as it is stored: with unique ids as principals."""
    lookups.check_quota("AssumeRolePolicySize", size(text), called="ACLSizePerRole")
    policies.checked(text, PolicyKind.TRUST)
    _check_shared(text)
    kept = json.dumps(policies.normalized(json.loads(text)), separators=(",", ":"))
    return policies.with_ids(kept, judge.seen(view))


def _check_shared(text: str) -> None:
    """Refuse trust in a provider that many organizations share without a condition on a claim.

    IAM User Guide, "Identity-provider controls for shared OIDC providers", "Create a role for
    OpenID Connect federation"; the details and words are from public records of AWS's answers.
    """
    for statement in parse(text, PolicyKind.TRUST).about("sts:assumerolewithwebidentity"):
        named = (statement.principal and statement.principal.names) or ()
        for name in [name for kind, name in named if kind == "Federated" and statement.allows]:
            host = name.partition(":oidc-provider/")[2] or name
            if host == "cognito-identity.amazonaws.com" and "Condition" not in statement.source:
                raise lookups.fault("trust Cognito")
            github = host.startswith(_GITHUB)
            claims = _GITHUB_CLAIMS if github else _table()["shared"].get(host, ())
            wanted = [f"{host}:{claim}" for claim in claims]
            if not wanted or _is_limited(statement, host, wanted):
                continue
            if host in _BY_APPLICATION:
                raise lookups.fault("trust application", host=host)
            told = name if github else host
            raise lookups.fault("trust shared", name=told, claims=" or ".join(wanted))


def _is_limited(statement: Statement, host: str, wanted: Sequence[str]) -> bool:
    """Whether a condition operator limits one of these keys, and none of them to everything."""
    by_application, github = host in _BY_APPLICATION, host.startswith(_GITHUB)
    operators = ["StringEquals", "StringEqualsIgnoreCase"]
    operators += [] if by_application else ["StringLike"]
    blocks: dict[str, list[str]] = {}
    for test, key, values in statement.tests:
        named = (key if by_application else key.lower()) in wanted
        if test.operator.name in operators and not test.if_exists and named:
            blocks.setdefault(test.written, []).extend(values[:1] if github else values)
    broad = re.compile(r"(?s:\*.*|\s*)" if github else r"\*")
    return any(by_application or not any(map(broad.fullmatch, one)) for one in blocks.values())


def get_role(view: View, request: ApiRequest) -> Answer:
    return {"Role": answers.whole_role(view, lookups.named(view, Role, request), request.now)}


def update_role(tx: Transaction, request: ApiRequest) -> None:
    """Of a service-linked role only the description can be changed."""
    params, role = request.params, lookups.named(tx, Role, request)
    if role.path.startswith(lookups.SERVICE_PATH) and "MaxSessionDuration" in params:
        raise lookups.fault("linked session", role=role.name)
    description = params.get("Description", role.description)
    longest = params.get("MaxSessionDuration", role.max_session)
    tx.put(replace(role, description=description, max_session=longest))


def update_role_description(tx: Transaction, request: ApiRequest) -> Answer:
    role = replace(lookups.named(tx, Role, request), description=request.params["Description"])
    tx.put(role)
    return {"Role": {**answers.plain_role(tx, role), "Description": role.description or None}}


def update_assume_role_policy(judge: Judge, tx: Transaction, request: ApiRequest) -> None:
    role = lookups.changeable(tx, Role, request)
    tx.put(replace(role, trust=_trust(judge, tx, request.params["PolicyDocument"])))


def create_service_linked_role(tx: Transaction, request: ApiRequest) -> Answer:
    params, service = request.params, request.params["AWSServiceName"]
    if not _SERVICE.fullmatch(service):
        raise faults.access_denied(f"{service} is not a valid AWS service name (Service Principal)")
    host = service.removesuffix(".amazonaws.com")
    if params.get("CustomSuffix") and host in _table()["linked"].keys() - _table()["suffixed"]:
        raise faults.invalid_input(f"Custom suffix is not allowed for {service}")
    members = _linked(params)
    if len(name := members["name"]) > _LONGEST_NAME:
        raise faults.invalid_input(f"Role name {name} has more than {_LONGEST_NAME} characters.")
    if tx.get(Role, request.account, name.lower()) is not None:
        raise lookups.fault("linked taken", role=name)
    shown = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}
    role = lookups.put_new(tx, request, Role, **members)
    return {"Role": answers.new_role(role, json.dumps({"Version": LATEST, "Statement": [shown]}))}


def of_a_new_account(account: str, now: datetime) -> Iterator[Role]:
    """The roles that AWS creates with an account (its page on those of AWS Support says so)."""
    for host in ("support", "trustedadvisor"):
        members = _linked({"AWSServiceName": f"{host}.amazonaws.com"})
        id_ = identifiers.unique_id("AROA", account)
        yield Role(account=account, unique_id=id_, created=now, **members)


def linked_path(request: ApiRequest) -> str:
    """The path and name of the service-linked role that a request creates, or had deleted."""
    if "AWSServiceName" in request.params:
        members = _linked(request.params)
        return f"{members['path']}{members['name']}"
    task: str = request.params.get("DeletionTaskId", "")
    return task.removeprefix("task").rpartition("/")[0]


def _linked(params: Params) -> dict[str, Any]:
    """The members of a service-linked role; the name for an unknown service is made up."""
    service = params["AWSServiceName"]
    host = service.removesuffix(".amazonaws.com")
    made_up = "".join(map(str.title, re.split("[.-]", host)))
    known = [*_table()["linked"].get(host, [made_up]), "", ""]
    suffix = f"_{params['CustomSuffix']}" if params.get("CustomSuffix") else ""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    policy = f"arn:aws:iam::aws:policy{lookups.SERVICE_PATH}{known[1]}"
    return {
        "name": f"AWSServiceRoleFor{known[0]}{suffix}",
        "path": f"{lookups.SERVICE_PATH}{service}/",
        "description": params.get("Description", known[2]),
        "trust": json.dumps({"Version": LATEST, "Statement": [trust]}, separators=(",", ":")),
        "attached": (policy,) if known[1] else (),
    }


def delete_service_linked_role(tx: Transaction, request: ApiRequest) -> Answer:
    """The role is deleted at once, since no service in the embedded account uses it."""
    role = lookups.named(tx, Role, request)
    if not role.path.startswith(lookups.SERVICE_PATH):
        raise faults.no_such(f"{role.name} exists but is not a service role.")
    tx.delete(role)
    return {"DeletionTaskId": _task_id(request.account, f"{role.path}{role.name}")}


def _task_id(account: str, name: str) -> str:
    """The id of a role's deletion, which follows from the role, and so is not stored."""
    return f"task{name}/{uuid.uuid5(uuid.NAMESPACE_OID, account + name)}"


def get_service_linked_role_deletion_status(_view: View, request: ApiRequest) -> Answer:
    """Every deletion has succeeded."""
    task = request.params["DeletionTaskId"]
    if not _TASK.fullmatch(task):
        raise faults.invalid_input("Invalid task id")
    if task != _task_id(request.account, linked_path(request)):
        raise faults.no_such("Cannot find deletion status for given id.")
    return {"Status": "SUCCEEDED"}


# -- instance profiles ----------------------------------------------------------------------


def create_instance_profile(tx: Transaction, request: ApiRequest) -> Answer:
    name, tags = request.params["InstanceProfileName"], entities.given(request)
    profile = lookups.put_new(tx, request, InstanceProfile, name, tags=tags)
    shown = {**answers.listed_profile(tx, profile), "Tags": answers.tags(tags) or None}
    return {"InstanceProfile": shown}


def get_instance_profile(view: View, request: ApiRequest) -> Answer:
    profile = lookups.named(view, InstanceProfile, request)
    shown = {**answers.listed_profile(view, profile), "Tags": answers.tags(profile.tags)}
    return {"InstanceProfile": shown}


def list_instance_profiles_for_role(view: View, request: ApiRequest) -> Answer:
    profiles = lookups.profiles_with(view, lookups.named(view, Role, request))
    return pages.page(request, "InstanceProfiles", profiles, partial(answers.listed_profile, view))


def add_role_to_instance_profile(tx: Transaction, request: ApiRequest) -> None:
    profile = lookups.named(tx, InstanceProfile, request)
    role = lookups.changeable(tx, Role, request)
    lookups.check_quota("InstanceSessionsPerInstanceProfile", 2 if profile.role else 1)
    tx.put(replace(profile, role=role.key))


def remove_role_from_instance_profile(tx: Transaction, request: ApiRequest) -> None:
    profile = lookups.named(tx, InstanceProfile, request)
    role = lookups.changeable(tx, Role, request)
    if profile.role != role.key:
        lacking = f"Role {role.name} in Instance Profile {profile.name}"
        raise faults.no_such(f"{lacking} cannot be found.")
    tx.put(replace(profile, role=""))
