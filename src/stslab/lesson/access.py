"""The access table: who can do what, as the lab says it and as the account decides it.

And the chain: who came by their credentials from which caller, and what each may do with them.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from stslab.errors import UnresolvedReference
from stslab.lab.model import Cell, LabFile
from stslab.lab.references import resolve
from stslab.lesson.evidence import renamed
from stslab.lesson.ports import UNKNOWN, Decide, Verdict
from stslab.runner.ports import Data
from stslab.vocabulary import Gate

Key = tuple[str, str]  # A cell of the table: the row's id and who would call


class Expected(msgspec.Struct, frozen=True):
    """What a cell should be: allowed, or denied; ``by`` these gates, where the lab names them."""

    allowed: bool = False
    by: tuple[Gate, ...] = ()


class CellState(msgspec.Struct, frozen=True):
    """One cell. ``verdict`` is what the account decides; unknown where names are not known yet."""

    cell: str
    who: str
    says: str
    expected: Expected
    verdict: Verdict

    @property
    def key(self) -> Key:
        return self.cell, self.who

    @property
    def word(self) -> str:
        words = {True: "allowed", False: "denied", None: "unknown"}
        return words[self.verdict.allowed]

    @property
    def fits(self) -> bool:
        """Whether it is as it should be, as far as that is known."""
        return self.verdict.allowed is None or self.verdict.allowed == self.expected.allowed

    @property
    def too_wide(self) -> bool:
        """Whether somebody may do what they should not."""
        return bool(self.verdict.allowed) and not self.expected.allowed


Cells = tuple[CellState, ...]


def keys(lab: LabFile) -> Iterator[tuple[Key, Cell]]:
    for name, cell in lab.access.items():
        for who in cell.identities:
            yield (name, who), cell


def expected(lab: LabFile, done: Collection[str]) -> dict[Key, Expected]:
    """The table as it should be when these stages are done: denied until a stage changes it."""
    table = {key: Expected() for key, _ in keys(lab)}
    for stage in lab.stages:
        for change in stage.changes if stage.id in done else ():
            table[change.cell, change.identity] = Expected(change.allowed, change.by)
    return table


def table(lab: LabFile, done: Collection[str], scope: Data, decide: Decide) -> Cells:
    """Each cell as it should be, and as the account decides it now."""
    wanted = expected(lab, done)
    return tuple(
        CellState(key[0], key[1], cell.says, wanted[key], _verdict(cell, key[1], scope, decide))
        for key, cell in keys(lab)
    )


def _verdict(cell: Cell, who: str, scope: Data, decide: Decide) -> Verdict:
    try:
        params = resolve(cell.params, scope)
    except UnresolvedReference:
        return UNKNOWN
    return decide(who, cell.service, cell.operation, params)


def changed(before: Collection[CellState], after: Collection[CellState]) -> frozenset[Key]:
    """The cells that are allowed in one of two looks at the table, and not in the other."""
    was = {one.key for one in before if one.verdict.allowed}
    return frozenset(one.key for one in after if (one.key in was) != bool(one.verdict.allowed))


# -- the chain of callers ------------------------------------------------------------------------

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
