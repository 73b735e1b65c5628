"""The chain: who came by their credentials from which caller, and what each may do with them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from stslab.errors import UnresolvedReference
from stslab.lab.model import LabFile
from stslab.lab.references import resolve
from stslab.lesson.access import expected
from stslab.lesson.evidence import renamed
from stslab.runner.ports import Data

_WHAT: Mapping[str, str] = {
    "iam.CreateAccessKey": "the user {UserName}",
    "sts.AssumeRole": "the session {RoleSessionName} of {RoleArn}",
}
"""What a caller is that such a call makes."""


@dataclass(frozen=True, slots=True)
class Link:
    """One caller: how many others stand before it, what it is, and what it may do."""

    who: str
    depth: int
    what: str = ""
    may: tuple[str, ...] = ()


def chain(
    lab: LabFile, done: Collection[str], known: Data, names: Mapping[str, str]
) -> tuple[Link, ...]:
    """The callers that these stages made, each behind the one that it came from.

    ``known`` is what the run knows; ``names`` are variables that stand for what they hold.
    """
    cells = expected(lab, done)
    links = {"admin": Link("admin", 0)}
    for step in (step for stage in lab.stages if stage.id in done for step in stage.steps):
        if step.profile:
            who, before = step.profile.name, links.get(step.identity)
            may = tuple(
                lab.access[cell].says
                for (cell, caller), one in cells.items()
                if caller == who and one.allowed
            )
            try:
                params = renamed(resolve(step.params, known), names)
                what = _WHAT.get(step.call, "").format_map(params)
            except (UnresolvedReference, KeyError):
                what = ""
            links[who] = Link(who, before.depth + 1 if before else 1, what, may)
    return tuple(links.values())
