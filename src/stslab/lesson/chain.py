"""The chain: who came by their credentials from which caller, and what each may do with them."""

from collections.abc import Collection
from dataclasses import dataclass

from stslab.lab.model import LabFile
from stslab.lesson.access import expected


@dataclass(frozen=True, slots=True)
class Link:
    """One caller: how many others stand before it, the step that made it, and what it may do."""

    who: str
    depth: int
    how: str = ""
    may: tuple[str, ...] = ()


def chain(lab: LabFile, done: Collection[str]) -> tuple[Link, ...]:
    """The callers that these stages made, each behind the one that it came from."""
    cells = expected(lab, done)
    links = {"admin": Link("admin", 0)}
    for stage in lab.stages:
        for step in stage.steps if stage.id in done else ():
            if step.profile:
                who, before = step.profile.name, links.get(step.identity)
                may = tuple(
                    lab.access[cell].says
                    for (cell, caller), one in cells.items()
                    if caller == who and one.allowed
                )
                links[who] = Link(who, before.depth + 1 if before else 1, step.title, may)
    return tuple(links.values())
