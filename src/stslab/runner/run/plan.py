"""The plan of a run: its stages, which earlier ones each one needs, and the dry run. Pure."""

from collections.abc import Callable, Collection, Iterable

from msgspec.structs import asdict

from stslab.errors import RunError, UsageError
from stslab.lab.effects import LabCall, lab_calls, summary
from stslab.lab.embedded import LIVE
from stslab.lab.model import Cell, Check, Lab, Stage, Step
from stslab.lab.references import names_used
from stslab.redaction import redact
from stslab.runner import events
from stslab.runner.ports import Call, TargetInfo
from stslab.runner.run.scope import basis, refused
from stslab.vocabulary import Gate


def plan(lab: Lab, *, first: str = "", last: str = "") -> tuple[Stage, ...]:
    """The stages from ``first`` to ``last``, inclusive; "" means the lab's first or last."""
    start = lab.stages.index(stage_of(lab, first)) if first else 0
    end = lab.stages.index(stage_of(lab, last)) if last else len(lab.stages) - 1
    if start > end:
        order = ", ".join(stage.id for stage in lab.stages)
        raise UsageError(f"The stage {first} comes after {last}.", f"The order is: {order}.")
    return lab.stages[start : end + 1]


def stage_of(lab: Lab, stage_id: str) -> Stage:
    """The lab's stage of this id or number, from 1; UsageError if the lab has no such stage."""
    if stage := lab.stage(stage_id):
        return stage
    message = f"This lab has no stage {stage_id!r}." if stage_id else "No stage is named."
    file = " A lab's file is named by --lab FILE." if stage_id.endswith(".yaml") else ""
    raise UsageError(message, f"The lab has: {', '.join(stage.id for stage in lab.stages)}.{file}")


def needed(lab: Lab, stage_id: str) -> tuple[str, ...]:
    """The earlier stages that save or make what this stage refers to, and those they need."""
    stage = stage_of(lab, stage_id)
    if stage.cleanup:  # it undoes whatever exists
        return ()
    before = lab.stages[: lab.stages.index(stage)]
    wanted, named, ids = _uses(lab, stage), _named(stage.steps), set[str]()
    for earlier in reversed(before):
        made = _named(step for step in earlier.steps if step.undo)  # others only change something
        if not earlier.cleanup and (_gives(earlier) & wanted or made & named):
            ids.add(earlier.id)
            wanted |= _uses(lab, earlier)
            named |= _named(earlier.steps)
    return tuple(each.id for each in before if each.id in ids)


def require_done(stage_id: str, lacking: Collection[str]) -> None:
    """RunError: the stage lacks these."""
    if lacking:
        raise RunError(*refused("stages", stage=stage_id, names=", ".join(lacking)))


def changed_by(lab: Lab, stage: Stage, check: Check, done: Collection[str]) -> str:
    """The id of a ``done`` stage after which the check's claim need no longer hold, or "".

    That is the cleanup stage, or one that deletes a stack; one whose ``changes`` say so, or end the
    caller's credentials; or, if the lab later expects another answer to the same call, one that
    changes something the check refers to.
    """
    later = lab.stages[lab.stages.index(stage) + 1 :]
    # The names in the check, and those in the steps that made its caller's profile.
    makers = [step for step in lab.steps if step.profile and step.profile.name == check.identity]
    about = names_used(check.params) | _named(makers)
    expecting = [each for each in later if not each.cleanup and _expects_otherwise(each, check)]
    wanted, who = (not check.fails, check.by), check.identity
    for each in (one for one in (*expecting, *later) if one.id in done):
        declared = any(
            (change.allowed, change.by) != wanted
            and _asks_the_same(change.identity, lab.access[change.cell], check)
            for change in each.changes
        )
        ended = any(one.identity == who and Gate.SIGNATURE in one.by for one in each.changes)
        ended |= each.cleanup or any(step.operation == "DeleteStack" for step in each.steps)
        changed = _named(step for step in each.steps if step.undo is not None)
        if ended or declared or (expecting and changed & about):
            return each.id
    return ""


def _expects_otherwise(stage: Stage, check: Check) -> bool:
    """Whether a stage makes an earlier check's call, and expects another answer."""
    parts: list[Step | Check] = [*stage.steps, *stage.checkpoint]
    wanted = (check.fails, check.expect)
    return any(
        wanted != ((part.fails, part.expect) if isinstance(part, Check) else ((), None))
        for part in parts
        if _asks_the_same(part.identity, part, check)
    )


def _asks_the_same(identity: str, part: Step | Check | Cell, check: Check) -> bool:
    ours, theirs = names_used(part.params), names_used(check.params)
    same = (identity, part.call) == (check.identity, check.call)
    return same and (ours <= theirs or theirs <= ours) and bool(ours) == bool(theirs)


def _gives(stage: Stage) -> set[str]:
    """The names of variables and profiles that a stage's steps make."""
    saved = {name for step in stage.steps for name in step.save}
    saved |= {"token" for step in stage.steps if step.token}
    return saved | {f"profile {step.profile.name}" for step in stage.steps if step.profile}


def _uses(lab: Lab, stage: Stage) -> set[str]:
    parts: list[Step | Check] = [*stage.steps, *stage.checkpoint]
    names = set[str]()
    for part in parts:
        texts = [part.expect or ""] if isinstance(part, Check) else [*part.save.values()]
        names |= {f"profile {part.identity}"} | names_used(part.params) | names_used(texts)
        names |= _settings(lab, part.identity)
    return names


def _settings(lab: Lab, identity: str) -> set[str]:
    """The names in a profile's settings, and in those of its source profiles."""
    profile = lab.profiles.get(identity)
    if profile is None:
        return set()
    names = names_used(profile.values) | {f"profile {name}" for name in profile.sources}
    token = {"token"} if profile.web_identity_token_file else set()
    return names.union(token, *(_settings(lab, name) for name in profile.sources))


def _named(steps: Iterable[Step]) -> set[str]:
    return names_used([step.params for step in steps]) - _EVERYWHERE


_EVERYWHERE = {"run", "account", "accounts", "region", "partition", "profiles", *LIVE}


def stage_started(lab: Lab, stage: Stage) -> events.StageStarted:
    return events.StageStarted(
        stage=stage.id,
        title=stage.title,
        intro=stage.intro,
        pages=tuple((page.title, page.url) for page in stage.pages),
        number=lab.stages.index(stage) + 1,
        of=len(lab.stages),
    )


# -- the dry run: the events of a run, without any call ------------------------------------------
# A value that only an answer would give is shown as its name in angle brackets.

DRY_ID = "abcd1234"  # the run id that a dry run shows


def dry_run(
    lab: Lab, target: TargetInfo, emit: Callable[[events.Event], None], stages: tuple[Stage, ...]
) -> None:
    """Emit the events of a run of these stages, up to their calls."""
    started = events.RunStarted(
        run=DRY_ID,
        lab=lab.id,
        title=lab.title,
        target=target.name,
        account=target.account,
        region=target.region,
        stages=tuple(events.StageShown(stage.id, stage.title) for stage in lab.stages),
        dry=True,
    )
    emit(started)
    chosen, base = {stage.id for stage in stages}, basis(lab, DRY_ID, target)
    every = lab_calls(lab, base, embedded=target.embedded)
    listed = [each for each in every if each.stage in chosen]
    placed = {each.place: each for each in listed}
    emit(events.Foreseen(**asdict(summary(listed))))
    for stage in stages:
        number, of = lab.stages.index(stage), len(stage.steps)
        emit(stage_started(lab, stage))
        for at, step in enumerate(stage.steps):
            call = _shown(placed["stages", number, "steps", at])
            emit(events.StepStarted(stage.id, step.title, call, at + 1, of, step.why or ""))
        for at, check in enumerate(stage.checkpoint):
            asked = placed.get(("stages", number, "checkpoint", at))
            emit(events.CheckStarted(stage.id, check.says, _shown(asked) if asked else None))


def _shown(lab_call: LabCall) -> Call:
    service, _, operation = lab_call.call.partition(".")
    return Call(lab_call.identity, service, operation, redact(lab_call.params))
