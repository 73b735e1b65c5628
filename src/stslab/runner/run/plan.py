"""The plan of a run: its stages in order, and which earlier stages each one needs. Pure."""

from collections.abc import Collection, Iterator

from stslab.errors import UsageError
from stslab.lab.embedded import LIVE
from stslab.lab.model import Cell, Check, Lab, Stage, Step
from stslab.lab.references import names_used
from stslab.runner.events import StageStarted
from stslab.runner.ports import Data


def plan(lab: Lab, *, first: str = "", last: str = "") -> tuple[Stage, ...]:
    """The stages from ``first`` to ``last``, inclusive; "" means the lab's first or last."""
    ids = [stage.id for stage in lab.stages]
    start = _position(ids, first) if first else 0
    end = _position(ids, last) if last else len(ids) - 1
    if start > end:
        raise UsageError(
            f"The stage {first} comes after {last}.", f"The order is: {', '.join(ids)}."
        )
    return lab.stages[start : end + 1]


def stage_of(lab: Lab, stage_id: str) -> Stage:
    """The lab's stage of this id or number, from 1; UsageError if the lab has no such stage."""
    return lab.stages[_position([stage.id for stage in lab.stages], stage_id)]


def needed(lab: Lab, stage_id: str) -> tuple[str, ...]:
    """The earlier stages that save or make what this stage refers to, and those they need."""
    stage = stage_of(lab, stage_id)
    if stage.cleanup:  # it undoes whatever exists
        return ()
    before = lab.stages[: lab.stages.index(stage)]
    wanted, named, ids = _uses(lab, stage), _named(stage), set[str]()
    for earlier in reversed(before):
        if not earlier.cleanup and (_gives(earlier) & wanted or _makes(earlier) & named):
            ids.add(earlier.id)
            wanted |= _uses(lab, earlier)
            named |= _named(earlier)
    return tuple(each.id for each in before if each.id in ids)


def missing(lab: Lab, stage_id: str, done: Collection[str]) -> tuple[str, ...]:
    """The stages that this one needs and that are not done, in order."""
    return tuple(each for each in needed(lab, stage_id) if each not in done)


def changed_by(lab: Lab, stage: Stage, check: Check, done: Collection[str]) -> str:
    """The id of a ``done`` stage after which the check's claim need no longer hold, or "".

    That is the cleanup stage; a stage whose ``changes`` say so; or, if the lab later expects
    another answer to the same call, a stage that changes something the check refers to.
    """
    later = lab.stages[lab.stages.index(stage) + 1 :]
    ended = [each for each in later if each.id in done]
    # The names in the check, and those in the steps that made its caller's profile.
    steps = [step for stage in lab.stages for step in stage.steps]
    makers = [step for step in steps if step.profile and step.profile.name == check.identity]
    about = _about(check).union(*(_named_by(step.params) for step in makers))
    for_a_while = any(_expects_otherwise(each, check) for each in later if not each.cleanup)
    for each in ended:
        declared = any(
            change.allowed is bool(check.fails)
            and _asks_the_same(change.identity, lab.access[change.cell], check)
            for change in each.changes
        )
        if each.cleanup or declared or (for_a_while and _makes(each) & about):
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
    ours, theirs = _about(part), _about(check)
    same = (identity, part.call) == (check.identity, check.call)
    return same and (ours <= theirs or theirs <= ours) and bool(ours) == bool(theirs)


def _about(part: Step | Check | Cell) -> set[str]:
    return names_used(dict(part.params))


def _position(ids: list[str], stage_id: str) -> int:
    numbers = [str(number) for number in range(1, len(ids) + 1)]
    if stage_id in numbers:
        return numbers.index(stage_id)
    if stage_id not in ids:
        raise UsageError(
            f"This lab has no stage {stage_id!r}.", f"Its stages are: {', '.join(ids)}."
        )
    return ids.index(stage_id)


def _gives(stage: Stage) -> set[str]:
    """The names of variables and profiles that a stage's steps make."""
    saved = {name for step in stage.steps for name in step.save}
    saved |= {"token" for step in stage.steps if step.token}
    return saved | {f"profile {step.profile.name}" for step in stage.steps if step.profile}


def _uses(lab: Lab, stage: Stage) -> set[str]:
    parts: Iterator[Step | Check] = iter([*stage.steps, *stage.checkpoint])
    names = set[str]()
    for part in parts:
        texts = [part.expect or ""] if isinstance(part, Check) else [*part.save.values()]
        names |= {f"profile {part.identity}"} | names_used(dict(part.params)) | names_used(texts)
        names |= _settings(lab, part.identity)
    return names


def _settings(lab: Lab, identity: str) -> set[str]:
    """The names in a profile's settings, and in those of its source profiles."""
    profile = lab.profiles.get(identity)
    if profile is None:
        return set()
    names = names_used(dict(profile.values)) | {f"profile {name}" for name in profile.sources}
    token = {"token"} if profile.web_identity_token_file else set()
    return names.union(token, *(_settings(lab, name) for name in profile.sources))


def _makes(stage: Stage) -> set[str]:
    """The names in the parameters of a stage's steps that make things."""
    return {name for step in stage.steps if step.undo for name in _named_by(step.params)}


def _named(stage: Stage) -> set[str]:
    """The names in the parameters of a stage's steps."""
    return {name for step in stage.steps for name in _named_by(step.params)}


def _named_by(params: Data) -> set[str]:
    return names_used(dict(params)) - _EVERYWHERE


_EVERYWHERE = {"run", "account", "accounts", "region", "partition", "profiles", *LIVE}


def stage_started(lab: Lab, stage: Stage) -> StageStarted:
    return StageStarted(
        stage=stage.id,
        title=stage.title,
        intro=stage.intro,
        pages=tuple((page.title, page.url) for page in stage.pages),
        number=lab.stages.index(stage) + 1,
        of=len(lab.stages),
    )
