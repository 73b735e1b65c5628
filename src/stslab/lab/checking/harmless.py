"""Whether a lab changes only what it makes itself, as far as that can be told before a run.

The same rules are kept before each call is sent; here a problem has its line and column.
"""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from stslab.kinds.judge import Objection, objections
from stslab.kinds.operations import HOME, changes
from stslab.kinds.table import KINDS
from stslab.lab.effects import FAULT, STEP, UNDO, Effect, Place, effects
from stslab.lab.model import LabFile
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import Problem
from stslab.lab.reading.structure import LabDraft, StageDraft


def refuse_harm(lab: LabFile, draft: LabDraft, report: Report, broken: frozenset[Node]) -> None:
    """Report each call that would change what no step of the lab has made before it.

    Nothing is said of what is ``broken``, or may be declared where that can't be read. Where what
    is broken may make something, whatever has the run's id in its name may be it.
    """
    unread = [f"{one}:" for one in ("accounts", "services", "uses") if draft.lab.unclear(one)]
    root, doubtful = draft.lab.node, any(_may_make(one, broken) for one in draft.stages)
    undos: dict[Place, set[str]] = {
        ("stages", number, "steps", at): {undo.call for undo in step.undo}
        for number, stage in enumerate(lab.stages)
        for at, step in enumerate(stage.steps)
        if step.undo is not None  # otherwise that is told
    }
    for one in effects(lab, faults=True):
        node, undone = root.at(one.place), root.at(one.place[:4])
        needed = {node.get("call") or node, node.get("as")}
        needed |= {undone.get("with")} if one.when == UNDO and not node.get("with") else set()
        if needed & broken:
            continue
        unknown = one.own.unknown | {one.own.run} if doubtful else one.own.unknown
        judged = replace(one, own=replace(one.own, unknown=unknown))
        for problem in _problems(judged, node, undos.get(one.place), broken):
            if not any(declared in problem.fix for declared in unread):
                report(problem)


def _may_make(stage: StageDraft, broken: frozenset[Node]) -> bool:
    """Whether one of the stage's steps makes what can't be told."""
    called = [{one.node.get("call") or one.node, one.node.get("with")} for one in stage.steps]
    return any(one & broken for one in called or [{stage.stage.node.get("steps")}])


def _problems(
    one: Effect, node: Node, undos: set[str] | None, broken: frozenset[Node]
) -> Iterator[Problem]:
    at = node.get("undo") or node
    if one.made and one.when in (UNDO, FAULT):
        message = f"{one.call} makes something, and nothing would undo that."
        yield (node.get("call") or node).problem(message, "Make it in a step, with its undo.")
        return
    given = node.get("with")
    for objection in objections(one.call, one.params, one.own, one.caller):
        named = given.get(objection.parameter) if given else None
        if given not in broken or (named and named not in broken):
            yield _placed(objection, node, given, named)
    if one.when != STEP or undos is None or at in broken:
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


def _placed(objection: Objection, node: Node, given: Node | None, named: Node | None) -> Problem:
    """The objection at its place: the parameter, or the word in it that matters."""
    for text in (named or given or node).texts() if objection.word else ():
        found = re.search(rf"(?<!\w){re.escape(objection.word)}(?!\w)", text.value)
        if found:
            return text.problem_at(found.start(), objection.reason, objection.fix)
    where = named or node.get("call") or node
    return where.problem_within(objection.reason, objection.fix)
