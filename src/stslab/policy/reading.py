"""What each policy, and each layer of policies, says of a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from stslab.policy.arn import Arn
from stslab.policy.context import Context, Request
from stslab.policy.documents.document import NamedPolicy
from stslab.policy.documents.matching import Level
from stslab.policy.documents.statement import Mismatch, Statement
from stslab.policy.vocabulary import Outcome, PolicyKind

# Looked up here once: these are read for every statement of every request.
_ALLOWED: Final = Outcome.ALLOWED
_DENIED: Final = Outcome.EXPLICITLY_DENIED
_NOT_ALLOWED: Final = Outcome.IMPLICITLY_DENIED
_UNNAMED: Final = Level.NONE
_NAMED: Final = Level.DIRECT
_OTHER_PRINCIPAL: Final = Mismatch.PRINCIPAL


class Question(NamedTuple):
    """A request with what is looked up in it again and again.

    ``action`` is in lower case; ``arn`` is the resource's, or None where it is ``*``;
    ``bounded``: the principal has a permissions boundary.
    """

    request: Request
    action: str
    context: Context
    arn: Arn | None
    bounded: bool


@dataclass(slots=True, eq=False)
class Reading:
    """What one policy said: of its statements about the action, which element did not apply.

    ``mismatches`` is by the statement's index; of all other statements it is the action.
    ``level`` is how closely the closest matching Allow names the principal.
    """

    policy: NamedPolicy
    mismatches: dict[int, Mismatch]
    denies: bool
    level: Level

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
        return self.outcome is _ALLOWED

    @property
    def denies(self) -> bool:
        return self.outcome is _DENIED

    @property
    def closest(self) -> Level:
        """How closely its Allows name the principal."""
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
