"""Faults: one change that breaks a working set-up. They are found, proved, planted and fixed.

A lab declares some. More are derived: one thing wrong in a policy of the set-up, or in the
credentials of a session. Which are any good is proved by doing: cells of the access table change,
and the fix brings them back.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from stslab.errors import CheckFailed, RunError, StslabError
from stslab.kinds.table import rows
from stslab.lab.model import Action, Lab, Step
from stslab.lab.references import evaluate, resolve
from stslab.lesson import access
from stslab.lesson.evidence import statements
from stslab.lesson.ports import Decide
from stslab.runner.journal.records import Fault
from stslab.runner.ports import ADMIN, Account, Answer, Call, Credentials, Profiles
from stslab.runner.run.run import Runner
from stslab.structures import GONE, Part, Path, edited, listed, part_at, parts, without

Control = Callable[[str, str, Mapping[str, object]], Mapping[str, Any]]
EXPIRED, NO_TOKEN, OTHER = "expired", "token", "other"


class _Kind(msgspec.Struct, frozen=True):
    """A kind of policy: of which things, how its texts are listed and read, how one is written."""

    kind: str
    called: str
    reads: str
    found: str
    writes: str
    document: str = "PolicyDocument"
    lists: str = ""
    listed: str = ""
    second: str = ""


_KINDS = rows("policies", _Kind)


class Policy(msgspec.Struct, frozen=True):
    """A policy of the set-up: ``called`` in words, and the call that writes it."""

    called: str
    document: Mapping[str, Any]
    writes: str
    parameter: str
    names: Mapping[str, object]

    def write(self, document: Part) -> Call:
        service, operation = self.writes.split(".")
        return Call(ADMIN, service, operation, {**self.names, self.parameter: json.dumps(document)})


class Diagnosis(msgspec.Struct, frozen=True):
    """What is wrong; what is not known is empty."""

    gate: str  # that refuses
    where: str  # the policy, the statement and its element
    advice: str  # what kind of change fixes it


class Remaining(msgspec.Struct, frozen=True):
    """How far a fix is, in sentences."""

    still: tuple[str, ...]  # what is still broken
    wide: tuple[str, ...]  # what is open that was not before
    claims: tuple[str, ...] = ()  # those that do not hold, once nothing of either is left

    @property
    def done(self) -> bool:
        return not (self.still or self.wide or self.claims)


@dataclass
class Faults:
    """The faults of one run's set-up. ``control`` asks something of the account itself."""

    lab: Lab
    runner: Runner
    account: Account
    profiles: Profiles
    decide: Decide
    control: Control

    def table(self) -> access.Cells:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)

    def there(self, after: str, other: str) -> Iterator[Fault]:
        """The faults that may be planted now, after this stage; none of them is proved."""
        scope = self.runner.scope()
        for one in self.lab.faults:
            if one.after == after:
                change, fix = _calls(one.change, scope), _calls(one.fix, scope)
                yield Fault(one.id, one.title, after, False, change, fix, one.hints)
        doing = [stage.id for stage in self.lab.stages if not stage.cleanup]
        if after == doing[-1]:
            yield from sorted(self._derived(after, other), key=lambda one: one.id)

    def _derived(self, after: str, other: str) -> Iterator[Fault]:
        known = self.runner.scope()
        account, run = str(known["account"]), str(known["run"]["id"])
        for number, policy in enumerate(self.policies()):
            for name, document in spoilt(policy.document, account, other):
                change = replace(policy.write(document), lets_in=other)
                label = _label(f"{number}{policy.writes}{name}".replace(run, ""))
                fix = policy.write(policy.document)
                yield Fault(label, "", after, True, (change,), (fix,))
        made = self.makers()
        for name in made:
            found = self.profiles.get(name)
            others = [one for one in made if one != name and self.profiles.get(one)]
            if found and found.session_token:
                for spoil in (EXPIRED, NO_TOKEN, *([OTHER] if others else [])):
                    whose = others[0] if spoil == OTHER else ""
                    label = _label(f"{name}{spoil}")
                    yield Fault(label, "", after, True, profile=name, spoil=spoil, whose=whose)

    def policies(self) -> list[Policy]:
        found = list[Policy]()
        made = self.runner.made()  # a stack makes its things in no order
        for thing in sorted(made, key=lambda one: (one.kind, *map(str, one.names.values()))):
            for kind in _KINDS.values():
                if kind.kind == thing.kind:
                    found += self._of(kind, thing.names)
        return found

    def _of(self, kind: _Kind, names: Mapping[str, str]) -> Iterator[Policy]:
        each: list[Mapping[str, object]] = [names]
        if kind.lists:
            known = self._asked(kind.lists, names, kind.listed)
            each = [{**names, kind.second: one} for one in listed(known)]
        for one in each:
            document = self._asked(kind.reads, one, kind.found)
            if isinstance(document, str):
                document = json.loads(document)
            if document:
                named = " ".join(map(str, names.values()))
                policy = f"the policy {one[kind.second]} " if kind.second == "PolicyName" else ""
                managed = kind.second == "VersionId"
                written = {**names, "SetAsDefault": True} if managed else one
                called = f"{policy}{kind.called} {named}"
                yield Policy(called, document, kind.writes, kind.document, written)

    def _asked(self, call: str, params: Mapping[str, object], found: str) -> Any:
        service, operation = call.split(".")
        outcome = self.runner.call(Call(ADMIN, service, operation, params))
        return evaluate(found, outcome.data, {}) if isinstance(outcome, Answer) else None

    # Planting and fixing

    def plant(self, fault: Fault) -> None:
        """Break the set-up. RunError: AWS does not take it."""
        if fault.profile:
            self._spoil(fault)
        self._make(fault.change)

    def fix(self, fault: Fault) -> None:
        """Fix it again. RunError: AWS does not take it."""
        if fault.profile:
            self._renew(fault.profile)
        self._make(fault.fix)

    def _make(self, calls: Iterable[Call]) -> None:
        for call in calls:
            outcome = self.runner.call(call)
            if not isinstance(outcome, Answer):
                raise RunError(f"{call.name} was refused: {outcome}.")

    def _spoil(self, fault: Fault) -> None:
        held = self.profiles.get(fault.profile)
        if held is None:
            raise RunError(f"There is no profile {fault.profile}.")
        if fault.spoil == EXPIRED:
            self.control("POST", "end-session", {"key": held.access_key_id})
            now = datetime.now(UTC).isoformat(timespec="seconds")
            held = dataclasses.replace(held, expiration=now)
        elif fault.spoil == NO_TOKEN:
            held = held.spoilt("SessionToken")
        else:
            held = self.profiles.get(fault.whose) or held
        self.profiles.save(fault.profile, held)

    def makers(self) -> dict[str, Step]:
        steps = (step for stage in self.lab.stages for step in stage.steps)
        return {one.profile.name: one for one in steps if one.profile}

    def renewal(self, profile: str) -> Call:
        step = self.makers()[profile]
        params = resolve(step.params, self.runner.scope())
        return Call(step.identity, step.service, step.operation, params)

    def _renew(self, name: str) -> None:
        outcome, profile = self.runner.call(self.renewal(name)), self.makers()[name].profile
        data = outcome.data if isinstance(outcome, Answer) else {}
        given = profile and Credentials.found_in(evaluate(profile.source, data, {}))
        if not (profile and given):
            raise RunError(f"The profile {name} got no new credentials.")
        self.profiles.save(name, given.spoilt(profile.spoil))

    # Proofs and diagnoses

    def proved(self, fault: Fault) -> Fault | str:
        """Plant the fault and fix it; with the cells that change, or why it is no good.

        It is for an account that may be thrown away: what is no good may be left broken.
        """
        before = self.table()
        try:
            self.plant(fault)
            broken = self.table()
            self.fix(fault)
        except StslabError as error:
            return f"a call of it fails: {error.message}"
        cells = access.changed(before, broken)
        if not cells:
            return "it changes no cell of the access table"
        if access.changed(before, self.table()):
            return "its fix does not bring every cell back"
        lost = [one for one in before if one.key in cells and one.verdict.allowed]
        opens = fault.change and len(lost) < len(cells)  # other credentials may do other things
        if fault.derived and (opens or not lost):
            return "it may only take away"
        return replace(fault, title=fault.title or _symptom(lost), cells=tuple(sorted(cells)))

    def remaining(self, fault: Fault) -> Remaining:
        """How far the fix of a fault is, whoever did it."""
        cells = [one for one in self.table() if one.verdict.allowed != one.expected.allowed]
        about = [one for one in cells if one.key in fault.cells or not one.fits]
        wider = [one for one in about if one.too_wide and one.key not in fault.cells]
        if about:
            still = tuple(_said(one) for one in about if one not in wider)
            return Remaining(still, tuple(map(_said, wider)))
        # Later stages may have changed what earlier ones claim; those of its own stage hold.
        return Remaining((), (), tuple(self._claims(fault.after)))

    def _claims(self, stage: str) -> Iterator[str]:
        """What does not hold of a stage's claims, and should."""
        try:
            self.runner.check_stage(stage)
        except CheckFailed as failed:
            yield failed.message.partition(": ")[2]
        except StslabError as error:
            yield error.message

    def broken(self, fault: Fault) -> access.CellState | None:
        """The first cell that is not as it should be."""
        about = (one for one in self.table() if one.key in fault.cells)
        return next((one for one in about if one.verdict.allowed != one.expected.allowed), None)

    def diagnosed(self, fault: Fault, before: Iterable[Policy]) -> Diagnosis:
        """What is wrong, once it is planted; ``before`` are the policies as they were."""
        broken = [one for one in self.table() if one.key in fault.cells]
        gate = next((str(one.verdict.by[0]) for one in broken if one.verdict.by), "")
        if fault.profile:
            where = f"the credentials in the profile {fault.profile}"
            return Diagnosis(gate, where, _CREDENTIALS[fault.spoil])
        was = {one.called: one.document for one in before}
        now = {one.called: one.document for one in self.policies()}
        for called in {**was, **now}:
            if was.get(called) != now.get(called):
                where, advice = _difference(was.get(called, {}), now.get(called, {}))
                return Diagnosis(gate, f"{called}: {where}", advice)
        return Diagnosis(gate, "", "")


def _said(cell: access.CellState) -> str:
    return f"{cell.who} {'may' if cell.verdict.allowed else 'may not'} {cell.says}"


def _calls(actions: Iterable[Action], scope: Mapping[str, Any]) -> tuple[Call, ...]:
    return tuple(
        Call(one.identity, one.service, one.operation, resolve(one.params, scope))
        for one in actions
    )


def _label(text: str) -> str:
    """A name that tells nothing, and is the same in each run."""
    return f"d-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def _symptom(lost: Iterable[access.CellState]) -> str:
    """What a colleague would say who wants to work."""
    by_caller: dict[str, list[str]] = {}
    for one in lost:
        by_caller.setdefault(one.who, []).append(one.says)
    refused = [f"{who} can't {' or '.join(says)}" for who, says in by_caller.items()]
    return f"Since this morning {', and '.join(refused)}, and nobody knows of a change."


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    """Where two texts of a policy differ, and what kind of change brings back the first."""
    before, after = listed(was.get("Statement")), listed(now.get("Statement"))
    for old in before:
        if old not in after:
            new = next((one for one in after if one not in before), None)
            name = f"the statement {old['Sid']}" if "Sid" in old else "its statement"
            if new is None:
                return f"{name} is missing", _ADVICE["missing"]
            element = next(key for key in (*old, *new) if old.get(key, GONE) != new.get(key, GONE))
            return f"the {element} of {name}", _ADVICE.get(element, _ADVICE["else"])
    more = next(one for one in after if one not in before)
    name = more.get("Sid", more.get("Effect"))
    return f"the statement {name}, which was not there before", _ADVICE["more"]


_ADVICE: Mapping[str, str] = {
    "missing": "Put a statement back that allows it, and no more than that.",
    "more": "Take the statement out: a Deny wins over every Allow.",
    "Action": "Name the action as AWS spells it.",
    "Resource": "Name what the call is about: the account, the path, the bucket or its objects.",
    "Principal": "Name who asks: in the right account, and of the right type.",
    "Condition": "Test a key that the request has, with the operator and the value that fit.",
    "else": "Write it as the call needs it, and no wider.",
}
_CREDENTIALS: Mapping[str, str] = {
    EXPIRED: "The session has ended, and can't be renewed: ask for a new one.",
    NO_TOKEN: "A session's credentials have three parts. Write all three, or ask for new ones.",
    OTHER: "They are somebody else's. Ask for a session, and write it to this profile.",
}


# -- ways in which people get one thing in a policy wrong --------------------------------------

_PATHS = re.compile(r"(?<=:(?:role|user)/)(?:[^/]+/)+(?=[^/])")
_BUCKET = re.compile(r"arn:[^:]+:s3:::[^/*]+")
_KEYS = ("aws:SourceArn", "aws:SourceAccount")
_OPERATORS: Mapping[str, str] = {
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
    "Bool": "Null",
    "DateGreaterThan": "DateLessThan",
    "DateLessThan": "DateGreaterThan",
    "IpAddress": "NotIpAddress",
    "NumericLessThan": "NumericGreaterThan",
    "StringEquals": "StringNotEquals",
    "StringLike": "StringEquals",
}
_TEXTS: tuple[tuple[str, tuple[str, ...], Callable[[str, str, str], str]], ...] = (
    (
        "account",
        ("Resource", "Principal", "Condition"),
        lambda text, account, other: text.replace(account, other),
    ),
    ("path", ("Resource", "Principal", "Condition"), lambda text, *_: _PATHS.sub("", text)),
    ("objects", ("Resource",), lambda text, *_: text.removesuffix("/*")),
    ("bucket", ("Resource",), lambda text, *_: f"{text}/*" if _BUCKET.fullmatch(text) else text),
    ("action", ("Action",), lambda text, *_: _misspelt(text)),
)
"""What goes wrong in a text, in which elements, and the text then: of an account, and another."""


def spoilt(document: Part, account: str, other: str) -> Iterator[tuple[str, Part]]:
    """The policy with one thing wrong, each with a lasting name; ``other`` is an account."""
    for path, statement in statements(document):
        for name, inner, new in _wrong(statement, account, other):
            yield f"{path}{inner}{name}", edited(document, (*path, *inner), new)
        if statement.get("Effect") == "Allow":
            given = part_at(document, path[:1])
            yield f"{path}deny", edited(document, path[:1], [*listed(given), _denied(statement)])


def _wrong(
    statement: Mapping[str, Part], account: str, other: str
) -> Iterator[tuple[str, Path, Part]]:
    for name, elements, change in _TEXTS:
        for element in elements:
            for path, text in parts(statement.get(element), (element,)):
                new = change(text, account, other) if isinstance(text, str) else text
                if new != text:
                    yield name, path, new
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        other_type = {"Service": "ec2.amazonaws.com"} if "AWS" in principal else {"AWS": account}
        yield "type", ("Principal",), other_type
    yield from _mistested(statement)


def _mistested(statement: Mapping[str, Part]) -> Iterator[tuple[str, Path, Part]]:
    """With a condition that tests another key, or with another operator."""
    for operator, tests in statement.get("Condition", {}).items():
        rest = without(statement["Condition"], operator)
        if operator in _OPERATORS:
            yield operator, ("Condition",), {**rest, _OPERATORS[operator]: tests}
        for key in tests:
            instead = next(one for one in _KEYS if one != key)
            others = {instead if name == key else name: one for name, one in tests.items()}
            yield key, ("Condition",), {**rest, operator: others}


def _misspelt(action: str) -> str:
    """With an s too many or too few, as in s3:ListBuckets."""
    if action.endswith("*"):
        return action
    return action.removesuffix("s") if action.endswith("s") else f"{action}s"


def _denied(statement: Mapping[str, Part]) -> Mapping[str, Part]:
    """A Deny of the same, for everybody."""
    kept = {name: statement[name] for name in ("Action", "Resource") if name in statement}
    everybody = {"Principal": "*"} if "Principal" in statement else {}
    return {"Sid": "Freeze", "Effect": "Deny", **everybody, **kept}
