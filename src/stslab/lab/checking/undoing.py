"""How each step is undone: every call that changes anything says so, and can be."""

from dataclasses import dataclass

from msgspec.structs import replace

from stslab.kinds.operations import HOME, changes
from stslab.kinds.table import BY_SETTING
from stslab.lab.checking.calls import Calls
from stslab.lab.checking.catalogue import Operation
from stslab.lab.checking.scope import Scope
from stslab.lab.model import Step, Undo
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.structure import UNKNOWN_CALL, Draft

# What usually undoes an operation of a name that begins so.
_OPPOSITES = {
    "Create": "Delete",
    "Put": "Delete",
    "Upload": "Delete",
    "Attach": "Detach",
    "Add": "Remove",
    "Tag": "Untag",
    "Enable": "Deactivate",
    "Update": "Update",
}


@dataclass(slots=True)
class Undoing:
    """Checks undos, and fills in what they leave to be derived from their step."""

    report: Report
    scope: Scope
    calls: Calls

    def undo(self, draft: Draft[Step], operation: Operation | None) -> tuple[Undo, ...] | None:
        """The step's undo, filled in; reported where it lacks one that it needs."""
        node = draft.node.get("undo")
        if draft.part.undo is None or node is None:
            step, is_setting = draft.part, draft.part.call in BY_SETTING  # put back by itself
            elsewhere = step.service not in HOME and changes(step.call)
            left = operation and (operation.changes or elsewhere) and not is_setting
            if left and not draft.unclear("undo"):
                self._missing(draft)
            return draft.part.undo
        nodes = node.items or [node]
        return tuple(
            self._one(undo, at, draft) for undo, at in zip(draft.part.undo, nodes, strict=False)
        )

    def _missing(self, draft: Draft[Step]) -> None:
        call = draft.part.call
        opposite = self._opposite(draft.part)
        example = f"`undo: {opposite}`" if opposite else "`undo:` and the call that undoes it"
        message = f"{call} changes the account, and nothing says how to undo that."
        fix = f"Add {example}, or `undo: none` where there is nothing to undo."
        self.report(draft.node.value["call"].problem(message, fix))

    def _opposite(self, step: Step) -> str | None:
        for word, opposite in _OPPOSITES.items():
            name = step.operation.replace(word, opposite, 1)
            known = self.calls.catalogue and self.calls.catalogue.operation(step.service, name)
            if step.operation.startswith(word) and known:
                return f"{step.service}.{name}"
        return None

    def _one(self, undo: Undo, node: Node, draft: Draft[Step]) -> Undo:
        called = node.get("call") or node
        operation = self.calls.operation(undo.call, called)
        if operation and not operation.changes:
            message = f"{undo.call} changes nothing, so it undoes nothing."
            self.report(called.problem(message, "Name the call that deletes or restores."))
        identity = undo.identity or draft.part.identity
        self._identity(identity, node)
        params = undo.params
        if params is None:
            params = self.calls.derived(operation, draft.part.params)
            self._refuse_underivable(undo, operation, called, draft)
        else:
            self.calls.params(operation, node.get("with"), called)
        wait = undo.wait
        if wait:
            wait = self.calls.wait(undo.service, wait, node.value["wait"], params)
        known = self.calls.catalogue is not None or undo.params is not None
        update = {"identity": identity, "params": params if known else None, "wait": wait}
        return replace(undo, **update)

    def _identity(self, identity: str, node: Node) -> None:
        at = node.get("as")
        if at and not self.scope.identity(at, identity, node):
            return
        if identity in self.scope.temporary:
            message = f"By cleanup the credentials of {identity} may have ended."
            self.report(
                (at or node).problem(message, "Let somebody else undo it: {as: admin, ...}.")
            )

    def _refuse_underivable(
        self, undo: Undo, operation: Operation | None, called: Node, draft: Draft[Step]
    ) -> None:
        unknown = "with" in draft.spoiled or draft.part.call == UNKNOWN_CALL
        missing = self.calls.underivable(operation, draft.part.params)
        if missing and not unknown:
            message = f"{undo.call} needs {', '.join(missing)}, which the step's `with` has not."
            fix = f"Write undo: {{call: {undo.call}, with: {{{missing[0]}: ...}}}}."
            self.report(called.problem(message, fix))
