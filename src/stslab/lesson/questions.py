"""What a learner is asked before a check: answers that could each be true, and which one is."""

from collections.abc import Mapping

import msgspec

from stslab.lab.model import Check, LabFile
from stslab.lesson.evidence import statements_of
from stslab.lesson.ports import GateReading, Verdict
from stslab.lesson.verdict import UNBELIEVED
from stslab.vocabulary import Gate

MOST_ANSWERS = 4
UNSURE, DONT_KNOW = 0, "I don't know"  # The digit and the words of who leaves it open

_PARTIES: Mapping[Gate, str] = {
    Gate.SCP: "the organization's policy for the account",
    Gate.RCP: "the organization's policy for the resource",
    Gate.RESOURCE: "the policy of {what}",
    Gate.TRUST: "the role's trust policy",
    Gate.IDENTITY: "a policy of {who}",
    Gate.BOUNDARY: "the permissions boundary of {who}",
    Gate.SESSION: "the session policy of {who}",
}
_LET_IN = (Gate.RESOURCE, Gate.TRUST)
_GIVE = (*_LET_IN, Gate.IDENTITY, Gate.SESSION)
"""What one could take for a permission; the others only take away, as everybody knows."""
_PLAINLY = {"GetCallerIdentity": "asks who it is"}
"""What needs no permission, and what it comes to: no row of the access table is about it."""
_AS_ONE_LIKES = ("RoleSessionName", "DurationSeconds", "Body")
"""What a session is called, how long it lasts, what an object holds: no policy asks."""
Gates = frozenset[Gate] | None
"""What refuses: no gate where the call is allowed, None where a rule of the service does."""


class Answer(msgspec.Struct, frozen=True):
    """One answer: its digit, its words, and what would refuse."""

    digit: int
    text: str
    gates: Gates


class Question(msgspec.Struct, frozen=True):
    """The answers, and the digit of the one that is right. ``whose``: it is about who calls."""

    answers: tuple[Answer, ...]
    right: int
    whose: bool = False

    def answer(self, digit: int) -> Answer | None:
        """The answer with this digit; None for *I don't know*."""
        return next((one for one in self.answers if one.digit == digit), None)


def question(
    verdict: Verdict, who: str, what: str, *, check: Check | None = None, lab: LabFile | None = None
) -> Question | None:
    """The question about a request; None where the account can't tell what it will answer.

    ``who`` makes the call, ``what`` is what the resource is called. Each gate that has a say in
    such a request could refuse it; so could two of them, which is an answer where it is true
    or where there is room for it. What refuses elsewhere in the ``lab`` could do so here.
    """
    if verdict.allowed is None:
        return None
    rules = [one for one in _predicted(lab) if one.fails and not one.by]
    doubted = any(UNBELIEVED.intersection(one.fails) for one in rules)
    refusing = frozenset(verdict.by)
    ruled = bool(check and verdict.allowed and verdict.fault in check.fails)
    right: Gates = None if ruled else refusing
    asked = [one.gate for one in verdict.gates] or [
        *(gate for gate in Gate if gate in refusing and gate is not Gate.SIGNATURE)
    ]
    asked = asked or [Gate.IDENTITY]  # no gate is asked; one could think so
    kinds: list[Gates] = [frozenset(), *({frozenset({gate}): 0 for gate in asked})]
    if len(refusing) > 1:
        kinds.append(refusing)
    elif len(asked) == 2:  # noqa: PLR2004 - both of two gates
        kinds.append(frozenset(asked))
    if doubted or Gate.SIGNATURE in refusing:
        kinds.insert(1, frozenset({Gate.SIGNATURE}))
    if any(check and one.call == check.call and not UNBELIEVED & {*one.fails} for one in rules):
        kinds.append(None)
    if check and lab and asked == [Gate.IDENTITY] and _was_let_in(check, lab):
        kinds.insert(1, frozenset({Gate.TRUST}))
    kinds = _few(kinds, right, verdict)
    free = verdict.allowed or (check is not None and check.operation in _PLAINLY)
    answers = tuple(
        Answer(digit, _text(gates, verdict, who, what, free=free), gates)
        for digit, gates in enumerate(kinds, 1)
    )
    return Question(answers, next(one.digit for one in answers if one.gates == right))


def whose(callers: Mapping[str, Verdict], who: str, what: str) -> Question:
    """The question who of these calls, where it is ``who``; each with what would come of it."""
    answers = []
    for digit, (one, met) in enumerate(callers.items(), 1):
        text = _text(frozenset(met.by), met, one, what, free=True)
        answers.append(Answer(digit, f"It is {one}. {text}", frozenset(met.by)))
    return Question(tuple(answers), 1 + [*callers].index(who), whose=True)


def _predicted(lab: LabFile | None) -> list[Check]:
    """The checks of a lab that the learner predicts."""
    stages = lab.stages if lab else ()
    return [one for stage in stages for one in stage.checkpoint if one.ask is not None]


def _was_let_in(check: Check, lab: LabFile) -> bool:
    """Whether a role's session calls, in a lab where a trust policy refuses too."""
    steps = [step for stage in lab.stages for step in stage.steps]
    roles = [one.profile for one in steps if one.call.startswith("sts.AssumeRole")]
    refuses = any(Gate.TRUST in one.by for one in _predicted(lab))
    return refuses and any(one and one.name == check.identity for one in roles)


def _few(kinds: list[Gates], right: Gates, verdict: Verdict) -> list[Gates]:
    """At most four of them: with the right one, and what does not allow rather than what does."""
    silent = [frozenset({one.gate}) for one in verdict.gates if one.says != "allows"]
    unlikely = [one for one in kinds[1:] if one not in silent]
    best = [right, frozenset[Gate](), frozenset({Gate.SIGNATURE}), None, *silent, *unlikely]
    kept = [one for one in dict.fromkeys(best) if one in kinds][:MOST_ANSWERS]
    return [one for one in kinds if one in kept]


def refused(gate: Gate, who: str, what: str, *, denies: bool = False) -> str:
    """That a gate refuses, in words; ``what`` has a policy of its own. ``denies``: by a Deny."""
    if gate is Gate.SIGNATURE:
        return "Denied: AWS does not accept the credentials"
    party = _PARTIES[gate].format(who=who, what=what)
    if denies:
        return f"Denied: {party} denies it"
    if gate is Gate.IDENTITY:
        return f"Denied: no policy of {who} allows it"
    return f"Denied: {party} does not {f'let {who} in' if gate in _LET_IN else 'allow it'}"


def _text(gates: Gates, verdict: Verdict, who: str, what: str, *, free: bool) -> str:
    if gates is None:
        return "Denied: whatever the policies say, the request breaks a rule of AWS"
    if not gates:
        gives = [one.gate for one in verdict.gates if one.gate in _GIVE]
        if len(gives) > 1:  # which of them allow would tell the answer
            return "Allowed: these policies are enough"
        for gate in gives:
            does = f"lets {who} in" if gate in _LET_IN else "allows it"
            return f"Allowed: {_PARTIES[gate].format(who=who, what=what)} {does}"
        return f"Allowed: {'it needs no permission' if free else f'a policy of {who} allows it'}"
    denying = {one.gate for one in verdict.gates if _denies(one, verdict)}
    each = [refused(gate, who, what, denies=gate in denying) for gate in Gate if gate in gates]
    first, *others = each
    return ", and ".join([first, *(one.removeprefix("Denied: ") for one in others)])


def _denies(reading: GateReading, verdict: Verdict) -> bool:
    """Whether a gate would refuse by a Deny: it has one, and lacks no Allow."""
    policies = [verdict.documents.get(one["policy"]) for one in reading.policies]
    return reading.says == "denies" or (
        reading.says == "allows"
        and any(one["Effect"] == "Deny" for each in policies for one in statements_of(each))
    )


def asked(lab: LabFile, check: Check) -> str:
    """What the check tries, in words that do not give the answer away."""
    if caller(check) != check.identity:
        return "Somebody with this token wants to assume the role"
    said = lab.profiles.get(check.identity)
    wants = f"{check.identity} wants to"
    if said and said.environment:
        names = f"AWS_PROFILE={said.profile}" if said.profile else f"--profile {said.option}"
        wants = f"With the keys of {said.environment}, and {names}:"
    same = lab.access.get(row(lab, check))
    if same:
        return f"{wants} {same.says}"
    does = _PLAINLY.get(check.operation, f"calls {check.service}:{check.operation}")
    return f"{check.identity} {does}"


def row(lab: LabFile, check: Check) -> str:
    """The row of the access table that is about the check's call; empty where none is."""
    asked = check.call, _named(check.params)
    rows = ((name, (one.call, _named(one.params))) for name, one in lab.access.items())
    return next((name for name, call in rows if call == asked), "")


def _named(params: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in params.items() if name not in _AS_ONE_LIKES}


def caller(check: Check) -> str:
    """What people call who asks: the profile, or the token of a call that nobody signs."""
    return "the token" if check.operation == "AssumeRoleWithWebIdentity" else check.identity


def target(check: Check) -> str:
    """What people call the thing that has a policy of its own: the role, the bucket."""
    return "the role" if check.operation.startswith("AssumeRole") else "the bucket"
