"""Faults: find, prove, plant and fix single changes that break a working set-up.

A lab declares some; others are derived from its policies and sessions. A trial proves that each
changes cells of the access table, and that its fix restores them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from stslab.errors import NotOwn, RunError, StslabError
from stslab.kinds.table import rows
from stslab.lab.references import evaluate
from stslab.lesson import access
from stslab.lesson.byhand import HOLD, Lack, make
from stslab.lesson.evidence import call_of, statements
from stslab.lesson.verdict import Decide
from stslab.runner.journal.records import Broken, RunFault
from stslab.runner.ports import Call, Credentials, Profiles
from stslab.runner.run.run import Runner
from stslab.structures import GONE, Part, Path, beside, edited, listed, part_at, parts, without
from stslab.vocabulary import ADMIN, PARTNER

Control = Callable[[str, str, Mapping[str, object]], Mapping[str, Any]]
EXPIRED, NO_TOKEN, OTHER = "expired", "token", "other"


class _PolicyCalls(msgspec.Struct, frozen=True):
    """The calls that list, read and write one kind of policy."""

    kind: str
    called: str
    reads: str
    found: str
    writes: str
    document: str = "PolicyDocument"
    lists: str = ""
    listed: str = ""
    second: str = ""


_KINDS = rows("policies", _PolicyCalls)
_FEW = 2  # refusals that a report names


class PolicyInPlace(msgspec.Struct, frozen=True):
    """A policy of the set-up: its description (``called``), and the call that writes it."""

    called: str
    document: Mapping[str, Any]
    writes: str
    parameter: str
    names: Mapping[str, object]

    def write(self, document: Part) -> Call:
        service, operation = self.writes.split(".")
        return Call(ADMIN, service, operation, {**self.names, self.parameter: json.dumps(document)})


class Faults(msgspec.Struct):
    """The faults of one run's set-up. ``control`` calls the account's control verbs."""

    runner: Runner
    profiles: Profiles
    decide: Decide
    control: Control

    def table(self) -> access.Cells:
        runner = self.runner
        return access.table(runner.lab, runner.stages_done, runner.scope(), self.decide)

    def there(self, after: str) -> Iterator[RunFault]:
        """The faults that can be planted after this stage, not proved yet."""
        scope = self.runner.scope()
        for fault in self.runner.lab.faults:
            if fault.after == after:
                change = tuple(call_of(each, scope) for each in fault.change)
                fix = tuple(call_of(each, scope) for each in fault.fix)
                yield RunFault(fault.id, fault.title, after, False, change, fix, fault.hints)
        doing = [stage.id for stage in self.runner.lab.stages if not stage.cleanup]
        if after == doing[-1]:
            yield from sorted(self._derived(after), key=lambda fault: fault.id)

    def _derived(self, after: str) -> Iterator[RunFault]:
        known = self.runner.scope()
        account, run = str(known["account"]), str(known["run"]["id"])
        for number, policy in enumerate(self.policies()):
            for name, document in spoilt(policy.document, account):
                change = replace(policy.write(document), lets_in=PARTNER)
                label = _label(f"{number}{policy.writes}{name}".replace(run, ""))
                yield RunFault(label, "", after, True, (change,), (policy.write(policy.document),))
        made = self.runner.lab.makers
        for name in made:
            keys = self.profiles.get(name)
            others = [each for each in made if each != name and self.profiles.get(each)]
            spoils = [EXPIRED, NO_TOKEN, OTHER] if others else [EXPIRED, NO_TOKEN]
            for spoil in spoils if keys and keys.session_token else ():
                whose, label = others[0] if spoil == OTHER else "", _label(f"{name}{spoil}")
                yield RunFault(label, "", after, True, profile=name, spoil=spoil, whose=whose)

    def policies(self) -> list[PolicyInPlace]:
        made = self.runner.work.made()  # a stack makes its resources in any order
        return [
            policy
            for thing in sorted(made, key=lambda each: (each.kind, *map(str, each.names.values())))
            for kind in _KINDS.values()
            if kind.kind == thing.kind
            for policy in self._of(kind, thing.names)
        ]

    def _of(self, kind: _PolicyCalls, names: Mapping[str, str]) -> Iterator[PolicyInPlace]:
        keys: list[Mapping[str, object]] = [names]
        if kind.lists:
            known = self._read(kind.lists, names, kind.listed)
            keys = [{**names, kind.second: name} for name in listed(known)]
        for key in keys:
            document = self._read(kind.reads, key, kind.found)
            if isinstance(document, str):
                document = json.loads(document)
            if document:
                named = " ".join(map(str, names.values()))
                policy = f"the policy {key[kind.second]} " if kind.second == "PolicyName" else ""
                managed = kind.second == "VersionId"
                written = {**names, "SetAsDefault": True} if managed else key
                called = f"{policy}{kind.called} {named}"
                yield PolicyInPlace(called, document, kind.writes, kind.document, written)

    def _read(self, call: str, params: Mapping[str, object], expression: str) -> Any:
        service, operation = call.split(".")
        outcome = self.runner.work.calls.once(Call(ADMIN, service, operation, params))
        return evaluate(expression, outcome.data, {})

    # Planting and fixing

    def plant(self, fault: RunFault) -> None:
        """Break the set-up; RunError if AWS refuses a call."""
        if fault.profile and (keys := self.profiles.get(fault.profile)):
            if fault.spoil == EXPIRED:
                self.control("POST", "end-session", {"key": keys.access_key_id})
                keys = replace(keys, expiration=datetime.now(UTC).isoformat(timespec="seconds"))
            elif fault.spoil == NO_TOKEN:
                keys = keys.spoilt("SessionToken")
            else:
                keys = self.profiles.get(fault.whose) or keys
            self.profiles.save(fault.profile, keys)
        make(self.runner, *fault.change)

    def fix(self, fault: RunFault) -> None:
        """Undo the fault; RunError if AWS refuses a call."""
        if fault.profile:
            outcome = self.runner.work.calls.once(self.renewal(fault.profile))
            profile = self.runner.lab.makers[fault.profile].profile
            keys = profile and Credentials.found_in(evaluate(profile.source, outcome.data, {}))
            if not (profile and keys):
                raise RunError(f"The profile {fault.profile} got no new credentials.")
            self.profiles.save(fault.profile, keys.spoilt(profile.spoil))
        make(self.runner, *fault.fix)

    def renewal(self, profile: str) -> Call:
        return call_of(self.runner.lab.makers[profile], self.runner.scope())

    # Proofs and diagnoses

    def proved(self, fault: RunFault) -> RunFault | str:
        """The fault with the cells that change, or why it is unfit (it may then stay unfixed)."""
        before = self.table()
        try:
            self.plant(fault)
            broken = self.table()
            self.fix(fault)
        except StslabError as error:
            return f"one of its calls fails: {error.message}"
        cells = access.changed(before, broken)
        if not cells:
            return "it changes no cell of the access table"
        if access.changed(before, self.table()):
            return "its fix does not restore every cell"
        lost = [cell for cell in before if cell.key in cells and cell.verdict.allowed]
        opens = fault.change and len(lost) < len(cells)  # other credentials may do other things
        if fault.derived and (opens or not lost):
            return "it must only take permissions away"
        return replace(fault, title=fault.title or _symptom(lost), cells=tuple(sorted(cells)))

    def remaining(self, fault: RunFault) -> tuple[Lack, ...]:
        cells = [cell for cell in self.table() if cell.verdict.allowed != cell.expected.allowed]
        wrong = [cell for cell in cells if cell.key in fault.cells or not cell.fits]
        new = {cell.key for cell in wrong if cell.verdict.allowed} - {*fault.cells}
        still = [Lack(f"{_sentence(cell)}.") for cell in wrong if cell.key not in new]
        wider = [(_sentence(cell), cell.verdict.allowing) for cell in wrong if cell.key in new]
        if not wrong:
            wider += [(f"{called} reaches beyond the lab", ()) for called in self._too_wide()]
        before = ", which was not allowed before."
        still += [Lack(f"{says}{before}", "", by, limits=True) for says, by in wider]
        try:  # of the earlier stages only what policies allow: the rest may have changed since
            for stage in () if still else self.runner.stages_done:
                self.runner.check_stage(stage, "" if stage == fault.after else "Simulate")
        except StslabError as error:
            claims = error.message.rpartition("does not hold: ")[2]
            says = HOLD.format(claims.removesuffix("."))
            still.append(Lack(says, "", self.runner.checks.allowing))
        return tuple(still)

    def _too_wide(self) -> Iterator[str]:
        """The policies that no lab may write, as they let in strangers: no cell asks about them."""
        for policy in self.policies():
            try:
                self.runner.work.require(policy.write(policy.document))
            except NotOwn:
                yield policy.called

    def broken(self, fault: RunFault) -> access.CellState | None:
        """The first cell of the fault that is not as expected: if any, one that is now refused."""
        cells = [cell for cell in self.table() if cell.key in fault.cells]
        wrong = [cell for cell in cells if cell.verdict.allowed != cell.expected.allowed]
        return min(wrong, key=lambda cell: bool(cell.verdict.allowed), default=None)

    def diagnosed(self, stands: Broken, before: Iterable[PolicyInPlace]) -> Broken:
        """The planted fault, with what is wrong; ``before`` are the policies until then."""
        fault = stands.fault
        broken = [cell for cell in self.table() if cell.key in fault.cells]
        gate = next((str(cell.verdict.by[0]) for cell in broken if cell.verdict.by), "")
        if fault.profile:
            where = f"the credentials in the profile {fault.profile}"
            return replace(stands, gate=gate, where=where, advice=_CREDENTIALS[fault.spoil])
        was = {policy.called: policy.document for policy in before}
        now = {policy.called: policy.document for policy in self.policies()}
        for called in {**was, **now}:
            if was.get(called) != now.get(called):
                where, advice = _difference(was.get(called, {}), now.get(called, {}))
                return replace(stands, gate=gate, where=f"{called}: {where}", advice=advice)
        return replace(stands, gate=gate)


def _sentence(cell: access.CellState) -> str:
    return f"{cell.who} {'may' if cell.verdict.allowed else 'may not'} {cell.says}"


def _label(text: str) -> str:
    """An id that does not reveal the fault, and is the same in each run."""
    return f"d-{hashlib.sha256(text.encode()).hexdigest()[:4]}"


def _symptom(lost: Sequence[access.CellState]) -> str:
    by_caller = dict[str, list[str]]()
    for cell in lost[:_FEW]:
        by_caller.setdefault(cell.who, []).append(cell.says)
    refused = [f"{who} can't {' or '.join(says)}" for who, says in by_caller.items()]
    refused += ["more is refused too"] if len(lost) > _FEW else []
    return f"Since this morning {', and '.join(refused)}, and nobody knows of a change."


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    """Where two versions of a policy differ, and the kind of change that restores the first."""
    before, after = listed(was.get("Statement")), listed(now.get("Statement"))
    for old in before:
        if old not in after:
            new = next((each for each in after if each not in before), None)
            name = f"the statement {old['Sid']}" if "Sid" in old else "its statement"
            if new is None:
                return f"{name} is missing", _ADVICE["missing"]
            element = next(key for key in (*old, *new) if old.get(key, GONE) != new.get(key, GONE))
            return f"the {element} of {name}", _ADVICE.get(element, _ADVICE["else"])
    more = next(each for each in after if each not in before)
    name = more.get("Sid", more.get("Effect"))
    return f"the statement {name}, which was not there before", _ADVICE[more["Effect"]]


_TABLES: Mapping[str, Mapping[str, str]] = beside(__file__, "faults.yaml")
_ADVICE, _CREDENTIALS = _TABLES["policy"], _TABLES["credentials"]
_OPERATORS = _TABLES["operators"]


# -- common mistakes in a policy ---------------------------------------------------------------

_OF_ARNS = ("Resource", "Principal", "Condition")
_PATHS = re.compile(r"(?<=:(?:role|user)/)(?:[^/]+/)+(?=[^/])")
_BUCKET = re.compile(r"arn:[^:]+:s3:::[^/*]+")
_TEXTS: tuple[tuple[str, tuple[str, ...], Callable[[str, str], str]], ...] = (
    ("account", _OF_ARNS, lambda text, account: text.replace(account, PARTNER)),
    ("path", _OF_ARNS, lambda text, *_: _PATHS.sub("", text)),
    ("objects", ("Resource",), lambda text, *_: text.removesuffix("/*")),
    ("bucket", ("Resource",), lambda text, *_: f"{text}/*" if _BUCKET.fullmatch(text) else text),
    ("action", ("Action",), lambda text, *_: _misspelt(text)),
)
"""A mistake's name, the elements it occurs in, and how it changes (text, the account)."""


def spoilt(document: Part, account: str) -> Iterator[tuple[str, Part]]:
    """Yield (name, policy) for each single mistake in a policy of this account."""
    for path, statement in statements(document):
        for name, inner, new in _wrong(statement, account):
            yield f"{path}{inner}{name}", edited(document, (*path, *inner), new)
        if statement.get("Effect") == "Allow":  # denied to everybody too
            kept = {name: statement[name] for name in ("Action", "Resource") if name in statement}
            everyone = {"Principal": {"AWS": "*"}} if "Principal" in statement else {}
            denied = {"Sid": "Freeze", "Effect": "Deny", **everyone, **kept}
            every = listed(part_at(document, path[:1]))
            yield f"{path}deny", edited(document, path[:1], [*every, denied])


def _wrong(statement: Mapping[str, Part], account: str) -> Iterator[tuple[str, Path, Part]]:
    for name, elements, change in _TEXTS:
        for element in elements:
            for path, text in parts(statement.get(element), (element,)):
                new = change(text, account) if isinstance(text, str) else text
                if new != text:
                    yield name, path, new
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        other_type = {"Service": "ec2.amazonaws.com"} if "AWS" in principal else {"AWS": account}
        yield "type", ("Principal",), other_type
    yield from _other_conditions(statement)


def _other_conditions(statement: Mapping[str, Part]) -> Iterator[tuple[str, Path, Part]]:
    for operator, tests in statement.get("Condition", {}).items():
        rest = without(statement["Condition"], operator)
        if operator in _OPERATORS:
            yield operator, ("Condition",), {**rest, _OPERATORS[operator]: tests}
        for key in tests:
            wrong = next(name for name in ("aws:SourceArn", "aws:SourceAccount") if name != key)
            others = {wrong if name == key else name: value for name, value in tests.items()}
            yield key, ("Condition",), {**rest, operator: others}


def _misspelt(action: str) -> str:
    """The action with an s added or removed, as in s3:ListBuckets."""
    if action.endswith("*"):
        return action
    return action.removesuffix("s") if action.endswith("s") else f"{action}s"
