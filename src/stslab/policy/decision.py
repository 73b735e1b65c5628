"""What each policy says of a request, the decision in AWS's words, and which gates refused.

A gate is what can refuse: the request's signature, or one type of policy. A refused request
names each gate that refused by itself, so that whoever fixes only the others is still refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from stslab.policy.documents.document import NamedPolicy
from stslab.policy.documents.statement import Level, Mismatch, Statement
from stslab.policy.request import Arn, Context, Request
from stslab.vocabulary import Gate, Outcome, PolicyKind

# Looked up here once: these are read for every statement of every request.
_ALLOWED: Final = Outcome.ALLOWED
_DENIED: Final = Outcome.EXPLICITLY_DENIED
_NOT_ALLOWED: Final = Outcome.IMPLICITLY_DENIED
_UNNAMED: Final = Level.NONE
_NAMED: Final = Level.DIRECT
_OTHER_PRINCIPAL: Final = Mismatch.PRINCIPAL


class Question(NamedTuple):
    """A request with what is looked up in it again and again."""

    request: Request
    action: str  # in lower case
    context: Context
    arn: Arn | None  # the resource's, or None where it is ``*``
    bounded: bool  # the principal has a permissions boundary


@dataclass(slots=True, eq=False)
class Reading:
    """What one policy said: of its statements about the action, which element did not apply."""

    policy: NamedPolicy
    mismatches: dict[int, Mismatch]  # by the statement's index; of all others it is the action
    denies: bool
    level: Level  # how closely the closest matching Allow names the principal

    def mismatch(self, statement: Statement) -> Mismatch:
        return self.mismatches.get(statement.index, Mismatch.ACTION)


def read(policy: NamedPolicy, question: Question) -> Reading:
    """Put the request to each statement of a policy that is about its action."""
    request, action, context, _, _ = question
    mismatches = {}
    denies = False
    closest = _UNNAMED
    for statement in policy.document.about(action):
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
    """How closely the statement names who asks; one without a Principal is about its holder.

    A Deny with NotPrincipal denies whoever has a permissions boundary, whatever it names
    ("Permissions boundaries for IAM entities").
    """
    principal = statement.principal
    if principal is None:
        return _NAMED
    if question.bounded and principal.negated and not statement.allows:
        return Level.EVERYONE
    return principal.level(question.request.principal)


@dataclass(slots=True, eq=False)
class Layer:
    """What all policies of one type (at one level of an organization) said together."""

    kind: PolicyKind
    readings: Sequence[Reading]
    outcome: Outcome
    level: int = 0  # of an organization from 1, the root; 0 elsewhere
    blocks: bool = False  # the request is refused because of this layer, perhaps among others
    note: str = ""  # what is particular

    @property
    def allows(self) -> bool:
        return self.outcome is _ALLOWED

    @property
    def denies(self) -> bool:
        return self.outcome is _DENIED

    @property
    def closest(self) -> Level:
        closest = _UNNAMED
        for reading in self.readings:
            closest = max(closest, reading.level)
        return closest


def layer(kind: PolicyKind, readings: Sequence[Reading], level: int = 0) -> Layer:
    """Sum up readings: a Deny wins, else any Allow allows."""
    outcome = _NOT_ALLOWED
    for reading in readings:
        if reading.denies:
            outcome = _DENIED
            break
        if reading.level:
            outcome = _ALLOWED
    return Layer(kind, readings, outcome, level)


GATES: Final = {kind: Gate[kind.name] for kind in PolicyKind}
"""The gate that each kind of policy is."""

_ARTICLES: Final = {PolicyKind.IDENTITY: "an", PolicyKind.TRUST: "the"}


def with_article(kind: PolicyKind) -> str:
    """``an identity-based policy``, ``the role trust policy``, ``a session policy``."""
    return f"{_ARTICLES.get(kind, 'a')} {kind}"


@dataclass(slots=True, eq=False)
class Decision:
    """What IAM decides of a request, and why."""

    outcome: Outcome
    reason: str  # one sentence in AWS's words
    layers: Sequence[Layer]  # what each type said, in the order in which they are considered
    question: Question = field(repr=False)

    @property
    def request(self) -> Request:
        return self.question.request

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOWED

    @property
    def message(self) -> str:
        """AWS's message for a denial; empty for an allowed request."""
        if self.allowed:
            return ""
        request = self.request
        named = request.resource != "*" or request.action.lower().startswith("iam:")
        resource = f" on resource: {request.resource}" if named else ""
        explicit = self.outcome is Outcome.EXPLICITLY_DENIED
        because = self.reason if explicit else f"because {self.reason}"
        return (
            f"User: {request.principal.arn} is not authorized to perform: "
            f"{request.action}{resource} {because}"
        )

    def as_dict(self) -> dict[str, Any]:
        """``{"decision", "reason", "layers": [...]}``; docs/policy.md has its shape."""
        return {
            "decision": self.outcome,
            "reason": self.reason,
            "layers": [_layer(layer, self.question) for layer in self.layers],
        }


def _layer(layer: Layer, question: Question) -> dict[str, object]:
    told: dict[str, object] = {"layer": layer.kind}
    if layer.level:
        told["level"] = layer.level
    told["decision"], told["blocks"] = layer.outcome, layer.blocks
    if layer.note:
        told["note"] = layer.note
    told["policies"] = [
        {
            "policy": reading.policy.name,
            "statements": [
                _statement(one, reading.mismatches.get(one.index, Mismatch.ACTION), question)
                for one in reading.policy.document.statements
            ],
        }
        for reading in layer.readings
    ]
    return told


def _statement(statement: Statement, mismatch: Mismatch, question: Question) -> dict[str, object]:
    told = {"statement": statement.label, "effect": statement.effect, "matches": not mismatch}
    if mismatch:
        told["mismatch"] = _MISMATCHES[mismatch](statement, question)
    return told


def _resource(statement: Statement, question: Question) -> dict[str, object]:
    element = statement.resource
    if element is None:
        return {}
    wanted = element.shown(question.context.single) if element.variables else element.patterns
    return {"element": element.name, "wanted": wanted, "found": question.request.resource}


def _named(statement: Statement, name: str, found: str) -> dict[str, object]:
    return {"element": name, "wanted": statement.source[name], "found": found}


_MISMATCHES: Final[Mapping[Mismatch, Callable[[Statement, Question], dict[str, object]]]] = {
    Mismatch.ACTION: lambda of, asked: _named(of, of.action.name, asked.request.action),
    Mismatch.RESOURCE: _resource,
    Mismatch.PRINCIPAL: lambda of, asked: _named(
        of, of.principal.name if of.principal else "", asked.request.principal.arn
    ),
    Mismatch.CONDITION: lambda of, asked: {
        "element": "Condition",
        "conditions": [condition.explain(asked.context) for condition in of.conditions],
    },
}


class Refusal(NamedTuple):
    """The gates that refused, in their order, and the condition keys because of which."""

    gates: tuple[Gate, ...]
    keys: tuple[str, ...]


def refusal(decision: Decision) -> Refusal:
    """Which gates refused. None where the request is allowed, or a rule of the service refused.

    A gate refused if a Deny in it matched, or if an Allow that it alone had to give is missing.
    Where in one account the identity's policy or the resource's would do and neither allows,
    that is the identity policy. A trust policy that names the caller itself and whose condition
    does not hold refuses alone: were it fulfilled, no other policy would have to allow.
    """
    refusing = [layer for layer in decision.layers if layer.blocks and not decision.allowed]
    gates = {GATES[layer.kind] for layer in refusing}
    keys = dict.fromkeys(key for layer in refusing for key in _keys(layer, decision.question))
    return Refusal(tuple(gate for gate in Gate if gate in gates), tuple(keys))


def _keys(layer: Layer, question: Question) -> Iterator[str]:
    """The condition keys of the Denies that matched, or else of the Allows that did not."""
    for statement, mismatch in (
        (reading.policy.document.statements[index], mismatch)
        for reading in layer.readings
        for index, mismatch in reading.mismatches.items()
    ):
        if layer.denies:
            if mismatch is Mismatch.NONE and not statement.allows:
                yield from (condition.key for condition in statement.conditions)
        elif mismatch is Mismatch.CONDITION and statement.allows and level_of(statement, question):
            failing = (one for one in statement.conditions if not one.holds(question.context))
            yield from (condition.key for condition in failing)
