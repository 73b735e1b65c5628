"""Makes a logged decision again: as it was, and as it would be after a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stslab.errors import PolicyError
from stslab.policy import (
    Decision,
    NamedPolicy,
    Policies,
    PolicyKind,
    Principal,
    Request,
    authorize,
    parse,
)
from stslab.policy.cases import read_principal
from stslab.sandbox.iam import aws_policies
from stslab.sandbox.pipeline.log_file import Decided
from stslab.structures import listed
from stslab.vocabulary import LATEST

Document = Mapping[str, Any]
Statement = Document
_LIMITS = {PolicyKind.BOUNDARY: "boundaries", PolicyKind.SESSION: "session"}


class Situation(msgspec.Struct, frozen=True):
    """A request, and all policies that apply to it."""

    request: Request
    policies: Policies

    @classmethod
    def of(cls, logged: Decided) -> Situation | None:
        """The situation of a logged decision.

        None if the log does not have enough of it to come to the same decision.
        """
        if "policies" not in logged:
            return None
        try:
            situation = cls(_request(logged), _policies(logged))
        except PolicyError:
            return None
        return situation if situation.decide().outcome == logged["decision"] else None

    def decide(self) -> Decision:
        return authorize(self.request, self.policies)

    def document(self, kind: PolicyKind, name: str) -> Document | None:
        return next((one.document.document for one in self._all(kind) if one.name == name), None)

    def asked_with(self, context: Mapping[str, str]) -> Situation:
        """The situation with these values of condition keys in the request."""
        gone = {key.lower() for key in context}
        kept = {
            key: value for key, value in self.request.context.items() if key.lower() not in gone
        }
        return Situation(self.request._replace(context=kept | dict(context)), self.policies)

    def with_policy(self, kind: PolicyKind, name: str, document: Document) -> Situation:
        """The situation with this document as the named policy, which is added if it is new."""
        new = NamedPolicy(name, parse(dict(document), kind))
        before = self._all(kind)
        known = any(one.name == name for one in before)
        after = [new if one.name == name else one for one in before] + ([] if known else [new])
        return Situation(self.request, self._holding(kind, after))

    def without_policy(self, kind: PolicyKind, name: str) -> Situation:
        kept = [one for one in self._all(kind) if one.name != name]
        return Situation(self.request, self._holding(kind, kept))

    def _all(self, kind: PolicyKind) -> Sequence[NamedPolicy]:
        policies = self.policies
        if kind in (PolicyKind.TRUST, PolicyKind.RESOURCE):
            return () if policies.resource is None else (policies.resource,)
        return getattr(policies, _LIMITS.get(kind, "identity")) or ()

    def _holding(self, kind: PolicyKind, held: Sequence[NamedPolicy]) -> Policies:
        if kind in (PolicyKind.TRUST, PolicyKind.RESOURCE):
            return self.policies._replace(resource=held[0] if held else None)
        if kind is PolicyKind.BOUNDARY:
            return self.policies._replace(boundaries=tuple(held))
        if kind is PolicyKind.SESSION:
            return self.policies._replace(session=tuple(held))
        return self.policies._replace(identity=tuple(held))


def added_to(document: Document | None, statement: Statement) -> Document:
    """The policy document with one more statement; a new document if there is none."""
    if document is None:
        return {"Version": LATEST, "Statement": [dict(statement)]}
    return {**document, "Statement": [*statements_of(document), dict(statement)]}


def statements_of(document: Document) -> list[Statement]:
    """The document's statements, also if a single one is not in a list."""
    return listed(document["Statement"])


def _request(logged: Decided) -> Request:
    context, action, arn = logged["context"], logged["action"], logged["principal"]
    user_id, own = str(context.get("aws:userid", "")), str(context.get("aws:PrincipalArn", ""))
    if ":assumed-role/" in arn:
        principal = Principal.from_arn(arn, user_id=user_id, issuer=own)
    else:
        federated = action.lower().startswith("sts:assumerolewith")
        principal = read_principal(arn, federated, False, user_id)
    owner = context.get("aws:ResourceAccount")
    owner = principal.account if owner == aws_policies.ACCOUNT else owner
    return Request(principal, action, logged["resource"], context, owner)


def _policies(logged: Decided) -> Policies:
    kinds = {layer["layer"] for layer in logged["layers"]}
    held: dict[str, list[NamedPolicy]] = {}
    for one in logged["policies"]:
        kind = PolicyKind(one["layer"])
        named = NamedPolicy(one["policy"], parse(one["document"], kind))
        held.setdefault(kind, []).append(named)

    def limit(kind: PolicyKind) -> tuple[NamedPolicy, ...] | None:
        return tuple(held.get(kind, ())) if kind in kinds else None

    resource = held.get(PolicyKind.TRUST) or held.get(PolicyKind.RESOURCE)
    return Policies(
        identity=tuple(held.get(PolicyKind.IDENTITY, ())),
        resource=resource[0] if resource else None,
        boundaries=limit(PolicyKind.BOUNDARY),
        session=limit(PolicyKind.SESSION),
    )
