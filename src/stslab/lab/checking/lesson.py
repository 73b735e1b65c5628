"""Whether what a lab has for a lesson makes sense: its access table, faults and variables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stslab.lab.checking.calls import Calls
from stslab.lab.checking.scope import Scope
from stslab.lab.model import Change, Fault, LabFile
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import did_you_mean
from stslab.lab.reading.structure import LabDraft

_OF_PROGRAMS = frozenset(
    """
    BASH BROWSER CDPATH COLUMNS DISPLAY EDITOR ENV EUID GLOBIGNORE HOME HOSTALIASES HOSTNAME IFS
    KUBECONFIG LANG LINES LOGNAME MAIL OLDPWD OPTARG OPTIND PPID PS0 PS1 PS2 PS4 PWD RANDOM SECONDS
    SHELL SHELLOPTS SHLVL TERM TERMCAP TERMINFO TMPDIR TZ UID USER VISUAL
    """.split()
)
# What makes programs load, read, trust or ask something else: by how such names begin and end.
_BEGINNINGS = """
    AWS_ BASH_ BOTO CURL_ DOCKER_ GCONV_ GIT_ GLIBC_ GO GPG_ HIST JAVA JDK_ LC_ LD_ LESS LOCPATH
    MALLOC_ NIX_ NODE_ NPM_ OPENSSL_ PERL PIP_ PYTHON REQUESTS_ RUBY SSH_ SSL STSLAB_ XDG_ ZSH_
""".split()
_ENDINGS = """
    ASKPASS BUNDLE COMMAND DIR EDITOR FLAGS HOST HOME OPEN OPT OPTIONS OPTS PAGER PATH PROXY
""".split()


@dataclass(slots=True)
class Lesson:
    """Checks it at the point of a lab where everything is known that ever is."""

    report: Report
    scope: Scope
    calls: Calls

    def check(self, draft: LabDraft) -> None:
        node, lab = draft.lab.node, draft.lab.part
        self._env(node.get("env"))
        self._access(lab, node.get("access"))
        for stage in draft.stages:
            changes = stage.stage.node.get("changes")
            items = changes.items if changes else ()
            self._changes(draft, zip(stage.stage.part.changes, items, strict=True))
        faults = node.get("faults")
        stages = {one.stage.part.id for one in draft.stages}
        self._faults([*zip(lab.faults, faults.items if faults else (), strict=True)], stages)

    def _env(self, env: Node | None) -> None:
        for name, value in _named(env).items():
            known = name.startswith(tuple(_BEGINNINGS)) or name.endswith(tuple(_ENDINGS))
            if known or name in _OF_PROGRAMS:
                message = f"{name} means something to shells and programs."
                self.report(env.keys[name].problem(message, "Give the variable another name."))  # type: ignore[union-attr]
            self.scope.check_texts(value)

    def _access(self, lab: LabFile, access: Node | None) -> None:
        for name, node in _named(access).items():
            cell = lab.access.get(name)
            if cell is None:
                continue
            who = node.get("as")
            for number, identity in enumerate(cell.identities):
                at = who.items[number] if who and who.items else who
                self.scope.identity(at, identity, node)
            operation = self.calls.operation(cell.call, node.get("call"))
            self.calls.params(operation, node.get("with"), node.get("call") or node)

    def _changes(self, draft: LabDraft, changes: Iterable[tuple[Change, Node]]) -> None:
        access = draft.lab.node.get("access")
        named, cells = _named(access), draft.lab.part.access
        for change, node in changes if named or not access else ():
            cell = cells.get(change.cell)
            if change.cell not in named:
                message = f"The table has no cell {change.cell}."
                self.report(node.problem(message, did_you_mean(change.cell, named, _ADD)))
            elif cell and cell.identities and change.identity not in cell.identities:
                message = f"The cell {change.cell} is not asked about {change.identity}."
                fix = f"Its `as` has: {', '.join(cell.identities)}."
                self.report(node.problem(message, fix))

    def _faults(self, faults: list[tuple[Fault, Node]], stages: Iterable[str]) -> None:
        refuse_twins("fault", (node for _, node in faults), self.report)
        for fault, node in faults:
            after = node.get("after")
            if after and after.value == fault.after and fault.after not in stages:
                message = f"This lab has no stage {fault.after}."
                self.report(after.problem(message, did_you_mean(fault.after, [*stages])))
            for key, actions in (("change", fault.change), ("fix", fault.fix)):
                listed = node.get(key)
                for action, one in zip(actions, listed.items if listed else (), strict=True):
                    self.calls.call(action, one)


def refuse_twins(what: str, parts: Iterable[Node], report: Report) -> None:
    """Report each id that something of the kind has had before."""
    first: dict[str, int] = {}
    for node in filter(None, (part.get("id") for part in parts)):
        if not isinstance(node.value, str):
            continue
        if node.value in first:
            message = f"The {what} {node.value} is there twice; first in line {first[node.value]}."
            report(node.problem(message, "Give it an id of its own."))
        first.setdefault(node.value, node.line)


_ADD = "Add it to `access`."


def _named(node: Node | None) -> Mapping[str, Node]:
    return node.value if node and isinstance(node.value, dict) else {}
