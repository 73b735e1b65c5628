"""The prediction before a check: plausible answers, and which one is right."""

from collections.abc import Mapping

import msgspec

from stslab.lab.model import Cell, Check, LabFile, Stage
from stslab.lesson.evidence import label, statements_of
from stslab.lesson.verdict import UNBELIEVED, GateReading, Verdict
from stslab.structures import without
from stslab.vocabulary import Gate

UNSURE, DONT_KNOW = 0, "I don't know"  # the digit and the text of this answer

_LET_IN = (Gate.RESOURCE, Gate.TRUST)
_GIVE = (*_LET_IN, Gate.IDENTITY, Gate.SESSION)
"""Gates whose policies can grant a permission. The others only limit."""
_PLAINLY = {"GetCallerIdentity": "asks who it is"}
"""Operations that need no permission, in words. The access table has no row for them."""
_AS_ONE_LIKES = ("RoleSessionName", "DurationSeconds", "Body")
"""Parameters that don't matter when a check is matched to a row of the access table."""
Gates = frozenset[Gate] | None
"""The gates that refuse: empty if the call is allowed, None if a rule of the service refuses."""


class Choice(msgspec.Struct, frozen=True):
    digit: int
    text: str
    gates: Gates


class Question(msgspec.Struct, frozen=True):
    """The choices, and the digit of the right one. ``whose``: it asks which identity calls."""

    choices: tuple[Choice, ...]
    right: int
    whose: bool = False

    def choice(self, digit: int) -> Choice | None:
        """The choice with this digit; None for *I don't know*."""
        return next((one for one in self.choices if one.digit == digit), None)


def question(verdict: Verdict, who: str, what: str, check: Check, lab: LabFile) -> Question | None:
    """The question about a check's call; None if the account can't tell its answer in advance.

    The answers: it is allowed; one of the gates refuses it; two do, if that is so or if only two
    decide; what refuses calls elsewhere in the lab. ``what`` names the resource.
    """
    if verdict.allowed is None:
        return None
    right = None if verdict.allowed and verdict.fault in check.fails else frozenset(verdict.by)
    free = verdict.allowed or check.operation in _PLAINLY
    answers = tuple(
        Choice(digit, _text(gates, verdict, who, what, free=free), gates)
        for digit, gates in enumerate(_few(_plausible(verdict, check, lab), right, verdict), 1)
    )
    return Question(answers, next(one.digit for one in answers if one.gates == right))


def _plausible(verdict: Verdict, check: Check, lab: LabFile) -> list[Gates]:
    """The gates of each answer that a learner could think of."""
    refusing = frozenset(verdict.by)
    silent = {reading.gate for reading in verdict.gates if reading.says == "does not allow"}
    gates = [reading.gate for reading in verdict.gates]
    gates = gates or [gate for gate in Gate if gate in refusing and gate is not Gate.SIGNATURE]
    gates = gates or [Gate.IDENTITY]  # no gate decides, but the learner could think so
    kinds: list[Gates] = [frozenset(), *dict.fromkeys(frozenset({gate}) for gate in gates)]
    if len(refusing) > 1:
        kinds.append(refusing)
    elif len(gates) == 2 and not refusing.union(silent).issuperset(gates):  # noqa: PLR2004
        kinds.append(frozenset(gates))  # if neither of the two allowed, this would be true as well
    predicted = [each for each in lab.checks if each.ask is not None]
    rules = [each for each in predicted if each.fails and not each.by]
    doubted = any(UNBELIEVED.intersection(each.fails) for each in rules)
    if doubted or Gate.SIGNATURE in refusing or caller(check) != check.identity:
        kinds.insert(1, frozenset({Gate.SIGNATURE}))
    if any(each.call == check.call and not UNBELIEVED.intersection(each.fails) for each in rules):
        kinds.append(None)
    roles = [step.profile for step in lab.steps if step.call.startswith("sts.AssumeRole")]
    of_role = any(role and role.name == check.identity for role in roles)
    trust_refuses = any(Gate.TRUST in each.by for each in predicted)
    if gates == [Gate.IDENTITY] and of_role and trust_refuses:
        kinds.insert(1, frozenset({Gate.TRUST}))
    return kinds


def whose(callers: Mapping[str, Verdict], who: str, what: str) -> Question:
    """The question which of ``callers`` calls, each with its verdict. ``who`` is right."""
    answers = []
    for digit, (name, verdict) in enumerate(callers.items(), 1):
        gates = frozenset(verdict.by)
        text = f"It is {name}. {_text(gates, verdict, name, what, free=True)}"
        answers.append(Choice(digit, text, gates))
    return Question(tuple(answers), 1 + [*callers].index(who), whose=True)


def _few(kinds: list[Gates], right: Gates, verdict: Verdict) -> list[Gates]:
    """At most four answers: the right one, and gates that don't allow before those that do."""
    silent = [frozenset({each.gate}) for each in verdict.gates if each.says != "allows"]
    unlikely = [kind for kind in kinds[1:] if kind not in silent]
    best = [right, frozenset[Gate](), frozenset({Gate.SIGNATURE}), None, *silent, *unlikely]
    kept = [kind for kind in dict.fromkeys(best) if kind in kinds][:4]
    return [kind for kind in kinds if kind in kept]


def refused(gate: Gate, who: str, what: str, *, denies: bool = False) -> str:
    """A sentence on the gate that refuses. ``what`` names the resource; ``denies``: by a Deny."""
    if gate is Gate.SIGNATURE:
        return f"Denied: AWS does not accept {who if who == 'the token' else 'the credentials'}"
    party = label(gate, who, what, "parties")
    if denies:
        return f"Denied: {party} denies it"
    if gate is Gate.IDENTITY:
        return f"Denied: no policy of {who} allows it"
    return f"Denied: {party} does not {f'let {who} in' if gate in _LET_IN else 'allow it'}"


def _text(gates: Gates, verdict: Verdict, who: str, what: str, *, free: bool) -> str:
    if gates is None:
        return "Denied: the policies don't matter, the request breaks a rule of AWS"
    if free and not verdict.gates and Gate.IDENTITY in gates:  # by a Deny, too
        return f"Denied: the policies of {who} don't allow it"
    if not gates:
        gives = [one.gate for one in verdict.gates if one.gate in _GIVE]
        if len(gives) > 1:  # naming them would give the answer away
            return "Allowed: these policies are enough"
        for gate in gives:
            verb = f"lets {who} in" if gate in _LET_IN else "allows it"
            return f"Allowed: {label(gate, who, what, 'parties')} {verb}"
        return f"Allowed: {'it needs no permission' if free else f'a policy of {who} allows it'}"
    denying = {reading.gate for reading in verdict.gates if _denies(reading, verdict)}
    first, *others = (
        refused(gate, who, what, denies=gate in denying) for gate in Gate if gate in gates
    )
    return ", and ".join([first, *(text.removeprefix("Denied: ") for text in others)])


def _denies(reading: GateReading, verdict: Verdict) -> bool:
    """Whether a gate would refuse by a Deny statement rather than for lack of an Allow."""
    policies = [verdict.documents.get(policy["policy"]) for policy in reading.policies]
    return reading.says == "denies" or (
        reading.says == "allows"
        and any(part["Effect"] == "Deny" for policy in policies for part in statements_of(policy))
    )


def asked(lab: LabFile, check: Check) -> str:
    """What the check tries, in words that don't give the answer away."""
    if caller(check) != check.identity:
        return "Somebody with this token wants to assume the role"
    profile = lab.profiles.get(check.identity)
    wants = f"{check.identity} wants to"
    if profile and profile.environment:
        option = f"--profile {profile.option}"
        option = f"AWS_PROFILE={profile.profile}" if profile.profile else option
        wants = f"With the keys of {profile.environment}, and {option}:"
    if cell := lab.access.get(row(lab, check)):
        return f"{wants} {cell.says}"
    verb = _PLAINLY.get(check.operation, f"calls {check.service}:{check.operation}")
    return f"{check.identity} {verb}"


def row(lab: LabFile, check: Check) -> str:
    """The id of the access table's row for the check's call, or ""."""
    cells, own = lab.access.items(), (check.call, without(check.params, *_AS_ONE_LIKES))
    asks = ((name, cell.call, without(cell.params, *_AS_ONE_LIKES)) for name, cell in cells)
    return next((name for name, *call in asks if tuple(call) == own), "")


def to_come(lab: LabFile, stage: Stage, first: int) -> frozenset[tuple[str, str]]:
    """The cells that the access table must hide: the stage's questions from ``first`` on ask them.

    Cells of later stages' questions are hidden too, unless a question or a change comes before.
    """
    now = lab.stages.index(stage), first
    known, found = set[tuple[str, str]](), set[tuple[str, str]]()
    for at, one in enumerate(lab.stages):
        changes = {(each.cell, each.identity) for each in one.changes}
        known = known - changes if at <= now[0] else known | changes
        for number, check in enumerate(one.checkpoint):
            key = row(lab, check), check.identity
            if check.ask is None or not key[0]:
                continue
            if (at, number) < now:
                known.add(key)
            elif at == now[0] or key not in known:
                found.add(key)
    return frozenset(found)


def caller(check: Check) -> str:
    """Who makes the call, in words: the profile, or the token if the call is not signed."""
    return "the token" if check.operation == "AssumeRoleWithWebIdentity" else check.identity


def target(part: Check | Cell) -> str:
    """The resource that has a policy: "the role" or "the bucket"."""
    return "the role" if part.operation.startswith("AssumeRole") else "the bucket"
