"""The access table: who can do what, as the lab expects it and as the account decides it.

Also the chain of callers: which caller got its credentials from which, and what each may do.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile

import msgspec
from msgspec.structs import replace

from stslab.errors import UnresolvedReference
from stslab.lab.model import Cell, Change, LabFile
from stslab.lab.references import resolve
from stslab.lesson.evidence import renamed
from stslab.lesson.verdict import UNKNOWN, Decide, Verdict
from stslab.runner.ports import Data

Key = tuple[str, str]  # A cell of the table: the row's id and the identity that calls


class CellState(msgspec.Struct, frozen=True):
    """One cell. The account's ``verdict`` is unknown while the lab's names are."""

    cell: str
    who: str
    says: str
    expected: Change  # the last one that a stage made
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
        """Whether the verdict, if known, is the expected one."""
        return self.verdict.allowed is None or self.verdict.allowed == self.expected.allowed

    @property
    def too_wide(self) -> bool:
        return bool(self.verdict.allowed) and not self.expected.allowed


Cells = tuple[CellState, ...]


def keys(lab: LabFile) -> Iterator[tuple[Key, Cell]]:
    for name, cell in lab.access.items():
        for who in cell.identities:
            yield (name, who), cell


def expected(lab: LabFile, done: Collection[str]) -> dict[Key, Change]:
    """The expected table once these stages are done. A cell is denied until a stage allows it."""
    table = {
        (cell, who): Change(identity=who, cell=cell, allowed=False) for (cell, who), _ in keys(lab)
    }
    changes = (change for stage in lab.stages if stage.id in done for change in stage.changes)
    return table | {(change.cell, change.identity): change for change in changes}


def table(lab: LabFile, done: Collection[str], scope: Data, decide: Decide) -> Cells:
    """Each cell as expected, and as the account decides it now."""
    cells, expectations = [], expected(lab, done)
    for key, cell in keys(lab):
        verdict = UNKNOWN
        with suppress(UnresolvedReference):
            params = resolve(cell.params, scope)
            verdict = decide(key[1], cell.service, cell.operation, params)
        cells.append(CellState(*key, cell.says, expectations[key], verdict))
    return tuple(cells)


def changed(before: Collection[CellState], after: Collection[CellState]) -> frozenset[Key]:
    """The cells that are allowed in one of the two tables but not in the other."""
    was = {cell.key for cell in before if cell.verdict.allowed}
    return frozenset(cell.key for cell in after if (cell.key in was) != bool(cell.verdict.allowed))


# -- the chain of callers ------------------------------------------------------------------------

_WHAT: Mapping[str, str] = {
    "iam.CreateAccessKey": "the user {UserName}",
    "sts.GetSessionToken": "a session of the same user",
    "sts.AssumeRole": "a session of {RoleArn}",
    "sts.AssumeRoleWithWebIdentity": "a session of {RoleArn}, by a token",
}
"""Calls that make a caller, and a description of it."""
_NAMED = ("UserName", "RoleArn")


class Link(msgspec.Struct, frozen=True):
    """One caller: its description, and what it may do."""

    who: str
    depth: int  # how many callers its credentials came through
    what: str = ""
    may: tuple[str, ...] = ()


def chain(
    lab: LabFile,
    done: Collection[str],
    known: Data,
    names: Mapping[str, str],
    *,
    ever: bool = False,
    asked: Collection[Key] = (),
) -> tuple[Link, ...]:
    """The callers that these stages made, each after the one that its credentials came from.

    ``known`` is what the run knows. ``names`` are shell variables, shown in place of their values.
    Each may do what is allowed after these stages, or after any of them if ``ever``; cells that are
    ``asked`` next are left out.
    """
    stages = [stage for stage in lab.stages if stage.id in done]
    tables = [expected(lab, [each.id for each in stages[:at]]) for at in range(len(stages) + 1)]
    tables = tables if ever else tables[-1:]
    links = [Link("admin", 0)]
    for step in (step for stage in stages for step in stage.steps):
        if step.profile:
            who = step.profile.name
            may = tuple(
                lab.access[cell].says
                for cell, caller in tables[-1]
                if caller == who
                and (cell, caller) not in asked
                and any(table[cell, caller].allowed for table in tables)
            )
            try:
                named = {name: step.params[name] for name in _NAMED if name in step.params}
                params = renamed(resolve(named, known), names)
                what = _WHAT.get(step.call, "").format_map(params)
            except (UnresolvedReference, KeyError):
                what = ""
            _add(links, step.identity, Link(who, 0, what, may))
    return tuple(links)


def _add(links: list[Link], source: str, new: Link) -> None:
    """Insert a caller after its source and the callers that already came from that source."""
    if source not in [link.who for link in links]:
        links.append(Link(source, 0))
    at = next(at for at, link in enumerate(links) if link.who == source)
    depth = links[at].depth + 1
    inner = takewhile(lambda link: link.depth >= depth, links[at + 1 :])
    links.insert(at + 1 + len(list(inner)), replace(new, depth=depth))
