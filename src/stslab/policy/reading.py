"""What each policy, and each layer of policies, says of a request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stslab.policy.context import Context, Request
from stslab.policy.document import NamedPolicy
from stslab.policy.matching import Level
from stslab.policy.statement import Mismatch, Statement
from stslab.policy.vocabulary import Outcome, PolicyKind


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what is looked up in it again and again.

    ``bounded``: the principal has a permissions boundary.
    """

    request: Request
    action: str
    context: Context
    bounded: bool = False


@dataclass(slots=True)
class Reading:
    """What one policy said: for each statement, which element did not apply."""

    policy: NamedPolicy
    mismatches: list[Mismatch]
    denies: bool
    level: Level
    """How closely the closest matching Allow names the principal; NONE where none matches."""


def read(policy: NamedPolicy, question: Question) -> Reading:
    """Put the request to each statement of a policy that names no principals."""
    request, action, context = question.request, question.action, question.context
    mismatches = []
    denies = False
    level = Level.NONE
    for statement in policy.document.statements:
        mismatch = statement.mismatch(request, action, context)
        mismatches.append(mismatch)
        if mismatch:
            continue
        if statement.allows:
            level = Level.DIRECT
        else:
            denies = True
    return Reading(policy, mismatches, denies, level)


def read_naming(policy: NamedPolicy, question: Question) -> Reading:
    """Put the request to each statement of a policy that names principals."""
    mismatches = []
    denies = False
    closest = Level.NONE
    for statement in policy.document.statements:
        mismatch = statement.mismatch(question.request, question.action, question.context)
        if not mismatch:
            level = _level(statement, question)
            if level is Level.NONE:
                mismatch = Mismatch.PRINCIPAL
            elif not statement.allows:
                denies = True
            elif level > closest:
                closest = level
        mismatches.append(mismatch)
    return Reading(policy, mismatches, denies, closest)


def _level(statement: Statement, question: Question) -> Level:
    """A Deny with NotPrincipal denies whoever has a permissions boundary.

    "Permissions boundaries for IAM entities": it always does, whatever NotPrincipal names.
    """
    principal = statement.principal
    if question.bounded and principal and principal.negated and not statement.allows:
        return Level.EVERYONE
    return statement.level(question.request)


@dataclass(slots=True)
class Layer:
    """What all policies of one type (at one level of an organization) said together.

    ``level`` counts levels of an organization from 1, the root; 0 elsewhere. ``blocks``: the
    request is refused because of this layer, perhaps among others. ``note`` says what is
    particular.
    """

    kind: PolicyKind
    readings: Sequence[Reading]
    outcome: Outcome
    level: int = 0
    blocks: bool = False
    note: str = ""

    @property
    def allows(self) -> bool:
        """Whether the layer allows, and does not deny."""
        return self.outcome is Outcome.ALLOWED

    @property
    def denies(self) -> bool:
        """Whether a statement denies."""
        return self.outcome is Outcome.EXPLICITLY_DENIED

    @property
    def closest(self) -> Level:
        """How closely its Allows name the principal."""
        return max((reading.level for reading in self.readings), default=Level.NONE)

    def as_dict(self, question: Question) -> dict[str, Any]:
        """The layer for programs; the README's page on the policy engine has its shape."""
        found: dict[str, Any] = {"layer": self.kind.value}
        if self.level:
            found["level"] = self.level
        found["decision"] = self.outcome.value
        found["blocks"] = self.blocks
        if self.note:
            found["note"] = self.note
        found["policies"] = [_reading_as_dict(each, question) for each in self.readings]
        return found


def layer(kind: PolicyKind, readings: Iterable[Reading], level: int = 0, note: str = "") -> Layer:
    """Sum up readings: a Deny wins, else any Allow allows."""
    readings = list(readings)
    outcome = Outcome.IMPLICITLY_DENIED
    for reading in readings:
        if reading.denies:
            outcome = Outcome.EXPLICITLY_DENIED
            break
        if reading.level:
            outcome = Outcome.ALLOWED
    return Layer(kind, readings, outcome, level, note=note)


def _reading_as_dict(reading: Reading, question: Question) -> dict[str, Any]:
    return {
        "policy": reading.policy.name,
        "statements": [
            _statement_as_dict(statement, mismatch, question)
            for statement, mismatch in zip(
                reading.policy.document.statements, reading.mismatches, strict=True
            )
        ],
    }


def _statement_as_dict(
    statement: Statement, mismatch: Mismatch, question: Question
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "statement": statement.label,
        "effect": statement.effect,
        "matches": not mismatch,
    }
    if mismatch:
        found["mismatch"] = _MISMATCHES[mismatch](statement, question)
    return found


def _action_mismatch(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.action
    return {
        "element": element.name,
        "wanted": list(element.patterns),
        "found": question.request.action,
    }


def _resource_mismatch(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.resource
    globs = element.globs if element else ()
    return {
        "element": element.name if element else "Resource",
        "wanted": [each.shown(question.context.single) for each in globs],
        "found": question.request.resource,
    }


def _principal_mismatch(statement: Statement, question: Question) -> dict[str, Any]:
    element = statement.principal
    return {
        "element": element.name if element else "Principal",
        "wanted": element.types if element else None,
        "found": question.request.principal.arn,
    }


def _condition_mismatch(statement: Statement, question: Question) -> dict[str, Any]:
    conditions = [each.explain(question.context) for each in statement.conditions]
    return {"element": "Condition", "conditions": conditions}


_MISMATCHES: Final = {
    Mismatch.ACTION: _action_mismatch,
    Mismatch.RESOURCE: _resource_mismatch,
    Mismatch.PRINCIPAL: _principal_mismatch,
    Mismatch.CONDITION: _condition_mismatch,
}
