"""The access table: who can do what, as the lab says it and as the account decides it."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from stslab.errors import UnresolvedReference
from stslab.lab.model import Cell, LabFile
from stslab.lab.references import resolve
from stslab.lesson.ports import UNKNOWN, Decide, Verdict
from stslab.policy.vocabulary import Gate

Key = tuple[str, str]
"""A cell of the table: the row's id and who would call."""


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
    def word(self) -> str:
        """``allowed``, ``denied`` or ``unknown``."""
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


def table(
    lab: LabFile, done: Collection[str], scope: Mapping[str, Any], decide: Decide
) -> tuple[CellState, ...]:
    """Each cell as it should be, and as the account decides it now."""
    wanted = expected(lab, done)
    return tuple(
        CellState(key[0], key[1], cell.says, wanted[key], _verdict(cell, key[1], scope, decide))
        for key, cell in keys(lab)
    )


def _verdict(cell: Cell, who: str, scope: Mapping[str, Any], decide: Decide) -> Verdict:
    try:
        params = resolve(cell.params, scope)
    except UnresolvedReference:
        return UNKNOWN
    return decide(who, cell.service, cell.operation, params)


def changed(before: Collection[CellState], after: Collection[CellState]) -> frozenset[Key]:
    """The cells that are allowed in one of two looks at the table, and not in the other."""
    was = {(one.cell, one.who): bool(one.verdict.allowed) for one in before}
    return frozenset(
        (one.cell, one.who)
        for one in after
        if was.get((one.cell, one.who), False) != bool(one.verdict.allowed)
    )
