"""Working by hand: a stage's tasks, and whether each is done, however the learner did it.

A task is done if the account has what its step would make, or behaves as if it had. That is judged
for the task alone if it can be, else by all cells that the stage changes and by all its checks.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stslab.errors import RunError, UnresolvedReference
from stslab.kinds.operations import changes
from stslab.lab.embedded import SERVICE as EMBEDDED
from stslab.lab.model import Lab, Stage, Step
from stslab.lab.references import resolvable
from stslab.lesson import access
from stslab.lesson.evidence import WORDS, call_of, statements_of
from stslab.lesson.verdict import Decide
from stslab.policy.catalogue import can_have
from stslab.runner.events import StepDiffers
from stslab.runner.journal.records import Entry, Hint
from stslab.runner.ports import Allowing, Answer, Call, Data, Outcome
from stslab.runner.run.allowing import foreign, removal, told
from stslab.runner.run.run import Runner
from stslab.structures import listed
from stslab.vocabulary import ADMIN

Event = Mapping[str, Any]  # a request in the account's log, with CloudTrail's field names
GRADES = 3  # of hints: a nudge, a pointer, the command
_SUBJECTS = ("UserName", "RoleName", "GroupName", "Bucket", "StackName")
_FILE, _GAP = re.compile(r"[\w/.-]+\.(?:json|yaml)"), re.compile(r"\$\{\{.*?\}\}")
_GIVES = re.compile(r"iam\.(?:Put|Attach)(User|Role|Group)Policy")
HOLD = "This should be true, and is not: {}."


class Task(msgspec.Struct, frozen=True):
    """One task, and whether it is done. ``number`` is that of the step that would do it."""

    number: int
    text: str
    done: bool
    spoilt: bool = False  # not done: another policy allows the same user or role too much


class Lack(NamedTuple):
    """A cell or a check that is not as it should be."""

    says: str
    who: str = ""  # the caller
    allowing: Allowing = ()  # the learner's policies that allow too much
    limits: bool = False  # it is about something that the stage does not ask to allow

    @property
    def told(self) -> str:
        return f"{self.says} {told(self.allowing)}".strip()


class StageTasks(msgspec.Struct, frozen=True):
    """A stage's tasks. ``notes`` say what is wrong, or allowed beyond what the stage asks for."""

    tasks: tuple[Task, ...]
    notes: tuple[str, ...]
    removal: Call | None = None  # removes one of the learner's policies that allow too much

    @property
    def done(self) -> bool:
        return all(task.done for task in self.tasks) and not self.notes

    @property
    def next(self) -> Task | None:
        return next((task for task in self.tasks if not task.done), None)


class ByHand(msgspec.Struct):
    """The tasks of a run's stages. ``requests`` returns the account's log, newest first."""

    runner: Runner
    decide: Decide
    requests: Callable[[], Iterable[Event]]
    differing: list[str] = []

    def hear(self, event: object) -> None:
        """Note a thing that exists, but not as the step would make it."""
        if isinstance(event, StepDiffers):
            known = (one for one in event.differences if one.found)
            found = (f"Its {one.what}: {', '.join(one.found)}" for one in known)
            self.differing.append(". ".join((event.what, *found)) + ".")

    def look(self, stage: Stage) -> StageTasks:
        self.runner.steps.forget()  # since then the learner may have changed what they made
        adopted, differing = self._adopted(stage)
        by_hand = {at for at, _ in tasks_of(stage)}
        undone = by_hand - adopted
        stages = {*self.runner.stages_done, stage.id}
        cells = access.table(self.runner.lab, stages, self.runner.scope(), self.decide)
        own = {(each.cell, each.identity) for each in stage.changes}
        lacking = [*missing(cells, own, self.runner.past.entries())]
        reached = bool(stage.changes) and not lacking
        alike = {at for at in undone if self._is_alike(stage, stage.steps[at], cells)}
        failing = [*self._failing(stage)] if reached or alike or not undone else []
        strange = [policy for lack in (*lacking, *failing) for policy, _ in lack.allowing]
        # A profile must be as its task says.
        other_profile = any(stage.steps[at].profile for at, notes in differing.items() if notes)
        if not undone or (reached and not failing and not other_profile):
            notes = sentences([*lacking, *failing])
            return self._standing(stage, adopted, by_hand, notes, strange)
        # The checks as a profile that is still to be made can't hold yet.
        to_come = {profile.name for at in undone if (profile := stage.steps[at].profile)}
        in_the_way = [one for one in failing if one.who not in to_come]
        done = adopted if any(one.limits for one in in_the_way) else adopted | alike
        changed = self._changed_by_learner(stage)
        notes = sentences([one for one in lacking if one.limits])
        if len(changed) > sum(changes(stage.steps[at].call) for at in done):
            # The learner chose another way.
            notes += sentences(in_the_way)
        notes += [note for at, those in differing.items() for note in those if at not in done]
        misnamed = self._misnamed(stage, undone - done, changed)
        notes += [*self._astray(stage, changed), *dict.fromkeys(misnamed)]
        open_ = (step for at, step in tasks_of(stage) if at in by_hand - done)
        wanted = [one.profile.name for one in open_ if one.profile and one.service == "sts"]
        notes += unplaced(self.runner, self.runner.past.entered(stage.id), *wanted[:1])
        return self._standing(stage, adopted, done, notes, strange)

    def _failing(self, stage: Stage) -> Iterator[Lack]:
        """The checks that fail. A refusal is decided and not provoked: the log is the learner's."""
        checks, entries = self.runner.checks, self.runner.past.entries()
        for number, check in enumerate(stage.checkpoint):
            held, allowing = not check.call, Allowing()
            if check.fails:
                with suppress(UnresolvedReference):
                    verdict = self.decide(call_of(check, self.runner.scope()))
                    held = not verdict.allowed or verdict.fault in check.fails
                    allowing = foreign(verdict.allowing, entries)
            elif check.call:
                held, allowing = checks.try_again(stage, number).held, checks.allowing
            if not held:
                limits = bool(check.fails) or check.operation.startswith("Simulate")
                yield Lack(HOLD.format(check.says), check.identity, allowing, limits)

    def _standing(
        self, stage: Stage, adopted: set[int], done: set[int], notes: list[str], strange: list[str]
    ) -> StageTasks:
        """The tasks, and of the lab's own steps those that it did.

        ``strange`` are the learner's policies that allow too much.
        """
        tasks, by_hand, admin = [], dict(tasks_of(stage)), ADMIN
        owners = {policy.rpartition(" ")[2] for policy in strange}
        for at, step in enumerate(stage.steps):
            if at in by_hand:
                named = subject(self._known(step.params)) if _GIVES.fullmatch(step.call) else None
                spoilt = named is not None and named[1] in owners
                admin = step.identity if spoilt else admin
                text = task_text(self.runner.lab, step)
                tasks.append(Task(at, text, at in done and not spoilt, at in done and spoilt))
            elif _is_the_labs(step) and at in adopted:
                tasks.append(Task(at, f"{step.title}. (stslab did that.)", done=True))
        removals = filter(None, (removal(policy, admin) for policy in strange))
        return StageTasks(tuple(tasks), tuple(notes), next(removals, None))

    def _changed_by_learner(self, stage: Stage) -> list[Event]:
        """The learner's changing requests since the stage was begun, newest first."""
        since = self.runner.past.entered(stage.id)
        recent = takewhile(lambda event: str(event.get("eventTime", "")) >= since, self.requests())
        theirs = (event for event in recent if "errorCode" not in event and is_by_learner(event))
        return [event for event in theirs if changes(called(event))]

    def _astray(self, stage: Stage, changed: Iterable[Event]) -> Iterator[str]:
        """A sentence for each other thing that was changed: it says what the tasks are about."""
        place_of, steps = self.runner.work.place_of, [step for _, step in tasks_of(stage)]
        known = [(subject(self._known(one.params)), place_of(one.identity)) for one in steps]
        homes = [(about, place.account) for about, place in known if about]
        tasks = " and ".join(map(" ".join, dict(homes)))
        said = dict[object, str]()  # of the calls about a thing the first, which stays the same
        for event in changed if homes else ():
            about = subject(event.get("requestParameters") or {})
            identity = event.get("userIdentity", {})
            here, there = identity.get("accountId"), [home for one, home in homes if one == about]
            if about is None or here in there or (there and about[0] == "bucket"):
                continue
            who = str(identity.get("arn", "")).rpartition("/")[2]
            did = f"{str(event['eventTime'])[11:16]} {who} called {event['eventName']}"
            what = f"{' '.join(about)}, in account {here}" if there else " ".join(about)
            wanted = f"account {there[0]}" if there else tasks
            said[about, here] = f"{did} for {what}. The task is about {wanted}."
        yield from said.values()

    def _misnamed(
        self, stage: Stage, undone: Iterable[int], changed: Collection[Event]
    ) -> Iterator[str]:
        """A sentence on each policy of no step's name, where an undone step's task says one."""
        known = [self._known(step.params) for step in stage.steps]
        names = [str(each.get("PolicyName", "\0")) for each in known]
        for at in undone:
            step, name, about = stage.steps[at], names[at], subject(known[at])
            puts = [one["requestParameters"] for one in changed if called(one) == step.call]
            for put in puts if name in (step.task or "") else ():
                if about == subject(put) and put["PolicyName"] not in names:
                    yield WORDS["said"]["misnamed"].format(put["PolicyName"], name)

    def hint(self, stage: Stage, task: Task) -> tuple[str, bool]:
        """The next hint for a task, and whether it is the last: the caller shows the command."""
        step = stage.steps[task.number]
        texts = step.hints[: GRADES - 1]
        grade = self.runner.past.hinted(stage.id, task.number)
        last = grade >= len(texts)
        if grade < GRADES:
            self.runner.note(Hint(stage.id, task.number, GRADES - 1 if last else grade))
        if not last:
            return f"{texts[grade]}{self._where(texts[grade])}", False
        fills = f" It fills the profile {step.profile.name} too." if step.profile else ""
        return f"This is the command.{fills}", True

    def _where(self, hint: str) -> str:
        """The path of the first file that the hint names, and the values for its placeholders."""
        files = [_file(self.runner.lab, name) for name in _FILE.findall(hint)]
        for path in filter(Path.is_file, files):
            gaps = self._known({gap: gap for gap in _GAP.findall(path.read_text())})
            values = ", ".join(f"{value} for {gap}" for gap, value in gaps.items())
            return f" In a copy of {path} put {values}." if values else f" The file is {path}."
        return ""

    def solve(self, stage: Stage, task: Task) -> None:
        """Do a task as the lab would, and the steps before it; RunError if a call fails."""
        for at in range(task.number + 1):
            self.runner.do(stage, at)

    def _adopted(self, stage: Stage) -> tuple[set[int], dict[int, list[str]]]:
        """The steps whose things exist, and for the others, notes on what exists instead."""
        adopted, differing = set[int](), dict[int, list[str]]()
        for at, step in enumerate(stage.steps):
            self.differing = []
            if self._is_made(stage, at, step, after_all=len(adopted) == at):
                adopted.add(at)
            elif step.undo != ():  # a step without undo changes what an earlier one made
                differing[at] = self.differing
        return adopted, differing

    def _is_made(self, stage: Stage, at: int, step: Step, *, after_all: bool) -> bool:
        """Whether a step's things exist. Steps that only read, or are the lab's, are done here."""
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
        """Whether the account behaves as after this step; False if that can't be decided."""
        params = self._known(step.params)
        if step.call != "iam.UpdateAssumeRolePolicy":
            account = self.runner.work.place_of(step.identity).account
            return _behaves(step, params, account, self.runner.work.calls.once)
        role, table = f":role/{params.get('RoleName')}", self.runner.lab.access
        arns = {name: str(self._known(row.params).get("RoleArn")) for name, row in table.items()}
        rows = {name for name, arn in arns.items() if arn.endswith(role)}
        about = [cell for cell in cells if cell.cell in rows]
        return any(change.cell in rows for change in stage.changes) and all(
            cell.verdict.allowed == cell.expected.allowed for cell in about
        )

    def _known(self, params: Mapping[str, object]) -> Mapping[str, object]:
        return resolvable(params, self.runner.scope())


def unplaced(runner: Runner, since: str, wanted: str = "") -> Iterator[str]:
    """A sentence on the last session asked for ``since`` then, if ``wanted`` and in no profile."""
    calls, since = runner.work.calls, since[:19]  # STS's times are whole seconds
    asked = calls.hand.look(runner.run.id).sessions if wanted else {}
    last = max(asked.items(), key=lambda pair: pair[1].asked, default=None)
    held = filter(None, map(calls.profiles.get, calls.profiles.names()))
    if last and last[1].asked >= since and last[0] not in {one.access_key_id for one in held}:
        yield WORDS["said"]["unplaced"].format(wanted)


def sentences(lacks: Sequence[Lack]) -> list[str]:
    """What lacks, in sentences; what allows several in a row is named after the last."""
    pairs = zip_longest(lacks, lacks[1:])
    return [one.says if then and then.allowing == one.allowing else one.told for one, then in pairs]


def make(runner: Runner, *calls: Call) -> None:
    """Make these calls, which no step makes; RunError if AWS refuses one."""
    for call in calls:
        outcome = runner.work.calls.once(call)
        if not isinstance(outcome, Answer):
            raise RunError(f"{call.name} was refused: {outcome.text.rstrip('.')}.")


def tasks_of(stage: Stage) -> list[tuple[int, Step]]:
    """The steps of a stage that are done by hand, with their numbers."""
    own = ((at, step) for at, step in enumerate(stage.steps) if not _is_the_labs(step))
    return [(at, step) for at, step in own if changes(step.call) or step.profile]


def task_text(lab: Lab, step: Step, *, brief: bool = False) -> str:
    """What the learner should reach by hand, with the paths of files, or ``brief``."""

    def place(name: re.Match[str]) -> str:
        file = _file(lab, name[0])
        return name[0] if not file.is_file() else file.name if brief else str(file)

    return _FILE.sub(place, step.task or f"{step.title}.")


def _file(lab: Lab, name: str) -> Path:
    return (lab.path.parent / name).resolve()


def missing(
    cells: Iterable[access.CellState], own: Collection[access.Key], entries: Collection[Entry]
) -> Iterator[Lack]:
    """The ``own`` cells that are not as expected, and others that are allowed but should not be."""
    for cell in cells:
        allowed, should = cell.verdict.allowed, cell.expected.allowed
        if cell.key in own and allowed != should:
            says = HOLD.format(f"{cell.who} {'may' if should else 'may not'} {cell.says}")
        elif allowed and not should:
            says = f"More is allowed than the stage asks for: {cell.who} may {cell.says}."
        else:
            continue
        allowing = foreign(cell.verdict.allowing, entries)
        yield Lack(says, cell.who, allowing, limits=cell.key not in own)


def _is_the_labs(step: Step) -> bool:
    """Whether the lab itself does the step: moves the clock, gets a token, spoils a profile."""
    return step.service == EMBEDDED or bool(step.profile and step.profile.spoil)


def subject(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """The kind and the name of what a call is about, as in ``user`` and ``bob``."""
    found = ((one, str(params[one])) for one in _SUBJECTS if params.get(one))
    return next(((kind.removesuffix("Name").lower(), name) for kind, name in found), None)


def called(event: Event) -> str:
    """The request's operation, as in ``iam.CreateUser``."""
    return f"{str(event['eventSource']).partition('.')[0]}.{event['eventName']}"


def is_own(event: Event) -> bool:
    """Whether stslab made the request, not the learner by hand."""
    return str(event.get("userAgent", "")).endswith("stslab")


def is_look(event: Event) -> bool:
    """Whether stslab itself, as admin, looked how things are."""
    as_admin = event.get("userIdentity", {}).get("userName") == "admin"
    return is_own(event) and not changes(called(event)) and as_admin


def is_by_learner(event: Event) -> bool:
    """Whether the learner made the request, not stslab or a service."""
    return not str(event.get("userAgent", "")).endswith(("stslab", ".amazonaws.com"))


def _behaves(step: Step, params: Data, account: str, ask: Callable[[Call], Outcome]) -> bool:
    """Whether the user, role or group in ``account`` that gets a policy may do all it allows.

    False for a policy that denies, has conditions, or allows actions by a pattern.
    """
    gives = _GIVES.fullmatch(step.call)
    name = params.get(f"{gives[1]}Name") if gives else None
    if not gives or not name or "PolicyDocument" not in params:
        return False
    owner = f"arn:aws:iam::{account}:{gives[1].lower()}/{name}"
    return all(
        statement["Effect"] == "Allow"
        and statement.keys() >= {"Action", "Resource"}
        and "Condition" not in statement
        and "*" not in str(statement["Action"])
        and _may(step.identity, owner, statement, ask)
        for statement in statements_of(json.loads(str(params["PolicyDocument"])))
    )


def _may(who: str, owner: str, statement: Data, ask: Callable[[Call], Outcome]) -> bool:
    """Each action is asked on the resources that it can have: on others AWS denies it."""
    resources = listed(statement["Resource"])
    for action in listed(statement["Action"]):
        arns = [arn for arn in resources if can_have(action, arn)]
        params = {"PolicySourceArn": owner, "ActionNames": [action], "ResourceArns": arns}
        outcome = ask(Call(who, "iam", "SimulatePrincipalPolicy", params)) if arns else None
        results = outcome.data.get("EvaluationResults", ()) if isinstance(outcome, Answer) else ()
        if arns and not any(result["EvalDecision"] == "allowed" for result in results):
            return False
    return True
