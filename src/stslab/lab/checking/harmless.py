"""Whether a lab changes only what it makes itself, as far as that can be told before a run.

The same rules are kept before each call is sent; here a problem has its line and column.
"""

import re
from collections.abc import Iterator

from stslab.kinds.judge import Objection, objections
from stslab.kinds.operations import HOME, changes
from stslab.kinds.table import KINDS
from stslab.lab.checking.catalogue import Catalogue
from stslab.lab.checking.scope import Scope
from stslab.lab.effects import FAULT, STEP, UNDO, Effect, Place, effects
from stslab.lab.model import LabFile
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import Problem, did_you_mean
from stslab.lab.reading.structure import LabDraft


def check_declarations(draft: LabDraft, scope: Scope, catalogue: Catalogue | None) -> None:
    """Check what the lab declares beyond its own things: that it can be filled in, and is there."""
    uses, services = draft.lab.node.get("uses"), draft.lab.node.get("services")
    if uses:
        scope.check_texts(uses)
    known = catalogue.services() if catalogue else ()
    for one in services.items if services and known else ():
        if one.value in HOME:
            scope.report(one.problem(f"{one.value} needs no declaration.", "Leave it out."))
        elif isinstance(one.value, str) and one.value not in known:
            message = f"AWS has no service {one.value}."
            scope.report(one.problem(message, did_you_mean(one.value, known)))


def refuse_harm(lab: LabFile, draft: LabDraft, report: Report) -> None:
    """Report each call that would change what no step of the lab has made before it."""
    undos: dict[Place, set[str]] = {
        ("stages", number, "steps", at): {undo.call for undo in step.undo or ()}
        for number, stage in enumerate(lab.stages)
        for at, step in enumerate(stage.steps)
    }
    for one in effects(lab, faults=True):
        node = draft.lab.node.at(one.place)
        for problem in _problems(one, node, undos.get(one.place, set())):
            report(problem)


def _problems(one: Effect, node: Node, undos: set[str]) -> Iterator[Problem]:
    at = node.get("undo") or node.get("call") or node
    if one.made and one.when in (UNDO, FAULT):
        message = f"{one.call} makes something, and nothing would undo that."
        yield (node.get("call") or node).problem(message, "Make it in a step, with its undo.")
        return
    for objection in objections(one.call, one.params, one.own, one.caller):
        yield _placed(objection, node)
    if one.when != STEP:
        return
    if one.made:
        kind = KINDS[one.made[0]]
        removal = f"{kind.service}.{kind.remove.operation}"
        if removal not in undos:
            message = f"{one.call} makes something, and its undo does not remove it."
            yield at.problem(message, f"Add `undo: {removal}`.")
    elif one.call.partition(".")[0] not in HOME and changes(one.call) and not undos:
        message = f"{one.call} changes something, and nothing undoes it."
        yield at.problem(message, "Add `undo:` and the call that undoes it.")


def _placed(objection: Objection, node: Node) -> Problem:
    """The objection at its place: the parameter, or the word in it that matters."""
    given = node.get("with")
    named = given.get(objection.parameter) if given else None
    for text in (named or given or node).texts() if objection.word else ():
        found = re.search(rf"(?<!\w){re.escape(objection.word)}(?!\w)", text.value)
        if found:
            return text.problem_at(found.start(), objection.reason, objection.fix)
    where = named or node.get("call") or node
    return where.problem_within(objection.reason, objection.fix)
