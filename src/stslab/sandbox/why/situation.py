"""A logged decision, made again: as it was, and as it would be if something were changed."""

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
from stslab.sandbox.pipeline.log_file import Decided
from stslab.structures import listed
from stslab.vocabulary import LATEST

Document = Mapping[str, Any]
Statement = Document
_LIMITS = {PolicyKind.BOUNDARY: "boundaries", PolicyKind.SESSION: "session"}


class Situation(msgspec.Struct, frozen=True):
    """A request, and all policies that were gathered for it."""

    request: Request
    policies: Policies

    @classmethod
    def of(cls, said: Decided) -> Situation | None:
        """The situation of a logged decision; None where the log does not hold enough of it.

        What is returned leads to the decision that was logged.
        """
        if "policies" not in said:
            return None
        try:
            found = cls(_request(said), _policies(said))
        except PolicyError:
            return None
        return found if found.decide().outcome == said["decision"] else None

    def decide(self) -> Decision:
        return authorize(self.request, self.policies)

    def document(self, kind: PolicyKind, name: str) -> Document | None:
        return next((one.document.document for one in self._all(kind) if one.name == name), None)

    def asked_with(self, context: Mapping[str, str]) -> Situation:
        """The same, if the request had these values of condition keys."""
        gone = {key.lower() for key in context}
        kept = {
            key: value for key, value in self.request.context.items() if key.lower() not in gone
        }
        return Situation(self.request._replace(context=kept | dict(context)), self.policies)

    def with_policy(self, kind: PolicyKind, name: str, document: Document) -> Situation:
        """The same, if the policy of this name said this; it is added where there is none."""
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
    """The policy document with one statement more; a new one where there was none."""
    if document is None:
        return {"Version": LATEST, "Statement": [dict(statement)]}
    return {**document, "Statement": [*statements_of(document), dict(statement)]}


def statements_of(document: Document) -> list[Statement]:
    """The document's statements: one alone may stand without a list."""
    return listed(document["Statement"])


def _request(said: Decided) -> Request:
    context, action, arn = said["context"], said["action"], said["principal"]
    user_id, own = str(context.get("aws:userid", "")), str(context.get("aws:PrincipalArn", ""))
    if ":assumed-role/" in arn:
        principal = Principal.from_arn(arn, user_id=user_id, issuer=own)
    else:
        federated = action.lower().startswith("sts:assumerolewith")
        principal = read_principal(arn, federated, False, user_id)
    return Request(principal, action, said["resource"], context, context.get("aws:ResourceAccount"))


def _policies(said: Decided) -> Policies:
    kinds = {layer["layer"] for layer in said["layers"]}
    held: dict[str, list[NamedPolicy]] = {}
    for one in said["policies"]:
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
