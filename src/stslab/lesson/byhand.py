"""What a learner reaches by hand: a stage's tasks, and whether the account is so by now.

A task is done when the account is as its step would make it, or behaves so: in what the task
is about, as far as that can be told of it alone, else in all cells that the stage changes; and no
claim says otherwise. Who did it, where and how, does not matter.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec

from stslab.errors import RunError, UnresolvedReference
from stslab.kinds.operations import changes
from stslab.kinds.table import EFFECTS
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lab.references import resolve
from stslab.lesson import access
from stslab.lesson.evidence import statements_of
from stslab.lesson.ports import Decide, Event, called, is_own
from stslab.runner.calls.look import label
from stslab.runner.events import StepDiffers
from stslab.runner.journal.records import Hint, Thing
from stslab.runner.ports import Answer, Call, Data, Outcome
from stslab.runner.run.run import Runner
from stslab.structures import listed

GRADES = 3  # A nudge, a pointer, the command
_SUBJECTS = ("UserName", "RoleName", "GroupName", "Bucket", "StackName")
_FILE, _GAP = re.compile(r"[\w/.-]+\.json"), re.compile(r"\$\{\{.*?\}\}")
_TRUST = "iam.UpdateAssumeRolePolicy"
_WIDE = "More than was asked: "


class Task(msgspec.Struct, frozen=True):
    """One thing to reach, the step that would do it, and whether it is reached."""

    number: int
    text: str
    done: bool


class Standing(msgspec.Struct, frozen=True):
    """How far a stage is. ``notes`` name what is in the way, or more than was asked."""

    tasks: tuple[Task, ...]
    notes: tuple[str, ...]

    @property
    def done(self) -> bool:
        return all(one.done for one in self.tasks) and not self.notes

    @property
    def next(self) -> Task | None:
        return next((one for one in self.tasks if not one.done), None)


@dataclass
class ByHand:
    """The tasks of a run's stages. ``requests`` are the account's log, the newest first."""

    lab: Lab
    runner: Runner
    decide: Decide
    requests: Callable[[], Iterable[Event]]
    differing: list[str] = field(default_factory=list)

    def hear(self, event: object) -> None:
        """Take note of what is there, but not as a step would make it."""
        if isinstance(event, StepDiffers):
            self.differing.append(f"{event.what}.")

    def look(self, stage: Stage) -> Standing:
        adopted, differing = self._adopted(stage)
        done = {*self.runner.stages_done, stage.id}
        cells = access.table(self.lab, done, self.runner.scope(), self.decide)
        lacking = tuple(self._lacking(stage, cells))
        wanted = {at for at, _ in tasks_of(stage)}
        reached = bool(stage.changes) and not lacking
        made = adopted >= wanted
        alike = {at for at in wanted - adopted if self._is_alike(stage, stage.steps[at], cells)}
        failing = tuple(self._failing(stage)) if made or reached or alike else ()
        to_come = {one.name for at in wanted - adopted if (one := stage.steps[at].profile)}
        in_the_way = [one for one in failing if one.identity not in to_come]
        against = (*lacking, *map(_has_to_hold, failing))
        wrong = any(stage.steps[at].profile for at, told in differing.items() if told)
        behaves = reached and not against and not wrong  # a profile is as its task says, or not
        wide = any(one.fails or one.operation.startswith("Simulate") for one in in_the_way)
        so_far = adopted if wide else adopted | alike
        tasks = tuple(
            Task(at, f"{step.title}. (stslab did that.)", done=True)
            if _is_the_labs(step)
            else Task(at, step.task or f"{step.title}.", at in so_far or behaves)
            for at, step in enumerate(stage.steps)
            if at in wanted or (_is_the_labs(step) and at in adopted)
        )
        if made or behaves:
            return Standing(tasks, against)
        beyond = (one for one in lacking if one.startswith(_WIDE))
        known = (subject(self._known(step.params)) for _, step in tasks_of(stage))
        subjects = [one for one in known if one]
        turns = [turned(one, subjects) for one in self._changes(stage)]
        more = len(turns) > sum(changes(stage.steps[at].call) for at in adopted | alike)
        other = map(_has_to_hold, in_the_way if more else ())  # something is in another form
        differs = (what for at, told in differing.items() for what in told if at not in so_far)
        return Standing(tasks, (*beyond, *other, *differs, *filter(None, turns)))

    def hint(self, stage: Stage, task: Task) -> tuple[str, bool]:
        """The next hint to a task, and whether it is the last: then the command is to be shown."""
        step = stage.steps[task.number]
        texts = step.hints[: GRADES - 1]
        grade = self.runner.past.hinted(stage.id, task.number)
        if grade < len(texts):
            self.runner.note(Hint(stage.id, task.number, grade))
            return f"{texts[grade]}{self._where(texts[grade])}", False
        if grade < GRADES:
            self.runner.note(Hint(stage.id, task.number, GRADES - 1))
        fills = f" It fills the profile {step.profile.name} too." if step.profile else ""
        return f"This is the command.{fills}", True

    def _where(self, hint: str) -> str:
        """Where the file is that a hint names, and what to put into its gaps."""
        files = [self.lab.path.parent / one for one in _FILE.findall(hint)]
        for one in filter(Path.is_file, files):
            gaps = self._known({gap: gap for gap in _GAP.findall(one.read_text())})
            values = ", ".join(f"{value} for {gap}" for gap, value in gaps.items())
            return f" In a copy of {one} put {values}." if values else f" The file is {one}."
        return ""

    def solve(self, stage: Stage, task: Task) -> None:
        """Do a task as the lab would, and what it needs before. RunError: a call failed."""
        for at in range(task.number + 1):
            self.runner.do(stage, at)

    def _adopted(self, stage: Stage) -> tuple[set[int], dict[int, list[str]]]:
        """The steps whose work is there, and of others what is there in its place."""
        adopted, differing = set[int](), dict[int, list[str]]()
        for at, step in enumerate(stage.steps):
            self.differing = []
            if self._is_made(stage, at, step, after_all=len(adopted) == at):
                adopted.add(at)
            elif step.undo != ():  # else it changes what an earlier step made
                differing[at] = self.differing
        return adopted, differing

    def _is_made(self, stage: Stage, at: int, step: Step, *, after_all: bool) -> bool:
        """Whether a step's work is there; what a step only reads is read then.

        What the lab itself does it does once all that comes before is made.
        """
        if _is_the_labs(step):
            if after_all:
                self.runner.do(stage, at, quietly=True)
            return after_all
        if changes(step.call) or step.profile:
            return self.runner.adopt(stage, at)
        if step.save:
            try:
                self.runner.do(stage, at)
            except (RunError, UnresolvedReference):
                return False
        return True

    def _is_alike(self, stage: Stage, step: Step, cells: Collection[access.CellState]) -> bool:
        """Whether the account behaves as the step alone would make it, where that can be told."""
        params = self._known(step.params)
        if step.call != _TRUST:
            account = self.runner.account_of(step.identity)
            return _behaves(step, params, account, self.runner.call)
        role, table = f":role/{params.get('RoleName')}", self.lab.access
        arns = {name: str(self._known(one.params).get("RoleArn")) for name, one in table.items()}
        rows = {name for name, arn in arns.items() if arn.endswith(role)}
        told = [one.verdict.allowed == one.expected.allowed for one in cells if one.cell in rows]
        return any(one.cell in rows for one in stage.changes) and all(told)

    def _lacking(self, stage: Stage, cells: Collection[access.CellState]) -> Iterator[str]:
        """The cells that the stage changes and that are not so, and others that are too wide."""
        own = {(one.cell, one.identity) for one in stage.changes}
        for one in cells:
            if one.key not in own:
                if one.too_wide:
                    yield f"{_WIDE}{one.who} may {one.says}."
            elif one.verdict.allowed != one.expected.allowed:
                may = "may" if one.expected.allowed else "may not"
                yield f"This has to hold too: {one.who} {may} {one.says}."

    def _failing(self, stage: Stage) -> Iterator[Check]:
        """The claims of the checkpoint that do not hold as the account is."""
        for number, check in enumerate(stage.checkpoint):
            if check.call and not self._holds(stage, number, check):
                yield check

    def _holds(self, stage: Stage, number: int, check: Check) -> bool:
        """A refusal is decided, not asked for: the log is the learner's."""
        if not check.fails:
            return self.runner.try_claim(stage, number).held
        try:
            params = resolve(check.params, self.runner.scope())
        except UnresolvedReference:
            return False
        verdict = self.decide(check.identity, check.service, check.operation, params)
        return not verdict.allowed or verdict.fault in check.fails

    def _changes(self, stage: Stage) -> Iterator[Event]:
        """What the learner changed since the stage was first begun."""
        since = self.runner.past.entered(stage.id)
        recent = takewhile(lambda one: str(one.get("eventTime", "")) >= since, self.requests())
        return filter(is_a_change, recent)

    def _known(self, params: Mapping[str, object]) -> Mapping[str, object]:
        """The values of these that are known by now."""
        scope, known = self.runner.scope(), {}
        for name, value in params.items():
            with suppress(UnresolvedReference):
                known[name] = resolve(value, scope)
        return known


def tasks_of(stage: Stage) -> list[tuple[int, Step]]:
    """The steps of a stage that do something, by their number: what is done by hand."""
    return [
        (at, step)
        for at, step in enumerate(stage.steps)
        if not _is_the_labs(step) and (changes(step.call) or step.profile)
    ]


def _has_to_hold(check: Check) -> str:
    return f"This has to hold too: {check.says}."


def _is_the_labs(step: Step) -> bool:
    """Whether nobody does it by hand: time passes, a token is given, a profile is spoilt."""
    return step.clock is not None or bool(step.token or (step.profile and step.profile.spoil))


def subject(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Who or what a call is about: the parameter that says so, and its value."""
    found = (name for name in _SUBJECTS if params.get(name))
    name = next(found, None)
    return (name, str(params[name])) if name else None


def is_a_change(event: Event) -> bool:
    """Whether somebody changed something by this call, and not stslab or a service for them."""
    by_service = str(event.get("userAgent", "")).endswith(".amazonaws.com")
    return not ("errorCode" in event or is_own(event) or by_service) and changes(called(event))


def turned(event: Event, wanted: Sequence[tuple[str, str]]) -> str:
    """A sentence about a change of what is not wanted; empty for all others."""
    call, params = called(event), event.get("requestParameters") or {}
    about = subject(params)
    if about is None or not wanted or about in wanted:
        return ""
    identity = event.get("userIdentity", {})
    who = identity.get("userName") or str(identity.get("arn", "")).rpartition("/")[2]
    effect = EFFECTS.get(call)
    thing = label(Thing(effect.kind, effect.names(params))) if effect else about[1]
    when = str(event["eventTime"])[11:16]
    what, value = wanted[0][0].removesuffix("Name").lower(), wanted[0][1]
    return f"{when} {who} called {event['eventName']}: {thing}. The task is about {what} {value}."


_OWNERS: Mapping[str, tuple[str, str]] = {
    "iam.PutRolePolicy": ("role", "RoleName"),
    "iam.PutUserPolicy": ("user", "UserName"),
}


def _behaves(step: Step, params: Data, account: str, ask: Callable[[Call], Outcome]) -> bool:
    """Whether the user or role that a step gives a policy may do all that the policy allows.

    It is in ``account``. Not known of a policy that denies, has conditions, or allows actions by a
    pattern.
    """
    kind, name = _OWNERS.get(step.call, ("", ""))
    if not params.keys() >= {name, "PolicyDocument"}:
        return False
    owner = f"arn:aws:iam::{account}:{kind}/{params[name]}"
    statements = statements_of(json.loads(str(params["PolicyDocument"])))
    return all(
        one["Effect"] == "Allow"
        and one.keys() >= {"Action", "Resource"}
        and "Condition" not in one
        and "*" not in str(one["Action"])
        and _may(step.identity, owner, one, ask)
        for one in statements
    )


def _may(who: str, owner: str, statement: Data, ask: Callable[[Call], Outcome]) -> bool:
    asked = {
        "PolicySourceArn": owner,
        "ActionNames": listed(statement["Action"]),
        "ResourceArns": listed(statement["Resource"]),
    }
    told = ask(Call(who, "iam", "SimulatePrincipalPolicy", asked))
    results = told.data.get("EvaluationResults", ()) if isinstance(told, Answer) else ()
    return bool(results) and all(one["EvalDecision"] == "allowed" for one in results)
