"""Which stages a run does, in which order, and what each needs of those before it. Pure."""

from collections.abc import Collection, Iterator

from stslab.errors import UsageError
from stslab.lab.embedded import LIVE
from stslab.lab.model import Cell, Check, Lab, Stage, Step
from stslab.lab.references import names_used
from stslab.runner.events import StageStarted
from stslab.runner.ports import Data


def plan(lab: Lab, *, first: str = "", last: str = "") -> tuple[Stage, ...]:
    """The stages from ``first`` to ``last``, both included; empty for the lab's own ends."""
    ids = [stage.id for stage in lab.stages]
    start = _position(ids, first) if first else 0
    end = _position(ids, last) if last else len(ids) - 1
    if start > end:
        raise UsageError(
            f"The stage {first} comes after {last}.", f"The order is: {', '.join(ids)}."
        )
    return lab.stages[start : end + 1]


def stage_of(lab: Lab, stage_id: str) -> Stage:
    """The lab's stage of this id, or number, counted from 1. Raises UsageError: there is none."""
    return lab.stages[_position([stage.id for stage in lab.stages], stage_id)]


def needed(lab: Lab, stage_id: str) -> tuple[str, ...]:
    """The earlier stages that save or make what this one refers to, and what those need."""
    stage = stage_of(lab, stage_id)
    if stage.cleanup:  # it undoes whatever there is
        return ()
    before = lab.stages[: lab.stages.index(stage)]
    wanted, named, found = _uses(lab, stage), _named(stage), set[str]()
    for earlier in reversed(before):
        if not earlier.cleanup and (_gives(earlier) & wanted or _makes(earlier) & named):
            found.add(earlier.id)
            wanted |= _uses(lab, earlier)
            named |= _named(earlier)
    return tuple(one.id for one in before if one.id in found)


def missing(lab: Lab, stage_id: str, done: Collection[str]) -> tuple[str, ...]:
    """The stages that come first and are not done, in order."""
    return tuple(one for one in needed(lab, stage_id) if one not in done)


def changed_by(lab: Lab, stage: Stage, check: Check, done: Collection[str]) -> str:
    """The stage among those ``done`` that has changed what a claim is about since; or nothing.

    It undoes everything. Or the lab itself wants something else of the same call later, and the
    stage changes what that is named by, or says so in its ``changes``.
    """
    later = lab.stages[lab.stages.index(stage) + 1 :]
    ended = [each for each in later if each.id in done]
    # What the check names, and by which names the steps that made its profile name whose it is.
    steps = [step for stage in lab.stages for step in stage.steps]
    makers = [step for step in steps if step.profile and step.profile.name == check.identity]
    about = _about(check).union(*(_named_by(step.params) for step in makers))
    for_a_while = any(_wants_otherwise(each, check) for each in later if not each.cleanup)
    for each in ended:
        told = any(
            change.allowed is bool(check.fails)
            and _asks_the_same(change.identity, lab.access[change.cell], check)
            for change in each.changes
        )
        if each.cleanup or told or (for_a_while and _makes(each) & about):
            return each.id
    return ""


def _wants_otherwise(stage: Stage, check: Check) -> bool:
    """Whether a stage makes the call of an earlier claim, and wants another answer."""
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
    """What a profile's settings refer to, and those of the profile that it comes from."""
    said = lab.profiles.get(identity)
    if said is None:
        return set()
    names = names_used(dict(said.values)) | {f"profile {one}" for one in said.sources}
    token = {"token"} if said.web_identity_token_file else set()
    return names.union(token, *(_settings(lab, one) for one in said.sources))


def _makes(stage: Stage) -> set[str]:
    """The names by which a stage's steps name what they make, and what it is made with."""
    return {name for step in stage.steps if step.undo for name in _named_by(step.params)}


def _named(stage: Stage) -> set[str]:
    """The names by which a stage's steps name what they work on."""
    return {name for step in stage.steps for name in _named_by(step.params)}


def _named_by(params: Data) -> set[str]:
    return names_used(dict(params)) - _EVERYWHERE


_EVERYWHERE = {"run", "account", "accounts", "region", "partition", "profiles", *LIVE}


def stage_started(lab: Lab, stage: Stage) -> StageStarted:
    """A stage as it is told when it begins."""
    return StageStarted(
        stage=stage.id,
        title=stage.title,
        intro=stage.intro,
        pages=tuple((page.title, page.url) for page in stage.pages),
        number=lab.stages.index(stage) + 1,
        of=len(lab.stages),
    )
