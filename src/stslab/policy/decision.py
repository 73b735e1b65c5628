"""The Decision: what each policy said, the reason in AWS's words, and the gates that refused."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from stslab.policy.documents.document import NamedPolicy
from stslab.policy.documents.statement import Level, Mismatch, Statement
from stslab.policy.request import Arn, Context, Request
from stslab.vocabulary import Gate, Outcome, PolicyKind

# Globals, since they are read for every statement of every request.
_ALLOWED, _NOT_ALLOWED = Outcome.ALLOWED, Outcome.IMPLICITLY_DENIED
_DENIED = Outcome.EXPLICITLY_DENIED
_UNNAMED, _NAMED = Level.NONE, Level.DIRECT
_OTHER_ACTION, _OTHER_PRINCIPAL = Mismatch.ACTION, Mismatch.PRINCIPAL


class Question(msgspec.Struct, frozen=True):
    """A request, with what is looked up in it often."""

    request: Request
    action: str  # in lower case
    context: Context
    arn: Arn | None  # the resource's; None for ``*``
    bounded: bool  # the principal has a permissions boundary


class Reading(msgspec.Struct, eq=False):
    """The result of one policy: which element of its statements did not match the request."""

    policy: NamedPolicy
    mismatches: dict[int, Mismatch]  # by the statement's index; others don't match the action
    denies: bool
    level: Level  # how closely the closest matching Allow names the principal

    def mismatch(self, statement: Statement) -> Mismatch:
        return self.mismatches.get(statement.index, _OTHER_ACTION)


def read(policy: NamedPolicy, question: Question) -> Reading:
    request, context = question.request, question.context
    mismatches = {}
    denies = False
    closest = _UNNAMED
    for statement in policy.document.about(question.action):
        mismatch = statement.mismatch(request, context)
        if not mismatch:
            level = level_of(statement, question)
            if level is _UNNAMED:
                mismatch = _OTHER_PRINCIPAL
            elif not statement.allows:
                denies = True
            elif level > closest:
                closest = level
        mismatches[statement.index] = mismatch
    return Reading(policy, mismatches, denies, closest)


def level_of(statement: Statement, question: Question) -> Level:
    """How closely the statement names the caller; without a Principal it always applies."""
    principal = statement.principal
    if principal is None:
        return _NAMED
    if question.bounded and principal.negated and not statement.allows:
        return Level.EVERYONE  # "Permissions boundaries for IAM entities"
    return principal.level(question.request.principal)


class Layer(msgspec.Struct, eq=False):
    """The result of all policies of one type (at one level of an organization)."""

    kind: PolicyKind
    readings: Sequence[Reading]
    outcome: Outcome
    level: int = 0  # of an organization, from 1 for its root; 0 elsewhere
    blocks: bool = False  # this layer refuses the request, perhaps among others
    note: str = ""  # an exception that applied, as a sentence

    @property
    def allows(self) -> bool:
        return self.outcome is _ALLOWED

    @property
    def denies(self) -> bool:
        return self.outcome is _DENIED

    @property
    def closest(self) -> Level:
        return max((reading.level for reading in self.readings), default=_UNNAMED)

    def statements(
        self, mismatch: Mismatch, *, allows: bool
    ) -> Iterator[tuple[NamedPolicy, Statement]]:
        """The Allows or the Denies with this result, each with its policy."""
        for reading in self.readings:
            for each in reading.policy.document.statements:
                if each.allows is allows and reading.mismatch(each) is mismatch:
                    yield reading.policy, each


def layer(
    kind: PolicyKind, policies: Iterable[NamedPolicy], question: Question, level: int = 0
) -> Layer:
    """Read the policies and combine the results: a Deny wins, else any Allow allows."""
    readings = [read(policy, question) for policy in policies]
    outcome = _NOT_ALLOWED
    for reading in readings:
        if reading.denies:
            outcome = _DENIED
            break
        if reading.level:
            outcome = _ALLOWED
    return Layer(kind, readings, outcome, level)


GATES: Final = {kind: Gate[kind.name] for kind in PolicyKind}  # the gate for each kind of policy

_POLICY_ARN: Final = re.compile(r"arn:aws:iam::(?:\d{12}|aws):policy/\S+")
WITH_ARTICLE: Final = {
    **{kind: f"a {kind}" for kind in PolicyKind},
    PolicyKind.IDENTITY: "an identity-based policy",
    PolicyKind.TRUST: "the role trust policy",
}


class Decision(msgspec.Struct, eq=False):
    """IAM's decision about a request, with its reasons."""

    outcome: Outcome
    reason: str  # one sentence in AWS's words
    layers: Sequence[Layer]  # in the order of evaluation
    question: Question

    @property
    def request(self) -> Request:
        return self.question.request

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED

    @property
    def message(self) -> str:
        """AWS's message for a denial; empty for an allowed request."""
        if self.allowed or self.reason.endswith("."):
            return "" if self.allowed else self.reason
        request, explicit = self.request, self.outcome is Outcome.EXPLICITLY_DENIED
        because = f"{self.reason}{self._policy()}" if explicit else f"because {self.reason}"
        return (
            f"User: {request.principal.arn} is not authorized to perform: "
            f"{request.action}{self.on_resource} {because}"
        )

    @property
    def on_resource(self) -> str:
        """The resource as messages name it, S3's in quotation marks; empty without one."""
        resource, service = self.request.resource, self.question.action.partition(":")[0]
        if resource == "*" and service != "iam":
            return ""
        return f' on resource: "{resource}"' if service == "s3" else f" on resource: {resource}"

    def _policy(self) -> str:
        """The ARN of the policy that has the Deny, which AWS tells within one account only."""
        # AWS Security Blog, "Enhanced access denied error messages with policy ARNs"
        readings = (one for layer in self.layers if layer.denies for one in layer.readings)
        arn = _POLICY_ARN.search(next(one.policy.name for one in readings if one.denies))
        return f": {arn[0]}" if arn and self.request.owner == self.request.principal.account else ""

    def as_dict(self) -> dict[str, Any]:
        """``{"decision", "reason", "layers": [...]}``; docs/policy.md has its shape."""
        return {
            "decision": self.outcome,
            "reason": self.reason,
            "layers": [_layer(layer, self.question) for layer in self.layers],
        }


def _layer(layer: Layer, question: Question) -> dict[str, object]:
    row: dict[str, object] = {"layer": layer.kind}
    if layer.level:
        row["level"] = layer.level
    row["decision"], row["blocks"] = layer.outcome, layer.blocks
    if layer.note:
        row["note"] = layer.note
    row["policies"] = [
        {
            "policy": reading.policy.name,
            "statements": [
                _statement(one, reading.mismatch(one), question)
                for one in reading.policy.document.statements
            ],
        }
        for reading in layer.readings
    ]
    return row


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, object]:
    row = {"statement": statement.label, "effect": statement.effect, "matches": not mismatch}
    if mismatch:
        row["mismatch"] = _difference(statement, mismatch, question)
        return row
    if conditions := statement.conditions:
        context = question.context
        if lacking := [one for one in conditions if one.found(context) is None]:
            row["lacking"] = [condition.explain(context) for condition in lacking]
    return row


def _difference(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, object]:
    request, name = question.request, statement.action.name
    if mismatch is Mismatch.ACTION:
        return {"element": name, "wanted": statement.source[name], "found": request.action}
    context, found = question.context, request.action
    if mismatch is Mismatch.CONDITION:
        tests = [condition.explain(context) for condition in statement.conditions]
        return {"element": "Condition", "conditions": tests}
    if mismatch is Mismatch.RESOURCE and (element := statement.resource):
        wanted = element.shown(context.get) if element.variables else element.patterns
        return {"element": element.name, "wanted": wanted, "found": request.resource}
    if mismatch is Mismatch.PRINCIPAL and statement.principal:
        name, found = statement.principal.name, request.principal.arn
    return {"element": name, "wanted": statement.source[name], "found": found}


class Refusal(NamedTuple):
    """The gates that refused, in order, and the condition keys that decided it."""

    gates: tuple[Gate, ...]
    keys: tuple[str, ...]


def refusal(decision: Decision) -> Refusal:
    """The gates that refused; empty if the request is allowed or a rule of the service refused.

    A gate refused if a Deny in it matched, or if an Allow that only it can give is missing. If
    within one account either the identity policy or the resource's could allow and neither does,
    the identity policy counts, with the keys of both. A trust policy that names the caller
    itself, but whose condition fails, refuses alone: with the condition met, no other policy would
    have to allow.
    """
    refusing = [layer for layer in decision.layers if layer.blocks and not decision.allowed]
    gates = {GATES[layer.kind] for layer in refusing}
    if Gate.IDENTITY in gates and not any(layer.denies for layer in refusing):
        resources = (layer for layer in decision.layers if layer.kind is PolicyKind.RESOURCE)
        refusing += [layer for layer in resources if not layer.allows]
    keys = dict.fromkeys(key for layer in refusing for key in _keys(layer, decision.question))
    return Refusal(tuple(gate for gate in Gate if gate in gates), tuple(keys))


def _keys(layer: Layer, question: Question) -> Iterator[str]:
    """The keys of the Denies that matched; without a Deny, the failing keys of the Allows."""
    if layer.denies:
        for _, statement in layer.statements(Mismatch.NONE, allows=False):
            yield from (condition.key for condition in statement.conditions)
        return
    for _, statement in layer.statements(Mismatch.CONDITION, allows=True):
        if level_of(statement, question):
            failing = (one for one in statement.conditions if not one.holds(question.context))
            yield from (condition.key for condition in failing)
