"""Whether a lab's parts make sense together, from its first step to its last check."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from stslab.kinds.operations import HOME, changes
from stslab.kinds.table import BY_SETTING
from stslab.lab.checking.calls import Calls
from stslab.lab.checking.scope import ADMIN, TOKEN, Scope, declare
from stslab.lab.checking.shapes import (
    ANYTHING,
    SECRET,
    Catalogue,
    Operation,
    Shape,
    holds_secret,
    structure,
)
from stslab.lab.embedded import called
from stslab.lab.model import DENIALS, Change, Check, Fault, LabFile, Stage, Step, Undo
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.expressions import BadExpression, Tree, query
from stslab.lab.reading.problems import did_you_mean, ruled
from stslab.lab.reading.structure import UNKNOWN_CALL, Draft, LabDraft, StageDraft
from stslab.structures import beside
from stslab.vocabulary import Gate

# -- how each step is undone -------------------------------------------------------------------

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
class _Checker:
    report: Report
    scope: Scope
    calls: Calls


class _Undoing(_Checker):
    """Checks undos, and fills in what they leave to be derived from their step."""

    __slots__ = ()

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
        undos = zip(draft.part.undo, nodes, strict=False)
        return tuple(self._one(undo, at, draft) for undo, at in undos)

    def _missing(self, draft: Draft[Step]) -> None:
        opposite = self._opposite(draft.part)
        example = f"`undo: {opposite}`" if opposite else "`undo:` and the call that undoes it"
        message = f"{draft.part.call} changes the account, and nothing says how to undo that."
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
            missing = self.calls.underivable(operation, draft.part.params)
            unknown = "with" in draft.spoiled or draft.part.call == UNKNOWN_CALL
            if missing and not unknown:
                lacking = ", ".join(missing)
                message = f"{undo.call} needs {lacking}, which the step's `with` has not."
                fix = f"Write undo: {{call: {undo.call}, with: {{{missing[0]}: ...}}}}."
                self.report(called.problem(message, fix))
        else:
            self.calls.params(operation, node.get("with"), called)
        wait = undo.wait
        if wait:
            wait = self.calls.wait(undo.service, wait, node.value["wait"], params)
        known = self.calls.catalogue is not None or undo.params is not None
        return replace(undo, identity=identity, params=params if known else None, wait=wait)

    def _identity(self, identity: str, node: Node) -> None:
        at = node.get("as")
        if at and not self.scope.identity(at, identity, node):
            return
        if identity in self.scope.temporary:
            message = f"By cleanup the credentials of {identity} may have ended."
            fix = "Let somebody else undo it: {as: admin, ...}."
            self.report((at or node).problem(message, fix))


_CREDENTIALS = ("AccessKeyId", "SecretAccessKey")
# The profiles that stslab's files have without any lab, and the one that AWS's tools fall back to.
_TAKEN = (ADMIN, "root", "partner", "partner-root", "default")


def settled(draft: LabDraft, catalogue: Catalogue | None, report: Report) -> LabFile:
    """The lab, with what it leaves to be derived filled in; what makes no sense is reported."""
    scope = Scope(ruled(report, "reference"))
    declare(draft, scope)
    _check_declarations(draft, scope, catalogue)
    calls = Calls(catalogue, scope, ruled(report, "call"))
    report = ruled(report, "meaning")
    walk = _Walk(report, scope, calls, _Undoing(ruled(report, "undo"), scope, calls))
    _refuse_twins("stage", (one.stage.node for one in draft.stages), report)
    for one in draft.stages[:-1]:
        if one.stage.part.cleanup:
            message = "A cleanup stage comes last: it undoes everything of the run."
            report(one.stage.node.problem(message, "Move it to the end of the lab."))
    doing = [one for one in draft.stages if not one.stage.part.cleanup]
    settled = [walk.stage(stage) for stage in doing]
    # Here everything is known, and nothing is gone.
    _check_profiles(draft, scope)
    _Lesson(ruled(report, "lesson"), scope, calls).check(draft)
    settled += [walk.stage(stage) for stage in draft.stages if stage not in doing]
    return replace(draft.lab.part, stages=tuple(settled) or draft.lab.part.stages)


def _check_profiles(draft: LabDraft, scope: Scope) -> None:
    """Each profile says enough, and nothing that goes with nothing; where all is known."""
    node, read, made = draft.lab.node.get("profiles"), draft.lab.part.profiles, scope.later_profiles
    before = [*scope.admins, *(scope.settings.keys() - read.keys())]
    for name, said in read.items() if node else ():
        at = node.keys[name]  # type: ignore[union-attr]
        ways = [said.source_profile, said.web_identity_token_file, said.credential_process]
        alone = said.values.keys() == {"credential_process"}
        shell = len(said.values) == 2 and said.environment and said.named  # noqa: PLR2004 - both
        if name in _TAKEN or name in made:
            scope.report(at.problem(f"There is a profile {name} already.", "Use another name."))
        if not shell and (sum(map(bool, ways)) != 1 or not (said.role_arn or alone)):
            message = f"The profile {name} does not say in one way where its credentials come from."
            fix = "Give it role_arn with source_profile or web_identity_token_file, or"
            fix += " credential_process alone, or environment with profile or option."
            scope.report(at.problem(message, fix))
        if said.credential_process and not alone:
            message = "credential_process stands alone."
            scope.report(at.problem(message, "Leave the others out."))
        known = made if shell else {*made, *before}
        for source in (one for one in said.sources if one not in known):
            fix = "Name one that a step makes"
            fix += "." if shell else ", or one that stands before this one."
            scope.report(at.problem(f"There is no profile {source}.", fix))
        before.append(name)
        if said.web_identity_token_file:
            scope.names["token_file"] = scope.names.get("token", TOKEN)
        scope.check_texts(node.value[name])  # type: ignore[union-attr]
        scope.names.pop("token_file", None)


def _check_declarations(draft: LabDraft, scope: Scope, catalogue: Catalogue | None) -> None:
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


@dataclass(slots=True)
class _Walk(_Checker):
    """Goes through a lab in a run's order."""

    undoing: _Undoing

    def stage(self, draft: StageDraft) -> Stage:
        stage, node = draft.stage.part, draft.stage.node
        if stage.cleanup and draft.steps:
            message = "A cleanup stage has no steps: it undoes those of the others."
            self.report(node.keys["steps"].problem(message, "Leave `steps` out."))
        if not (stage.cleanup or draft.steps or draft.checks) and not draft.stage.spoiled:
            message = "This stage does nothing and proves nothing."
            self.report(node.problem(message, "Give it `steps`, or a `checkpoint`."))
        steps = tuple(self.step(step) for step in draft.steps)
        for check in draft.checks:
            self.check(check, cleanup=stage.cleanup)
        return replace(stage, steps=steps)

    def step(self, draft: Draft[Step]) -> Step:
        if {"clock", "token"} & draft.node.keys.keys():
            return self._embedded(draft)
        step = draft.part
        operation = self.calls.call(step, draft.node)
        self._saves(draft, operation.output if operation else ANYTHING)
        undo = self.undoing.undo(draft, operation)
        wait = step.wait
        if wait:
            wait = self.calls.wait(step.service, wait, draft.node.value["wait"], step.params)
        return replace(step, undo=undo, wait=wait)

    def _embedded(self, draft: Draft[Step]) -> Step:
        """A step that moves the clock, or asks for a token: nothing else goes with it."""
        node = draft.node
        key, at = next(one for one in node.keys.items() if one[0] in ("clock", "token"))
        others = sorted({*node.keys} - {key, "title", "why"})
        if others:
            message = f"{key} stands in place of a call: {', '.join(others)} mean nothing."
            self.report(at.problem(message, f"Leave {' and '.join(others)} out."))
        if key == "token":
            self.scope.check_texts(node.value[key])
            self.scope.names["token"] = TOKEN
        return called(draft.part)

    def check(self, draft: Draft[Check], *, cleanup: bool) -> None:
        check, node = draft.part, draft.node
        if node.get("profiles_gone"):
            self._profiles_gone(draft, cleanup=cleanup)
            return
        if not check.call:
            if not draft.unclear("call"):
                self.report(node.problem("This check calls nothing.", "Add `call:`."))
            return
        self._outcome(draft, self.calls.call(check, node))

    def _outcome(self, draft: Draft[Check], operation: Operation | None) -> None:
        check, node = draft.part, draft.node
        self._gates(draft)
        if check.fails:
            self._refusal(draft)
        elif operation and operation.changes and not draft.unclear("fails"):
            message = f"A check changes nothing, and {check.call} does."
            fix = "Make it a step, or say that it `fails`."
            self.report(node.value["call"].problem(message, fix))
        if check.expect:
            self.scope.query(node.value["expect"], operation.output if operation else ANYTHING)

    def _refusal(self, draft: Draft[Check]) -> None:
        check, node = draft.part, draft.node
        if check.expect:
            message = "A call that fails has no response to expect anything of."
            self.report(node.keys["expect"].problem(message, "Leave `expect` or `fails` out."))
        if not check.because and not draft.unclear("because"):
            message = "A refusal teaches by its reason, and this check tells none."
            fix = "Add `because:` and say why AWS refuses."
            self.report(node.keys["fails"].problem(message, fix))

    def _gates(self, draft: Draft[Check]) -> None:
        """Each denial says by which gate; nothing else does."""
        check, node, report = draft.part, draft.node, ruled(self.report, "denial")
        named = "by" in node.value
        if named and not check.fails and not draft.unclear("fails"):
            message = "Only a refusal has gates, and this call is to succeed."
            report(node.keys["by"].problem(message, "Leave `by` out, or say how it `fails`."))
        if check.key and not named:
            message = "A condition key decides in a policy, and no gate is named."
            report(node.keys["key"].problem(message, "Add `by:` with the gate that refuses."))
        if key := node.get("key"):
            self.scope.check_texts(key)
        denied = [code for code in check.fails if code in DENIALS]
        if denied and not named and not draft.unclear("by"):
            message = f"{denied[0]} can have many reasons, and the right one is not named."
            report(node.keys["fails"].problem(message, _NAME_GATES))

    def _profiles_gone(self, draft: Draft[Check], *, cleanup: bool) -> None:
        check, node = draft.part, draft.node
        at = node.keys["profiles_gone"]
        if not cleanup:
            message = "Profiles are removed only in a cleanup stage."
            self.report(at.problem(message, "Move this check there."))
        others = sorted({"as", "call", "with", "expect", "fails", "within"} & node.value.keys())
        if others:
            message = f"profiles_gone stands in place of a call: {', '.join(others)} mean nothing."
            self.report(at.problem(message, f"Leave {' and '.join(others)} out."))
        for number, name in enumerate(check.profiles_gone):
            self.scope.identity(node.value["profiles_gone"].items[number], name, node)
        for name in check.profiles_gone:
            self.scope.profiles.pop(name, None)

    def _saves(self, draft: Draft[Step], response: Shape) -> None:
        """What the response is used for; read from the nodes, so that a bad name hides no other."""
        for key in ("save", "show"):
            named = draft.node.get(key)
            for name, node in (named.value if named and named.keys else {}).items():
                shape: Shape = ANYTHING
                if isinstance(node.value, str):
                    shape = self._secretless(node, response, key)
                if key == "save":
                    self._bodiless(node, shape, response)
                    self.scope.names[name] = shape
        self._profile(draft, response)

    def _secretless(self, node: Node, response: Shape, key: str) -> Shape:
        shape = self.scope.query(node, response)
        if holds_secret(shape):
            message = f"This would {key} a secret."
            self.report(node.problem(message, "Name only fields that are none, or use `profile`."))
        return shape

    def _bodiless(self, node: Node, shape: Shape, response: Shape) -> None:
        """Report an object's body that would be saved: what is saved is in the journal."""
        bodies = {name: SECRET for name, part in response.members.items() if part.kind == "blob"}
        if not bodies or holds_secret(shape) or not isinstance(node.value, str):
            return
        without = Scope(lambda _: None, names=self.scope.names)
        if holds_secret(without.query(node, structure({**response.members, **bodies}))):
            fix = "Save another field; compare the body in a check's `expect`, or `show` it."
            self.report(node.problem("This would save an object's body.", fix))

    def _profile(self, draft: Draft[Step], response: Shape) -> None:
        profile, node = draft.part.profile, draft.node.get("profile")
        if not profile:
            made = node.get("name") if node else None
            if made and isinstance(made.value, str):
                self.scope.make_profile(made.value, temporary=False)
            return
        source = draft.node.value["profile"].value["from"]
        shape = self.scope.query(source, response)
        lacking = [name for name in _CREDENTIALS if name not in shape.members]
        fix = "Name the structure that has them, as in AccessKey or Credentials."
        if shape.kind != "document" and lacking:
            message = f"There are no credentials here: {' and '.join(lacking)} are lacking."
            self.report(source.problem(message, fix))
        elif response is not ANYTHING and not _is_handed_out(source, shape):
            self.report(source.problem("These are no credentials that AWS hands out.", fix))
        if profile.name in _TAKEN:
            message = f"The profile {profile.name} is the learner's own."
            name = draft.node.value["profile"].value["name"]
            self.report(name.problem(message, "Give it another name."))
        self.scope.make_profile(profile.name, temporary="SessionToken" in shape.members)


def _is_handed_out(source: Node, credentials: Shape) -> bool:
    """Whether credentials stand in the answer as they are: a lab brings none of its own."""
    secret = credentials.members.get("SecretAccessKey")
    with suppress(BadExpression):
        return bool(secret and secret.sensitive) and _is_path(query(source.value).tree)
    return True  # it is no expression at all, which is told already


def _is_path(tree: Tree) -> bool:
    return tree["type"] in _PATH and all(map(_is_path, tree["children"]))


_PATH = ("field", "index", "index_expression", "subexpression")

_NAME_GATES = (
    f"Add `by:` and the gates that refuse, of {', '.join(Gate)}; or `none`, for a rule of the"
    " service itself."
)


# -- what it has for a lesson: its access table, faults and variables ----------------------------

_MINDED = {key: tuple(names.split()) for key, names in beside(__file__, "variables.yaml").items()}
"""The variables that shells and programs mind: by their names, and how those begin and end."""


class _Lesson(_Checker):
    """Checks what a lab has for a lesson, at the point where everything is known that ever is."""

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
            alike = name.startswith(_MINDED["beginnings"]) or name.endswith(_MINDED["endings"])
            if alike or name in _MINDED["names"]:
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
                fix = did_you_mean(change.cell, named, "Add it to `access`.")
                self.report(node.problem(f"The table has no cell {change.cell}.", fix))
            elif cell and cell.identities and change.identity not in cell.identities:
                message = f"The cell {change.cell} is not asked about {change.identity}."
                fix = f"Its `as` has: {', '.join(cell.identities)}."
                self.report(node.problem(message, fix))

    def _faults(self, faults: list[tuple[Fault, Node]], stages: Iterable[str]) -> None:
        _refuse_twins("fault", (node for _, node in faults), self.report)
        for fault, node in faults:
            after = node.get("after")
            if after and after.value == fault.after and fault.after not in stages:
                message = f"This lab has no stage {fault.after}."
                self.report(after.problem(message, did_you_mean(fault.after, [*stages])))
            for key, actions in (("change", fault.change), ("fix", fault.fix)):
                listed = node.get(key)
                for action, one in zip(actions, listed.items if listed else (), strict=True):
                    self.calls.call(action, one)


def _refuse_twins(what: str, parts: Iterable[Node], report: Report) -> None:
    """Report each id that something of the kind has had before."""
    first: dict[str, int] = {}
    for node in filter(None, (part.get("id") for part in parts)):
        if not isinstance(node.value, str):
            continue
        if node.value in first:
            message = f"The {what} {node.value} is there twice; first in line {first[node.value]}."
            report(node.problem(message, "Give it an id of its own."))
        first.setdefault(node.value, node.line)


def _named(node: Node | None) -> Mapping[str, Node]:
    return node.value if node and node.keys else {}
