"""The access table (who can do what, by the lab and by the account), and the chain of callers."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

import msgspec

from stslab.errors import UnresolvedReference
from stslab.lab.model import Change, LabFile, Step
from stslab.lab.references import resolve
from stslab.lesson.evidence import WORDS, renamed
from stslab.lesson.verdict import UNKNOWN, Decide, Verdict
from stslab.runner.ports import Call, Data

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
    def fits(self) -> bool:
        """Whether the verdict, if known, is the expected one."""
        return self.verdict.allowed is None or self.verdict.allowed == self.expected.allowed


Cells = tuple[CellState, ...]


def expected(lab: LabFile, done: Collection[str]) -> dict[Key, Change]:
    """The expected table once these stages are done. A cell is denied until a stage allows it."""
    keys = [(name, who) for name, cell in lab.access.items() for who in cell.identities]
    table = {key: Change(cell=key[0], identity=key[1], allowed=False) for key in keys}
    changes = (change for stage in lab.stages if stage.id in done for change in stage.changes)
    return table | {(change.cell, change.identity): change for change in changes}


def table(lab: LabFile, done: Collection[str], scope: Data, decide: Decide) -> Cells:
    """Each cell as expected, and as the account decides it now."""
    cells = []
    for (row, who), change in expected(lab, done).items():
        cell, verdict = lab.access[row], UNKNOWN
        with suppress(UnresolvedReference):
            verdict = decide(Call(who, cell.service, cell.operation, resolve(cell.params, scope)))
        cells.append(CellState(row, who, cell.says, change, verdict))
    return tuple(cells)


def changed(before: Collection[CellState], after: Collection[CellState]) -> frozenset[Key]:
    """The cells that are allowed in one of the two tables but not in the other."""
    was = {cell.key for cell in before if cell.verdict.allowed}
    return frozenset(cell.key for cell in after if (cell.key in was) != bool(cell.verdict.allowed))


# -- the chain of callers ------------------------------------------------------------------------

_NAMED = ("UserName", "RoleArn")


class ChainLink(msgspec.Struct, frozen=True):
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
) -> list[ChainLink]:
    """The callers that these stages made, each after the one that its credentials came from.

    Shell variables (``names``) are shown in place of their values. Each may do what is allowed
    after these stages (``ever``: after any of them), but for the cells that are ``asked`` next.
    """
    stages = [stage for stage in lab.stages if stage.id in done]
    until = range(len(stages) + 1) if ever else [len(stages)]
    tables = [expected(lab, [stage.id for stage in stages[:count]]) for count in until]
    steps = [step for stage in stages for step in stage.steps]
    made = {step.profile.name: step for step in steps if step.profile}

    def what(step: Step) -> str:
        with suppress(UnresolvedReference, KeyError):
            named = {name: step.params[name] for name in _NAMED if name in step.params}
            params = renamed(resolve(named, known), names)
            spoilt = WORDS["spoilt"].get(str(step.profile and step.profile.spoil), "")
            return WORDS["callers"].get(step.call, "").format_map(params) + spoilt
        return ""

    def may(who: str) -> Iterator[str]:
        for key in tables[-1]:
            row, caller = key
            if caller == who and key not in asked and any(table[key].allowed for table in tables):
                yield lab.access[row].says

    def below(source: str, depth: int) -> Iterator[ChainLink]:
        for who, step in made.items():
            if step.identity == source:
                yield ChainLink(who, depth, what(step), tuple(may(who)))
                yield from below(who, depth + 1)

    links = list[ChainLink]()
    for source in dict.fromkeys(["admin", *(step.identity for step in made.values())]):
        if source not in made:
            links += [ChainLink(source, 0), *below(source, 1)]
    return links
