"""Mutants: copies of a lab that differ in one thing, which its checks should notice. Pure.

If no check fails and no cell of the access table changes, the lab does not prove what it says.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from stslab.kinds.operations import changes
from stslab.kinds.template import Unjudgeable, parse
from stslab.lab.embedded import SERVICE as EMBEDDED
from stslab.lab.model import Lab, Step
from stslab.lesson.evidence import statements
from stslab.policy.catalogue import matching_actions
from stslab.structures import GONE, Part, Path, edited, listed, mapped, part_at, without

UNDO = "undo"
OF_CONTENT = frozenset({"parameter", "action", "resource", "condition", "principal", "effect"})
"""The kinds that change a call's parameters. AWS may refuse such a call."""
_POWERS = ("iam:Get*", "iam:Create*", "iam:Put*")
"""Actions that let a session read IAM, or give itself more permissions."""
_OF_PEOPLE = frozenset({"Tags", "Description", "StackName", "TemplateBody", "Sid"})
"""Parameters that change nobody's permissions."""
_LESS = frozenset({"external_id", "mfa_serial", "role_session_name", "duration_seconds"})


class Mutant(msgspec.Struct, frozen=True):
    """A changed lab. ``what`` is the change; ``could`` says which check would notice it."""

    kind: str
    detail: str
    what: str
    could: str
    lab: Lab
    stage: str  # the id of the stage that differs
    step: int  # counted from 0
    line: int  # the step's
    keeps: str = ""  # a profile that cleanup can't remove

    @property
    def rule(self) -> str:
        """The name by which an author allows it: ``unnoticed-parameter/Path``."""
        return f"unnoticed-{self.kind}{f'/{self.detail}' if self.detail else ''}"


class _Other(NamedTuple):
    """A changed step, document or statement. ``what`` and ``could`` are as in ``Mutant``."""

    kind: str
    what: str
    could: str
    new: Part  # GONE where it is left out
    detail: str = ""


def mutants(lab: Lab, required: Callable[[str], frozenset[str]]) -> Iterator[Mutant]:
    """Every mutant of the lab, in its order; ``required`` returns a call's required parameters."""
    known = ["admin", *lab.accounts]
    yield from _of_profiles(lab)
    for number, stage in enumerate(lab.stages):
        for at, step in enumerate(stage.steps):
            place = stage.id, at, step.line
            for change in _changed(step, known, required(step.call)):
                steps = tuple(edited(stage.steps, (at,), change.new))
                stages = edited(lab.stages, (number,), replace(stage, steps=steps))
                other, what = replace(lab, stages=tuple(stages)), f"“{step.title}”: {change.what}"
                yield Mutant(change.kind, change.detail, what, change.could, other, *place)
            if step.undo:
                what, could = f"cleanup stops at “{step.title}”", "a check that looks it up"
                yield Mutant(UNDO, "", what, could, _undone_until(lab, step), *place)
            if step.profile:
                name = step.profile.name
                known.append(name)
                what, could = f"the profile {name} stays", "a check with `profiles_gone`"
                yield Mutant("profile", name, what, could, lab, *place, keeps=name)


def _of_profiles(lab: Lab) -> Iterator[Mutant]:
    for name, profile in lab.profiles.items():
        for key in filter(_LESS.__contains__, profile.values):  # each process in the same order
            profiles = {**lab.profiles, name: replace(profile, **{key: None})}
            what = f"the profile {name} without {key}"
            could = f"a check as {name} of what {key} affects"
            other = replace(lab, profiles=profiles)
            yield Mutant("parameter", key, what, could, other, lab.stages[0].id, 0, profile.line)


def _undone_until(lab: Lab, last: Step) -> Lab:
    """The lab whose cleanup, which goes backwards, stops before it undoes this step."""
    kept = lab.steps[: lab.steps.index(last) + 1]

    def changed(step: Step) -> Step:
        return replace(step, undo=()) if step.undo and step in kept else step

    stages = (replace(stage, steps=tuple(map(changed, stage.steps))) for stage in lab.stages)
    return replace(lab, stages=tuple(stages))


def _changed(step: Step, known: list[str], required: frozenset[str]) -> Iterator[_Other]:
    if not (changes(step.call) or step.save or step.profile or step.token):
        return
    yield _Other("step", "left out", "a check that needs what it makes", GONE)
    if step.service == EMBEDDED:
        yield from _of_token(step)
        return
    for who in known:
        if who != step.identity:
            could = f"a check of an effect that only {step.identity} can have"
            yield _Other("identity", f"done as {who}", could, replace(step, identity=who), who)
    for name, value in step.params.items():
        document, called = _document(name, value)
        if document is not None:
            for change in _of_document(document):
                new = replace(step, params={**step.params, name: json.dumps(change.new)})
                yield change._replace(what=f"{called} {change.what}", new=new)
        elif step.service in ("iam", "sts") and name not in _OF_PEOPLE and changes(step.call):
            yield from _of_parameter(step, name, required)


def _of_token(step: Step) -> Iterator[_Other]:
    claims = step.params.get("Claims", {})
    for name, value in claims.items():
        others = {"with another": {**claims, name: f"other-{value}"}}
        if name not in ("sub", "aud"):
            others["without"] = without(claims, name)
        could = f"a check of a caller refused because of {name}"
        for how, other in others.items():
            yield _parameter(step, how, name, could, {**step.params, "Claims": other})


def _of_parameter(step: Step, name: str, required: frozenset[str]) -> Iterator[_Other]:
    value, could = step.params[name], f"a check of what {name} affects"
    if name not in required:
        yield _parameter(step, "without", name, could, without(step.params, name))
    identifies = name == "RoleSessionName"  # the caller; other names matter to nobody
    if isinstance(value, str) and (identifies or not name.endswith("Name")):
        yield _parameter(step, "with another", name, could, {**step.params, name: f"other-{value}"})


def _parameter(step: Step, how: str, name: str, could: str, params: Part) -> _Other:
    return _Other("parameter", f"{how} {name}", could, replace(step, params=params), name)


def _document(name: str, value: object) -> tuple[Part, str]:
    """The policy or template in a parameter, and its name; None for other parameters."""
    if not isinstance(value, str) or not ("Policy" in name or name == "TemplateBody"):
        return None, ""
    with suppress(ValueError, Unjudgeable):
        document = parse(value) if name == "TemplateBody" else json.loads(value)
        if isinstance(document, Mapping):
            return document, "the template" if name == "TemplateBody" else name
    return None, ""


def _of_document(document: Part) -> Iterator[_Other]:
    """The policy or template with one statement, or one property, changed."""
    for path, statement in statements(document):
        label = statement.get("Sid") or "a statement"
        for change in _of_statement(statement):
            whole = edited(document, path, change.new)
            yield change._replace(what=f"{label} {change.what}", new=whole)
        if isinstance(path[-1], int) and len(part_at(document, path[:-1])) > 1:
            whole = edited(document, path, GONE)
            yield _Other("effect", f"without {label}", _could(statement), whole)
        if "Principal" not in statement and path[-1] in {0, "Statement"}:
            yield from _of_powers(document, path[:-1] if path[-1] == 0 else path)
    for path in _properties(document):
        name, value = path[-1], part_at(document, path)
        could = f"a check of what {name} affects"
        flipped = mapped(value, lambda text: {"true": "false", "false": "true"}.get(text, text))
        new, what = (GONE, "without") if flipped == value else (flipped, "with the opposite of")
        yield _Other("parameter", f"{what} {name}", could, edited(document, path, new), str(name))


def _of_powers(document: Part, at: Path) -> Iterator[_Other]:
    """The policy, whose statements are ``at`` that path, with one of ``_POWERS`` more."""
    present = listed(part_at(document, at))
    for power in _POWERS:
        if not any(_settles(statement, power) for statement in present):
            more = {"Effect": "Allow", "Action": power, "Resource": "*"}
            whole = edited(document, at, [*present, more])
            yield _Other("action", f"and {power}", f"a check that {power} is refused", whole)


def _of_statement(statement: Mapping[str, Part]) -> Iterator[_Other]:
    allows = statement.get("Effect") == "Allow"
    yield from _of_actions(statement)
    resources = listed(statement.get("Resource"))
    for at, resource in enumerate(resources):
        wide, text = _widened(resource), _text(resource)
        if wide != resource:
            other = {**statement, "Resource": edited(resources, (at,), wide)}
            yield _Other("resource", f"on {wide}", "a check of the same on another resource", other)
        if resources[1:]:
            less = {**statement, "Resource": edited(resources, (at,), GONE)}
            yield _Other("resource", f"without {text}", f"a check of the same on {text}", less)
    conditions = statement.get("Condition", {})
    for operator, tests in conditions.items():
        for key in tests:
            kept = without(tests, key)
            left = {**conditions, operator: kept} if kept else without(conditions, operator)
            could = f"a check that is {'refused' if allows else 'allowed'} because of {key}"
            changed = {**statement, "Condition": left} if left else without(statement, "Condition")
            yield _Other("condition", f"without its condition on {key}", could, changed)
    if "Principal" in statement and statement["Principal"] != "*":
        other = {**statement, "Principal": {"AWS": "*"}}
        yield _Other("principal", "for everyone", "a check as somebody else", other)
    effect = "Deny" if allows else "Allow"
    other = {**statement, "Effect": effect}
    yield _Other("effect", f"with the effect {effect}", _could(statement), other)


def _of_actions(statement: Mapping[str, Part]) -> Iterator[_Other]:
    actions = _actions(statement)
    for at, action in enumerate(actions):
        if actions[1:]:
            less = {**statement, "Action": edited(actions, (at,), GONE)}
            yield _Other("action", f"without {action}", _could(statement, action), less)
    if "Principal" in statement or statement.get("Effect") != "Allow":
        return
    services = {action.partition(":")[0] for action in actions} - {"*"}
    wider = [f"{service}:*" for service in sorted(services)]
    siblings = [sibling for action in actions for sibling in _sibling(action)]
    on = next((f" on {arn}" for arn in listed(statement.get("Resource")) if arn != "*"), "")
    for more in dict.fromkeys([*wider, *siblings]):
        if not _holds(more, actions):
            could = f"a check that {more} is refused{on}"
            yield _Other("action", f"and {more}", could, {**statement, "Action": [*actions, more]})


def _actions(statement: Mapping[str, Part]) -> list[str]:
    return [action for action in listed(statement.get("Action")) if isinstance(action, str)]


def _holds(action: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _settles(statement: Mapping[str, Part], action: str) -> bool:
    """Whether the statement alone decides the action: another Allow might change nothing."""
    actions, everywhere = _actions(statement), "*" in listed(statement.get("Resource"))
    allows = statement.get("Effect") == "Allow" and "Condition" not in statement
    return "*" in actions or (allows and everywhere and _holds(action, actions))


def _sibling(action: str) -> tuple[str, ...]:
    service, _, name = action.partition(":")
    noun = name.removeprefix("Get").removeprefix("Put")
    other = f"{service}:Delete{noun}"
    return (other,) if noun != name and matching_actions(other) else ()


def _widened(resource: Part) -> Part:
    if not isinstance(resource, str):
        text = next(iter(resource.values()), "") if isinstance(resource, Mapping) else ""
        return {"Fn::Sub": _widened(text)} if isinstance(text, str) and ":" in text else "*"
    return ":".join([*resource.split(":", 5)[:5], "*"]) if resource.startswith("arn:") else "*"


def _properties(document: Part) -> Iterator[Path]:
    """The properties of a template's resources, without policies and _OF_PEOPLE."""
    resources = document.get("Resources")
    for logical, resource in resources.items() if isinstance(resources, Mapping) else ():
        for name, value in resource.get("Properties", {}).items():
            if name not in _OF_PEOPLE and not any(statements(value)):
                yield "Resources", logical, "Properties", name


def _text(value: Part) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _could(statement: Mapping[str, Part], action: str = "") -> str:
    """The check that would notice a change of what the statement says of its (first) action."""
    action = action or _text(next(iter(listed(statement.get("Action"))), "it"))
    result = "allowed" if statement.get("Effect") == "Allow" else "refused"
    return f"a check that {action} is {result}"
