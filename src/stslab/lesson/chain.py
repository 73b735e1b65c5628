"""The chain: who came by their credentials from which caller, and what each may do with them."""

from collections.abc import Collection, Mapping
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from stslab.errors import UnresolvedReference
from stslab.lab.model import LabFile
from stslab.lab.references import resolve
from stslab.lesson.access import expected
from stslab.lesson.evidence import renamed
from stslab.runner.ports import Data

_WHAT: Mapping[str, str] = {
    "iam.CreateAccessKey": "the user {UserName}",
    "sts.GetSessionToken": "a session of the same user",
    "sts.AssumeRole": "a session of {RoleArn}",
    "sts.AssumeRoleWithWebIdentity": "a session of {RoleArn}, by a token",
}
"""What a caller is that such a call makes."""
_NAMED = ("UserName", "RoleArn")


class Link(msgspec.Struct, frozen=True):
    """One caller: how many others stand before it, what it is, and what it may do."""

    who: str
    depth: int
    what: str = ""
    may: tuple[str, ...] = ()


def chain(
    lab: LabFile,
    done: Collection[str],
    known: Data,
    names: Mapping[str, str],
    *,
    ever: bool = False,
) -> tuple[Link, ...]:
    """The callers that these stages made, each behind the one that it came from.

    ``known`` is what the run knows; ``names`` are variables that stand for what they hold. What
    each may do is how it is after these stages, or all that it ``ever`` might.
    """
    stages = [one for one in lab.stages if one.id in done]
    tables = [expected(lab, [one.id for one in stages[:at]]) for at in range(len(stages) + 1)]
    tables = tables if ever else tables[-1:]
    links = [Link("admin", 0)]
    for step in (step for stage in stages for step in stage.steps):
        if step.profile:
            who = step.profile.name
            may = tuple(
                lab.access[cell].says
                for cell, caller in tables[-1]
                if caller == who and any(one[cell, caller].allowed for one in tables)
            )
            try:
                said = {one: step.params[one] for one in _NAMED if one in step.params}
                params = renamed(resolve(said, known), names)
                what = _WHAT.get(step.call, "").format_map(params)
            except (UnresolvedReference, KeyError):
                what = ""
            _add(links, step.identity, Link(who, 0, what, may))
    return tuple(links)


def _add(links: list[Link], source: str, new: Link) -> None:
    """Put a caller behind the one that it came from, and behind what else came from that one."""
    if source not in [one.who for one in links]:
        links.append(Link(source, 0))
    at = next(at for at, one in enumerate(links) if one.who == source)
    depth = links[at].depth + 1
    inner = takewhile(lambda one: one.depth >= depth, links[at + 1 :])
    links.insert(at + 1 + len(list(inner)), replace(new, depth=depth))
