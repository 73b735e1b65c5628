"""Operations on managed policies, inline policies, attachments and permissions boundaries."""

import json
from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from stslab.policy import PolicyKind
from stslab.policy.documents.document import size
from stslab.policy.documents.grammar import SYNTAX
from stslab.sandbox.api import faults, pages, policies
from stslab.sandbox.api.model import Answer, ApiFault, ApiRequest, Reads, Writes, tag_list
from stslab.sandbox.api.policies import uses_of
from stslab.sandbox.iam import answers, aws_policies, entities, lookups
from stslab.sandbox.state import identities
from stslab.sandbox.state.identities import Group, Identity, ManagedPolicy, Role, User
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.vocabulary import LATEST


def _document(text: str) -> str:
    lookups.check_quota("PolicySize", size(text))
    try:
        policies.checked(text, PolicyKind.IDENTITY)
    except ApiFault as fault:
        if fault.message == SYNTAX or json.loads(text).get("Version") == LATEST:
            raise
    if json.loads(text).get("Version") != LATEST:  # inline may be older
        raise faults.malformed_policy(f"Policy document must be version {LATEST} or greater.")
    return text


def create_policy(tx: Transaction, request: ApiRequest) -> Answer:
    params, now, tags = request.params, request.now, entities.given(request)
    text = _document(params["PolicyDocument"])
    policy = lookups.put_new(
        tx,
        request,
        ManagedPolicy,
        params["PolicyName"],
        description=params.get("Description", ""),
        tags=tags,
        versions=(identities.PolicyVersion(version_id="v1", document=text, created=now),),
    )
    return {"Policy": {**answers.policy(policy), "Tags": tag_list(tags) or None}}


def get_policy(view: View, request: ApiRequest) -> Answer:
    policy = lookups.named(view, ManagedPolicy, request)
    shown = answers.policy(policy, uses_of(view, request.account))
    more = {"Description": policy.description or None, "Tags": answers.tags(policy.tags)}
    return {"Policy": {**shown, **more}}


def list_policies(view: View, request: ApiRequest) -> Answer:
    """The customer's (Local), then AWS's, oldest first. PolicyUsageFilter needs OnlyAttached."""
    params, uses = request.params, uses_of(view, request.account)
    scope, usage = params.get("Scope", "All"), params.get("PolicyUsageFilter")
    policies = [*view.all(ManagedPolicy, request.account)] if scope != "AWS" else []
    policies += aws_policies.all() if scope != "Local" else []
    if params.get("OnlyAttached"):
        attached = uses[0] if usage != "PermissionsBoundary" else {}
        bounding = uses[1] if usage != "PermissionsPolicy" else {}
        policies = [one for one in policies if one.arn in attached or one.arn in bounding]
    listed = answers.below(policies, params.get("PathPrefix"))
    return pages.page(request, "Policies", listed, partial(answers.policy, uses=uses), _place)


def _place(policy: ManagedPolicy) -> str:
    return f"{policy.created if policy.account == aws_policies.OWNER else ''} {policy.key}"


def delete_policy(tx: Transaction, request: ApiRequest) -> None:
    policy = lookups.named(tx, ManagedPolicy, request)
    if any(policy.arn in used for used in uses_of(tx, request.account)):
        raise faults.in_use("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise lookups.fault("several versions")
    tx.delete(policy)


def create_policy_version(tx: Transaction, request: ApiRequest) -> Answer:
    policy, params = lookups.named(tx, ManagedPolicy, request), request.params
    text = _document(params["PolicyDocument"])
    most = lookups.QUOTAS["VersionsPerPolicy"]
    if len(policy.versions) >= most:
        raise lookups.fault("too many versions", most=most)
    newest = policy.newest + 1
    version = identities.PolicyVersion(version_id=f"v{newest}", document=text, created=request.now)
    versions = (*policy.versions, version)
    default = version.version_id if params.get("SetAsDefault") else policy.default
    policy = replace(policy, versions=versions, newest=newest, default=default)
    tx.put(policy)
    return {"PolicyVersion": answers.policy_version(policy, version, with_document=False)}


def get_policy_version(view: View, request: ApiRequest) -> Answer:
    policy, version = _version(view, request)
    return {"PolicyVersion": answers.policy_version(policy, version, with_document=True)}


def list_policy_versions(view: View, request: ApiRequest) -> Answer:
    policy = lookups.named(view, ManagedPolicy, request)
    show = partial(answers.policy_version, policy, with_document=False)
    place = "{0.version_id:>9}".format
    return pages.page(request, "Versions", policy.versions, show, place, descending=True)


def set_default_policy_version(tx: Transaction, request: ApiRequest) -> None:
    policy, version = _version(tx, request)
    tx.put(replace(policy, default=version.version_id))


def delete_policy_version(tx: Transaction, request: ApiRequest) -> None:
    policy, deleted = _version(tx, request)
    if deleted.version_id == policy.default:
        raise faults.in_use("Cannot delete the default version of a policy.")
    kept = tuple(version for version in policy.versions if version is not deleted)
    tx.put(replace(policy, versions=kept))


def _version(view: View, request: ApiRequest) -> tuple[ManagedPolicy, identities.PolicyVersion]:
    wanted, arn = request.params["VersionId"], _arn(view, request)
    policy = lookups.find(view, ManagedPolicy, request.account, arn)
    for version in policy.versions if policy else ():
        if policy and version.version_id == wanted:
            return policy, version
    raise faults.no_such(f"Policy {arn} version {wanted} does not exist or is not attachable.")


def _arn(view: View, request: ApiRequest) -> str:
    """The ARN of a managed policy in the request, as the policy has it, if it exists."""
    return lookups.own_arn(view, request, lookups.checked_arn(request.params["PolicyArn"]))


def _existing(view: View, request: ApiRequest) -> str:
    """Like :func:`_arn`. Raises NoSuchEntity if there is no such policy."""
    arn = _arn(view, request)
    if lookups.find(view, ManagedPolicy, request.account, arn) is None:
        raise faults.no_such(f"Policy {arn} does not exist or is not attachable.")
    return arn


def list_entities_for_policy(view: View, request: ApiRequest) -> Answer:
    params, arn = request.params, _existing(view, request)
    usage = params.get("PolicyUsageFilter")

    def has(entity: User | Group | Role) -> bool:
        attached = usage != "PermissionsBoundary" and arn in entity.attached
        return attached or (usage != "PermissionsPolicy" and entity.boundary == arn)

    def shown(entity: User | Group | Role) -> tuple[str, Mapping[str, str]]:
        word = entity.table.title()
        return f"Policy{word}s", {f"{word}Name": entity.name, f"{word}Id": entity.unique_id}

    holders = (
        filter(has, answers.below(view.all(kind, request.account), params.get("PathPrefix")))
        for kind in _HOLDERS
        if params.get("EntityFilter") in (None, kind.table.title())
    )
    members = ("PolicyUsers", "PolicyGroups", "PolicyRoles")
    return pages.page_of_all(request, holders, shown, members)


# -- inline and attached policies, and boundaries, of users, groups and roles ---------------------

Holder = type[User | Group | Role]
_BOUNDED: tuple[type[User | Role], ...] = (User, Role)
_HOLDERS: tuple[Holder, ...] = (User, Group, Role)


def _put(kind: Holder, tx: Transaction, request: ApiRequest) -> None:
    holder = lookups.changeable(tx, kind, request)
    name = _stored_name(holder, request)
    text = policies.checked(request.params["PolicyDocument"], PolicyKind.IDENTITY)
    inline = {**holder.inline, name: text}
    most = lookups.QUOTAS[f"{kind.table.title()}PolicySize"]  # of all, without white space
    if sum(map(size, inline.values())) > most:
        raise lookups.fault("inline size", most=most, kind=kind.table, name=holder.name)
    tx.put(replace(holder, inline=inline))


def _get(kind: Holder, view: View, request: ApiRequest) -> Answer:
    holder = lookups.named(view, kind, request)
    return {
        f"{kind.table.title()}Name": holder.name,
        "PolicyName": request.params["PolicyName"],
        "PolicyDocument": answers.document(holder.inline[_inline(holder, request)]),
    }


def _delete(kind: Holder, tx: Transaction, request: ApiRequest) -> None:
    holder = lookups.changeable(tx, kind, request)
    deleted = _inline(holder, request)
    kept = {name: text for name, text in holder.inline.items() if name != deleted}
    tx.put(replace(holder, inline=kept))


def _stored_name(holder: Identity, request: ApiRequest) -> str:
    """The name of an inline policy as it is stored, if it exists: names ignore case."""
    name: str = request.params["PolicyName"]
    return next((stored for stored in holder.inline if stored.lower() == name.lower()), name)


def _inline(holder: Identity, request: ApiRequest) -> str:
    name = _stored_name(holder, request)
    if name not in holder.inline:
        raise faults.no_such(f"The {holder.table} policy with name {name} cannot be found.")
    return name


def _list(kind: Holder, view: View, request: ApiRequest) -> Answer:
    return pages.page(request, "PolicyNames", lookups.named(view, kind, request).inline, str, str)


def _attach(kind: Holder, tx: Transaction, request: ApiRequest) -> None:
    holder = lookups.changeable(tx, kind, request)
    arn = _existing(tx, request)
    if arn not in holder.attached:
        lookups.refuse_reserved(request, arn)
        name = f"PoliciesPer{kind.table.title()}"
        lookups.check_quota(f"Attached{name}", len(holder.attached) + 1, called=name)
        tx.put(replace(holder, attached=(*holder.attached, arn)))


def _detach(kind: Holder, tx: Transaction, request: ApiRequest) -> None:
    holder = lookups.changeable(tx, kind, request)
    detached = _arn(tx, request)
    if detached not in holder.attached:
        raise faults.no_such(f"Policy {detached} was not found.")
    tx.put(replace(holder, attached=lookups.without(holder.attached, detached)))


def _list_attached(kind: Holder, view: View, request: ApiRequest) -> Answer:
    attached = answers.managed(view, lookups.named(view, kind, request))
    listed = answers.below(attached, request.params.get("PathPrefix"))
    by_name = "{0.key} {0.account}".format  # a customer's and AWS's can have the same name
    return pages.page(request, "AttachedPolicies", listed, answers.attached, by_name)


def _put_boundary(kind: type[User | Role], tx: Transaction, request: ApiRequest) -> None:
    tx.put(replace(lookups.changeable(tx, kind, request), boundary=lookups.boundary(tx, request)))


def _delete_boundary(kind: type[User | Role], tx: Transaction, request: ApiRequest) -> None:
    holder = lookups.changeable(tx, kind, request)
    if not holder.boundary:
        raise faults.no_such(f"No permissions boundary is set for {kind.table} {holder.name}.")
    tx.put(replace(holder, boundary=""))


_OF_EACH = {"Get{}Policy": _get, "List{}Policies": _list, "ListAttached{}Policies": _list_attached}
READS: Reads = {
    name.format(kind.table.title()): partial(read, kind)
    for kind in _HOLDERS
    for name, read in _OF_EACH.items()
}
_VERBS = {"Put": _put, "Delete": _delete, "Attach": _attach, "Detach": _detach}
WRITES: Writes = {
    f"{verb}{kind.table.title()}Policy": partial(write, kind)
    for kind in _HOLDERS
    for verb, write in _VERBS.items()
} | {
    f"{verb}{kind.table.title()}PermissionsBoundary": partial(write, kind)
    for kind in _BOUNDED
    for verb, write in (("Put", _put_boundary), ("Delete", _delete_boundary))
}
