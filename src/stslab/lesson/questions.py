"""What a learner is asked before a check: answers that could each be true, and which one is."""

from collections.abc import Mapping
from dataclasses import dataclass

from stslab.lab.model import Check, LabFile
from stslab.lesson.ports import Verdict
from stslab.policy.vocabulary import Gate

MOST_ANSWERS = 4
UNSURE = 0
"""The digit for: I don't know."""

_LETS: Mapping[Gate, str] = {
    Gate.RESOURCE: "the policy of {what} lets {who} in",
    Gate.TRUST: "the role's trust policy lets {who} in",
    Gate.IDENTITY: "a policy of {who} allows it",
}
_PLAINLY = {"GetCallerIdentity": "asks who it is"}
"""What calls come to that no row of the access table is about."""
_REFUSES: Mapping[Gate, str] = {
    Gate.SIGNATURE: "Denied: AWS does not accept who signed it",
    Gate.SCP: "Denied: the organization's policy for the account does not allow it",
    Gate.RCP: "Denied: the organization's policy for the resource refuses it",
    Gate.RESOURCE: "Denied: the policy of {what} does not let {who} in",
    Gate.TRUST: "Denied: the role's trust policy does not let {who} in",
    Gate.IDENTITY: "Denied: no policy of {who} allows it",
    Gate.BOUNDARY: "Denied: the permissions boundary of {who} does not allow it",
    Gate.SESSION: "Denied: the session policy of {who} does not allow it",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its digit, its words, and the gates that would refuse (none: allowed)."""

    digit: int
    text: str
    gates: frozenset[Gate]


@dataclass(frozen=True, slots=True)
class Question:
    """The answers, and the digit of the one that is right."""

    answers: tuple[Answer, ...]
    right: int

    def answer(self, digit: int) -> Answer | None:
        """The answer with this digit; None for *I don't know*."""
        return next((one for one in self.answers if one.digit == digit), None)


def question(verdict: Verdict, who: str, what: str) -> Question | None:
    """The question about a request; None where the account can't tell what it will answer.

    ``who`` makes the call, ``what`` is what the resource is called. Each gate that has a say in
    such a request could refuse it; so could two of them, which is an answer where it is true
    or where there is room for it.
    """
    if verdict.allowed is None:
        return None
    refusing = frozenset(verdict.by)
    asked = [one.gate for one in verdict.gates] or sorted(refusing, key=list(Gate).index)
    asked = asked or [Gate.IDENTITY]  # no gate is asked; one could think so
    kinds = [frozenset[Gate](), *({frozenset({gate}): 0 for gate in asked})]
    if len(refusing) > 1:
        kinds.append(refusing)
    elif len(asked) == 2:  # noqa: PLR2004 - both of two gates
        kinds.append(frozenset(asked))
    kinds = _few(kinds, frozenset() if verdict.allowed else refusing)
    answers = tuple(
        Answer(digit, _text(gates, verdict, who, what), gates)
        for digit, gates in enumerate(kinds, 1)
    )
    right = frozenset() if verdict.allowed else refusing
    return Question(answers, next(one.digit for one in answers if one.gates == right))


def _few(kinds: list[frozenset[Gate]], right: frozenset[Gate]) -> list[frozenset[Gate]]:
    """At most four of them, with the right one."""
    kept = kinds[:MOST_ANSWERS]
    if right not in kept:
        kept = [*kinds[: MOST_ANSWERS - 1], right]
    return kept


def refused(gate: Gate, who: str, what: str) -> str:
    """That a gate refuses, in words; ``what`` has a policy of its own."""
    return _REFUSES[gate].format(who=who, what=what)


def _text(gates: frozenset[Gate], verdict: Verdict, who: str, what: str) -> str:
    if not gates:
        asked = [one for one in verdict.gates if one.gate in _LETS]
        asked = [one for one in asked if one.says == "allows"] or asked
        lets = [_LETS[one.gate].format(who=who, what=what) for one in asked]
        return f"Allowed: {', and '.join(lets) or 'it needs no permission'}"
    each = [refused(gate, who, what) for gate in Gate if gate in gates]
    first, *others = each
    return ", and ".join([first, *(one.removeprefix("Denied: ") for one in others)])


def asked(lab: LabFile, check: Check) -> str:
    """What the check tries, in words that do not give the answer away."""
    for cell in lab.access.values():
        if cell.call == check.call and _named(cell.params) == _named(check.params):
            return f"{check.identity} wants to {cell.says}"
    does = _PLAINLY.get(check.operation, f"calls {check.service}:{check.operation}")
    return f"{check.identity} {does}"


def _named(params: Mapping[str, object]) -> dict[str, object]:
    """The parameters that decide; a session is called as one likes."""
    return {name: value for name, value in params.items() if name != "RoleSessionName"}


def target(check: Check) -> str:
    """What people call the thing that has a policy of its own: the role, the bucket."""
    return "the role" if check.operation.startswith("AssumeRole") else "the bucket"
