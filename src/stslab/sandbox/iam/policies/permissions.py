"""Inline and attached policies of users, groups and roles: one table, three kinds of holders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import faults, lookups, paging, shapes
from stslab.sandbox.iam.identities.roles import refuse_service_linked
from stslab.sandbox.iam.policies import documents
from stslab.sandbox.saved.account import World

Answer = Mapping[str, Any]
Handler = Callable[[World, ApiRequest], Answer]
_ATTACHED = 10


@dataclass(frozen=True, slots=True)
class Holder:
    """A kind of entity that policies are put in or attached to.

    ``inline_size`` is the quota, in characters without white space, of all inline policies.
    """

    word: str
    find: Callable[[Any, str], Any]
    inline_size: int

    @property
    def title(self) -> str:
        """The word as it is part of operations' and parameters' names."""
        return self.word.title()

    def of(self, world: World, request: ApiRequest) -> tuple[Any, Any]:
        """Moto's backend and the entity that the request names."""
        iam = lookups.backend(world, request)
        return iam, self.find(iam, request.params[f"{self.title}Name"])

    def to_change(self, world: World, request: ApiRequest) -> tuple[Any, Any]:
        """Like :meth:`of`; a service-linked role is refused."""
        iam, holder = self.of(world, request)
        if self.word == "role":
            refuse_service_linked(holder)
        return iam, holder


HOLDERS = (
    Holder("user", lookups.user, 2048),
    Holder("group", lookups.group, 5120),
    Holder("role", lookups.role, 10240),
)


def _put(kind: Holder) -> Handler:
    def put(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.to_change(world, request)
        name = request.params["PolicyName"]
        text = documents.identity(request.params["PolicyDocument"])
        others = [kept for other, kept in holder.policies.items() if other != name]
        if documents.total([*others, text]) > kind.inline_size:
            raise faults.limit_exceeded(
                f"Maximum policy size of {kind.inline_size} bytes exceeded for {kind.word} "
                f"{holder.name}"
            )
        holder.policies[name] = text
        return {}

    return put


def _get(kind: Holder) -> Handler:
    def get(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.of(world, request)
        name = request.params["PolicyName"]
        text = _existing(kind, holder, name)
        return {
            f"{kind.title}Name": holder.name,
            "PolicyName": name,
            "PolicyDocument": shapes.document(text),
        }

    return get


def _delete(kind: Holder) -> Handler:
    def delete(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.to_change(world, request)
        _existing(kind, holder, request.params["PolicyName"])
        del holder.policies[request.params["PolicyName"]]
        return {}

    return delete


def _list(kind: Holder) -> Handler:
    def listed(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.of(world, request)
        return paging.page("PolicyNames", sorted(holder.policies), request.params)

    return listed


def _attach(kind: Holder) -> Handler:
    def attach(world: World, request: ApiRequest) -> Answer:
        iam, holder = kind.to_change(world, request)
        policy = lookups.attachable(iam, request.params["PolicyArn"])
        if policy.arn not in holder.managed_policies:
            there_are = len(holder.managed_policies)
            faults.check_quota(f"PoliciesPer{kind.title}", _ATTACHED, there_are)
            policy.attach_to(holder)
        return {}

    return attach


def _detach(kind: Holder) -> Handler:
    def detach(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.to_change(world, request)
        arn = lookups.checked_arn(request.params["PolicyArn"])
        policy = holder.managed_policies.get(arn)
        if policy is None:
            raise faults.no_such(f"Policy {arn} was not found.")
        policy.detach_from(holder)
        return {}

    return detach


def _list_attached(kind: Holder) -> Handler:
    def listed(world: World, request: ApiRequest) -> Answer:
        _, holder = kind.of(world, request)
        policies = holder.managed_policies.values()
        found = shapes.under_path(policies, request.params.get("PathPrefix"))
        shown = [shapes.attached(policy) for policy in found]
        return paging.page("AttachedPolicies", shown, request.params)

    return listed


def _existing(kind: Holder, holder: Any, name: str) -> str:
    text = holder.policies.get(name)
    if text is None:
        raise faults.no_such(f"The {kind.word} policy with name {name} cannot be found.")
    return str(text)


def _handlers() -> dict[str, Handler]:
    table: dict[str, Handler] = {}
    for kind in HOLDERS:
        plural = f"List{kind.title}Policies"
        table |= {
            f"Put{kind.title}Policy": _put(kind),
            f"Get{kind.title}Policy": _get(kind),
            f"Delete{kind.title}Policy": _delete(kind),
            plural: _list(kind),
            f"Attach{kind.title}Policy": _attach(kind),
            f"Detach{kind.title}Policy": _detach(kind),
            f"ListAttached{kind.title}Policies": _list_attached(kind),
        }
    return table


HANDLERS = _handlers()
