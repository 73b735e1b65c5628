"""Which stages a run does, in which order, and what each needs of those before it. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.errors import UsageError
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lab.references import names_used


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages chosen, in the lab's order."""

    stages: tuple[Stage, ...]

    @property
    def calls(self) -> int:
        """How many calls the steps make."""
        return sum(len(stage.steps) for stage in self.stages)


def plan(lab: Lab, *, first: str = "", last: str = "") -> Plan:
    """The stages from ``first`` to ``last``, both included; empty for the lab's own ends.

    Raises:
        UsageError: there is no such stage, or they stand the other way round.
    """
    ids = [stage.id for stage in lab.stages]
    start = _position(ids, first) if first else 0
    end = _position(ids, last) if last else len(ids) - 1
    if start > end:
        raise UsageError(
            f"The stage {first} comes after {last}.", f"The order is: {', '.join(ids)}."
        )
    return Plan(lab.stages[start : end + 1])


def stage_of(lab: Lab, stage_id: str) -> Stage:
    """The lab's stage of this id.

    Raises:
        UsageError: there is none.
    """
    return lab.stages[_position([stage.id for stage in lab.stages], stage_id)]


def needed(lab: Lab, stage_id: str) -> tuple[str, ...]:
    """The earlier stages that save or make what this one refers to, and what those need.

    The cleanup stage needs none: it takes back whatever there is.
    """
    stage = stage_of(lab, stage_id)
    if stage.cleanup:
        return ()
    before = lab.stages[: lab.stages.index(stage)]
    wanted, named, found = _uses(stage), _named(stage), set[str]()
    for earlier in reversed(before):
        if not earlier.cleanup and (_gives(earlier) & wanted or _makes(earlier) & named):
            found.add(earlier.id)
            wanted |= _uses(earlier)
            named |= _named(earlier)
    return tuple(one.id for one in before if one.id in found)


def missing(lab: Lab, stage_id: str, done: Collection[str]) -> tuple[str, ...]:
    """The stages that come first and are not done, in order."""
    return tuple(one for one in needed(lab, stage_id) if one not in done)


def _position(ids: list[str], stage_id: str) -> int:
    if stage_id not in ids:
        raise UsageError(
            f"This lab has no stage {stage_id!r}.", f"Its stages are: {', '.join(ids)}."
        )
    return ids.index(stage_id)


def _gives(stage: Stage) -> set[str]:
    """The names of variables and profiles that a stage's steps make."""
    saved = {name for step in stage.steps for name in step.save}
    return saved | {f"profile {step.profile.name}" for step in stage.steps if step.profile}


def _uses(stage: Stage) -> set[str]:
    parts: Iterator[Step | Check] = iter([*stage.steps, *stage.checkpoint])
    names = set[str]()
    for part in parts:
        names |= {f"profile {part.identity}"} | names_used(dict(part.params))
        names |= names_used(_expressions(part))
    return names


def _expressions(part: Step | Check) -> list[str]:
    return [part.expect or ""] if isinstance(part, Check) else [*part.save.values()]


def _makes(stage: Stage) -> set[str]:
    """The names by which a stage's steps name what they make, and what it is made with."""
    return {name for step in stage.steps if step.undo for name in _named_by(step.params)}


def _named(stage: Stage) -> set[str]:
    """The names by which a stage's steps name what they work on."""
    return {name for step in stage.steps for name in _named_by(step.params)}


def _named_by(params: Mapping[str, Any]) -> set[str]:
    return names_used(dict(params)) - _EVERYWHERE


_EVERYWHERE = {"run", "account", "region", "partition", "profiles"}
