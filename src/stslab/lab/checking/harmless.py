"""Whether a lab changes only what it makes itself, as far as that can be told before a run.

The same rules are kept before each call is sent; here a problem has its line and column.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stslab.kinds.creations import creation_of, names_made
from stslab.kinds.judge import Objection, objections, things_of_template
from stslab.kinds.operations import HOME, changes
from stslab.kinds.own import Own
from stslab.kinds.table import KINDS
from stslab.lab.checking.catalogue import Catalogue
from stslab.lab.checking.scope import Scope
from stslab.lab.foresight import BASE, allowed, foresee
from stslab.lab.model import Action, Check, LabFile, Step
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.problems import Problem, did_you_mean
from stslab.lab.reading.structure import LabDraft

Named = tuple[str, str]


def refuse_harm(lab: LabFile, draft: LabDraft, report: Report) -> None:
    """Report each call that would change what no step of the lab has made before it."""
    walk = _Walk(lab, report)
    for stage, drafts in zip(lab.stages, draft.stages, strict=True):
        for step, one in zip(stage.steps, drafts.steps, strict=True):
            walk.step(step, one.node)
        for check, two in zip(stage.checkpoint, drafts.checks, strict=True):
            walk.check(check, two.node)
    planted = draft.lab.node.get("faults")
    for fault, node in zip(lab.faults, planted.items if planted else (), strict=True):
        for key, actions in (("change", fault.change), ("fix", fault.fix)):
            for action, at in zip(actions, node.value[key].items, strict=True):
                walk.action(action, at)


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


class _Walk:
    """Goes through a lab in a run's order, and knows what it has made so far."""

    def __init__(self, lab: LabFile, report: Report) -> None:
        self._report = report
        self._foresight = foresee(lab)
        self._own = Own(
            run=BASE["run"]["id"],
            account=BASE["account"],
            partition=BASE["partition"],
            allowed=allowed(lab, self._foresight.scope),
            unknown=self._foresight.unknown,
        )
        self._users: dict[str, str] = {}

    def step(self, step: Step, node: Node) -> None:
        """A step: its call, what it makes, and its undo."""
        params = self._foresight.params(step.params)
        self._judge(step.call, step.identity, params, node)
        made = made_by(step.call, params, self._own)
        inside = things_of_template(params, self._own) if "TemplateBody" in params else ()
        self._own = replace(self._own, things=self._own.things | {*filter(None, [made]), *inside})
        if step.profile:
            caller = params.get("UserName", self._users.get(step.identity, ""))
            is_user = step.call == "iam.CreateAccessKey"
            self._users[step.profile.name] = str(caller) if is_user else ""
        self._undos(step, node, made)

    def check(self, check: Check, node: Node) -> None:
        """A check: its call may change something where it is to fail."""
        if check.call:
            self._judge(check.call, check.identity, self._foresight.params(check.params), node)

    def action(self, action: Action, node: Node) -> None:
        """A call of a fault. What it makes would have nothing that undoes it."""
        params = self._foresight.params(action.params)
        if made_by(action.call, params, self._own):
            message = f"{action.call} makes something, and nothing would undo that."
            self._report((node.get("call") or node).problem(message, "Make it in a step."))
        else:
            self._judge(action.call, action.identity, params, node)

    def _judge(self, call: str, identity: str, params: Mapping[str, Any], node: Node) -> None:
        for objection in objections(call, params, self._own, self._users.get(identity, "")):
            self._report(_problem(objection, node))

    def _undos(self, step: Step, node: Node, made: Named | None) -> None:
        """Judge the undo calls; what the step itself makes must be removed by one of them."""
        undos, at = step.undo or (), node.get("undo") or node.value["call"]
        for undo, one in zip(undos, at.items or [at], strict=False):
            if undo.params is None:
                continue
            params = self._foresight.params(undo.params)
            if made_by(undo.call, params, self._own):
                message = f"{undo.call} makes something, and nothing would undo that."
                self._report(one.problem(message, "Name the call that deletes or restores."))
            else:
                self._judge(undo.call, undo.identity or step.identity, params, one)
        if made:
            self._removed({undo.call for undo in undos}, made, at, step.call)
        elif step.service not in HOME and changes(step.call) and not undos:
            message = f"{step.call} changes something, and nothing undoes it."
            self._report(at.problem(message, "Add `undo:` and the call that undoes it."))

    def _removed(self, undos: set[str], made: Named, at: Node, call: str) -> None:
        kind = KINDS[made[0]]
        removal = f"{kind.service}.{kind.remove.operation}"
        if removal not in undos:
            message = f"{call} makes something, and its undo does not remove it."
            self._report(at.problem(message, f"Add `undo: {removal}`."))


def made_by(call: str, params: Mapping[str, Any], own: Own) -> Named | None:
    """The thing that a call makes, if others hang on things of its kind: (kind, name)."""
    creation = creation_of(call, params)
    if creation is None or KINDS[creation.kind].parent:
        return None
    names = names_made(creation, params, {}, own.account, own.partition)
    name = names.get(KINDS[creation.kind].names[0])
    return (creation.kind, name) if name else None


def _problem(objection: Objection, node: Node) -> Problem:
    """The objection at its place: the parameter, or the word in it that matters."""
    given = node.get("with")
    call = node.get("call") or node
    at = (given and given.get(objection.parameter)) or given or call
    for text in at.texts() if objection.word else ():
        found = re.search(rf"(?<!\w){re.escape(objection.word)}(?!\w)", text.value)
        if found:
            return text.problem_at(found.start(), objection.reason, objection.fix)
    where = at if objection.parameter and given and given.get(objection.parameter) else call
    return where.problem(objection.reason, objection.fix)
