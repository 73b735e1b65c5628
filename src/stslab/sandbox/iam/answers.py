"""IAM's answers: the members of users, groups, roles and policies, and lists in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import TypeVar
from urllib.parse import quote

from stslab.sandbox.api import pages, policies
from stslab.sandbox.api.model import Answer, ApiRequest, shown, tag_list
from stslab.sandbox.iam import lookups
from stslab.sandbox.state import identities
from stslab.sandbox.state.identities import Identity, InstanceProfile, Role, User
from stslab.sandbox.state.snapshot import Named, View

N = TypeVar("N", bound=Named)


# -- lists ----------------------------------------------------------------------------------


def listed(
    kind: type[N], member: str, show: Callable[[View, N], Answer], view: View, request: ApiRequest
) -> Answer:
    """A page of all things of a kind in the account, below the request's PathPrefix."""
    items = below(view.all(kind, request.account), request.params.get("PathPrefix"))
    return pages.page(request, member, items, partial(show, view))


def below(items: Iterable[N], prefix: str | None) -> list[N]:
    """The items whose path begins with ``prefix``."""
    return [item for item in items if item.path.startswith(prefix or "/")]


by_name = partial(sorted, key=attrgetter("key"))


# -- single things ---------------------------------------------------------------------------


def document(text: str) -> str:
    """A policy document as IAM's answers have it: URL-encoded (RFC 3986)."""
    return quote(text, safe="")


def tags(of: Mapping[str, str]) -> list[Mapping[str, str]]:
    return tag_list(dict(sorted(of.items())))


def _tagged_and_bounded(record: User | Role) -> Answer:
    arn = record.boundary
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    return {"PermissionsBoundary": boundary if arn else None, "Tags": tags(record.tags) or None}


def whole_user(record: User) -> Answer:
    """A user as in GetUser's answer, with tags and boundary."""
    return shown(record, **_tagged_and_bounded(record))


def plain_role(view: View, record: Role) -> Answer:
    """A role as in an instance profile."""
    return shown(record, AssumeRolePolicyDocument=document(policies.with_arns(record.trust, view)))


def new_role(record: Role, trust: str) -> Answer:
    """A role as in CreateRole's answer, with its trust policy as it was put."""
    return shown(record, AssumeRolePolicyDocument=document(trust), **_tagged_and_bounded(record))


def role(view: View, record: Role) -> Answer:
    return {
        **plain_role(view, record),
        "Description": record.description or None,
        "MaxSessionDuration": record.max_session,
    }


def whole_role(view: View, record: Role, now: datetime) -> Answer:
    """A role as in GetRole's answer, with tags, boundary and the last use in 400 days."""
    used = record.last_used
    if used and now - used.at > timedelta(days=400):
        used = None
    last = {"LastUsedDate": used.at, "Region": used.region} if used else {}
    return {**role(view, record), **_tagged_and_bounded(record), "RoleLastUsed": last}


def listed_profile(view: View, record: InstanceProfile) -> Answer:
    held = view.get(Role, record.account, record.role)
    return shown(record, Roles=[plain_role(view, held)] if held else [])


def policy(record: identities.ManagedPolicy, uses: policies.Uses = ({}, {})) -> Answer:
    attached, bounding = uses
    return shown(
        record,
        AttachmentCount=attached.get(record.arn, 0),
        PermissionsBoundaryUsageCount=bounding.get(record.arn, 0),
        IsAttachable=True,
        UpdateDate=record.versions[-1].created,
    )


def policy_version(
    of: identities.ManagedPolicy, record: identities.PolicyVersion, *, with_document: bool
) -> Answer:
    return {
        "Document": document(record.document) if with_document else None,
        "VersionId": record.version_id,
        "IsDefaultVersion": record.version_id == of.default,
        "CreateDate": record.created,
    }


def attached(record: identities.ManagedPolicy) -> Answer:
    return {"PolicyName": record.name, "PolicyArn": record.arn}


def managed(view: View, holder: Identity) -> list[identities.ManagedPolicy]:
    find = partial(lookups.find, view, identities.ManagedPolicy, holder.account)
    return by_name(filter(None, map(find, holder.attached)))
