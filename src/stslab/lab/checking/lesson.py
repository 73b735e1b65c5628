"""Whether what a lab has for a lesson makes sense: its access table, faults and variables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stslab.lab.checking.calls import Calls
from stslab.lab.checking.scope import Scope
from stslab.lab.model import Change, Fault, LabFile
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import did_you_mean
from stslab.lab.reading.structure import LabDraft

_SHELLS_OWN = """
    BASH COLUMNS DISPLAY EDITOR EUID HOME HOSTNAME IFS LANG LINES LOGNAME MAIL OLDPWD OPTARG OPTIND
    PAGER PATH PPID PS1 PS2 PWD RANDOM SECONDS SHELL SHLVL TERM TMPDIR TZ UID USER VISUAL
"""
_OF_SHELLS = frozenset(_SHELLS_OWN.split())
_OF_OTHERS = ("AWS_", "LC_", "STSLAB_", "BASH_", "ZSH_", "XDG_", "LD_", "PYTHON")


@dataclass(slots=True)
class Lesson:
    """Checks it at the point of a lab where everything is known that ever is."""

    report: Report
    scope: Scope
    calls: Calls

    def check(self, draft: LabDraft) -> None:
        """All of it; what makes no sense is reported."""
        node, lab = draft.lab.node, draft.lab.part
        self._env(node.get("env"))
        self._access(lab, node.get("access"))
        for stage in draft.stages if "access" not in draft.lab.spoiled else ():
            changes = stage.stage.node.get("changes")
            if changes and "changes" not in stage.stage.spoiled:
                self._changes(lab, zip(stage.stage.part.changes, changes.items, strict=True))
        faults = node.get("faults")
        if faults and "faults" not in draft.lab.spoiled:
            stages = {one.stage.part.id for one in draft.stages}
            self._faults(list(zip(lab.faults, faults.items, strict=True)), stages)

    def _env(self, env: Node | None) -> None:
        for name, value in _named(env).items():
            if name in _OF_SHELLS or name.startswith(_OF_OTHERS):
                message = f"{name} means something to shells and programs."
                self.report(env.keys[name].problem(message, "Give the variable another name."))  # type: ignore[union-attr]
            self.scope.check_texts(value)

    def _access(self, lab: LabFile, access: Node | None) -> None:
        for name, node in _named(access).items():
            cell = lab.access.get(name)
            if cell is None:
                continue
            who = node.value["as"]
            for number, identity in enumerate(cell.identities):
                at = who.items[number] if who.items else who
                self.scope.identity(at, identity, node)
            operation = self.calls.operation(cell.call, node.get("call"))
            self.calls.params(operation, node.get("with"), node.get("call") or node)

    def _changes(self, lab: LabFile, changes: Iterable[tuple[Change, Node]]) -> None:
        for change, node in changes:
            cell = lab.access.get(change.cell)
            if cell is None:
                message = f"The table has no cell {change.cell}."
                self.report(node.problem(message, did_you_mean(change.cell, lab.access, _ADD)))
            elif change.identity not in cell.identities:
                message = f"The cell {change.cell} is not asked about {change.identity}."
                fix = f"Its `as` has: {', '.join(cell.identities)}."
                self.report(node.problem(message, fix))

    def _faults(self, faults: list[tuple[Fault, Node]], stages: Iterable[str]) -> None:
        refuse_twins("fault", (node.value["id"] for _, node in faults), self.report)
        for fault, node in faults:
            if fault.after not in stages:
                message = f"This lab has no stage {fault.after}."
                fix = did_you_mean(fault.after, [*stages])
                self.report(node.value["after"].problem(message, fix))
            for key, actions in (("change", fault.change), ("fix", fault.fix)):
                for action, one in zip(actions, node.value[key].items, strict=True):
                    self.calls.call(action, one)


def refuse_twins(what: str, ids: Iterable[Node], report: Report) -> None:
    """Report each id that something of the kind has had before."""
    first: dict[str, int] = {}
    for node in ids:
        if node.value in first:
            message = f"The {what} {node.value} is there twice; first in line {first[node.value]}."
            report(node.problem(message, "Give it an id of its own."))
        first.setdefault(node.value, node.line)


_ADD = "Add it to `access`."


def _named(node: Node | None) -> Mapping[str, Node]:
    return node.value if node and isinstance(node.value, dict) else {}
