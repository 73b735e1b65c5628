"""Checks a lab's parts together, in order of a run, and fills in derived values."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from stslab.kinds.operations import HOME, OPPOSITES, changes
from stslab.kinds.table import SETTING
from stslab.lab.checking import shapes
from stslab.lab.checking.calls import CallChecker
from stslab.lab.checking.names import TOKEN, Names, declare
from stslab.lab.checking.shapes import ANYTHING, Catalogue, Operation, Shape, holds_secret
from stslab.lab.embedded import called
from stslab.lab.model import DENIALS, Change, Check, LabFile, Stage, Step, Undo
from stslab.lab.reading.document import Node, Report
from stslab.lab.reading.expressions import BadExpression, Tree, query
from stslab.lab.reading.problems import did_you_mean, ruled
from stslab.lab.reading.structure import UNKNOWN_CALL, Draft, LabDraft, StageDraft
from stslab.structures import beside, said
from stslab.vocabulary import ADMIN, Gate

_MINDED = {key: tuple(names.split()) for key, names in beside(__file__, "variables.yaml").items()}
"""The variables that shells and programs use: names, beginnings and endings."""

_INSTEAD = frozenset(Step.ONE_OF) - {"call"}
# The profiles that stslab's files always have, and the default profile of AWS's tools.
_TAKEN = (ADMIN, "root", "partner", "partner-root", "default")


_say = partial(said, beside(__file__, "meaning.yaml"))


def _instead(key: str, others: Collection[str]) -> tuple[str, str]:
    return _say("instead", key=key, others=", ".join(others), out=" and ".join(others))


def checked(draft: LabDraft, catalogue: Catalogue | None, report: Report) -> LabFile:
    """The lab with derived values filled in. All problems are reported."""
    scope = Names(ruled(report, "reference"))
    declare(draft, scope)
    _check_declarations(draft, scope, catalogue)
    checker = _Checker(report, scope, CallChecker(catalogue, scope, ruled(report, "call")))
    _refuse_twins("stage", (one.node for one in draft.stages), checker.report)
    for one in draft.stages[:-1]:
        if one.part.cleanup:
            checker.report(one.node.problem(*_say("cleanup first")))
    doing = {at: one for at, one in enumerate(draft.stages) if not one.part.cleanup}
    settled = {at: checker.stage(stage) for at, stage in doing.items()}
    # At this point every name is known, and nothing is undone yet.
    _check_profiles(draft, scope)
    checker.lessons(draft)
    settled |= {at: checker.stage(one) for at, one in enumerate(draft.stages) if at not in doing}
    stages = tuple(settled[at] for at in sorted(settled))  # in the order of the file
    return replace(draft.part, stages=stages or draft.part.stages)


def _check_profiles(draft: LabDraft, scope: Names) -> None:
    node, read, made = draft.node.get("profiles"), draft.part.profiles, scope.later_profiles
    if node is None:
        return
    before = [*scope.admins, *(scope.settings.keys() - read.keys())]
    for name, settings in read.items():
        at, values = node.keys[name], settings.values
        ways = {"source_profile", "web_identity_token_file", "credential_process"} & values.keys()
        alone = values.keys() == {"credential_process"}
        one_way = len(ways) == 1 and (settings.role_arn or alone)
        shell = len(values) == 2 and settings.environment and settings.named  # noqa: PLR2004 - both
        if name in _TAKEN or name in made:
            scope.report(at.problem(f"There is already a profile {name}.", "Use another name."))
        if not (shell or one_way):
            scope.report(at.problem(*_say("several ways", name=name)))
        if settings.credential_process and not alone:
            scope.report(at.problem(*_say("process and others")))
        known = made if shell else {*made, *before}
        for source in (one for one in settings.sources if one not in known):
            fix = "Name one that a step makes"
            fix += "." if shell else ", or one before this one."
            scope.report(at.problem(f"There is no profile {source}.", fix))
        before.append(name)
        if settings.web_identity_token_file:
            scope.names["token_file"] = scope.names.get("token", TOKEN)
        scope.check_texts(node.value[name])
        scope.names.pop("token_file", None)


def _check_declarations(draft: LabDraft, scope: Names, catalogue: Catalogue | None) -> None:
    uses, known = draft.node.get("uses"), catalogue.services() if catalogue else ()
    if uses:
        scope.check_texts(uses)
    for one in draft.node.listed("services") if known else ():
        if one.value in HOME:
            scope.report(one.problem(f"{one.value} needs no declaration.", "Leave it out."))
        elif isinstance(one.value, str) and one.value not in known:
            message = f"AWS has no service {one.value}."
            scope.report(one.problem(message, did_you_mean(one.value, known)))


class _Checker:
    """Checks the stages in order of a run; and the lesson, once all names are known."""

    def __init__(self, report: Report, scope: Names, calls: CallChecker) -> None:
        self.report, self.scope, self.calls = ruled(report, "meaning"), scope, calls
        self.undoing, self.lesson = ruled(report, "undo"), ruled(report, "lesson")

    def stage(self, draft: StageDraft) -> Stage:
        stage, node = draft.part, draft.node
        if stage.cleanup and draft.steps:
            self.report(node.keys["steps"].problem(*_say("steps in cleanup")))
        if not (stage.cleanup or draft.steps or draft.checks) and not draft.spoiled:
            self.report(node.problem(*_say("empty stage")))
        steps = tuple(self.step(step) for step in draft.steps)
        for check in draft.checks:
            self.check(check, cleanup=stage.cleanup)
        return replace(stage, steps=steps)

    def step(self, draft: Draft[Step]) -> Step:
        if draft.node.keys.keys() & _INSTEAD:
            return self._embedded(draft)
        step = draft.part
        operation = self.calls.call(step, draft.node)
        self._saves(draft, operation.output if operation else ANYTHING)
        undo = self.undo(draft, operation)
        wait = self.calls.wait(step.service, step.wait, draft.node.get("wait"), step.params)
        return replace(step, undo=undo, wait=wait)

    def _embedded(self, draft: Draft[Step]) -> Step:
        """A step with a key in place of ``call``, which allows hardly any other."""
        node = draft.node
        key, at = next(one for one in node.keys.items() if one[0] in _INSTEAD)
        others = sorted({*node.keys} - {key, "title", "why"})
        if others:
            self.report(at.problem(*_instead(key, others)))
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
                self.report(node.problem("This check has no call.", "Add `call:`."))
            return
        operation = self.calls.call(check, node)
        self._gates(draft)
        if check.fails:
            if check.expect:
                self.report(node.keys["expect"].problem(*_say("no response")))
            if not check.because and not draft.unclear("because"):
                self.report(node.keys["fails"].problem(*_say("no reason")))
        elif operation and operation.changes and not draft.unclear("fails"):
            self.report(node.value["call"].problem(*_say("changing check", call=check.call)))
        if check.expect:
            self.scope.query(node.value["expect"], operation.output if operation else ANYTHING)

    def _gates(self, draft: Draft[Check]) -> None:
        """Check that denials name their gates, and that nothing else does."""
        check, node, report = draft.part, draft.node, ruled(self.report, "denial")
        named = "by" in node.value
        if named and not check.fails and not draft.unclear("fails"):
            report(node.keys["by"].problem(*_say("gates of a success")))
        if check.key and not named:
            report(node.keys["key"].problem(*_say("key without gate")))
        if key := node.get("key"):
            self.scope.check_texts(key)
        denied = [code for code in check.fails if code in DENIALS]
        if denied and not named and not draft.unclear("by"):
            says = _say("no gate", code=denied[0], gates=", ".join(Gate))
            report(node.keys["fails"].problem(*says))

    def _profiles_gone(self, draft: Draft[Check], *, cleanup: bool) -> None:
        check, node = draft.part, draft.node
        at = node.keys["profiles_gone"]
        if not cleanup:
            self.report(at.problem(*_say("profiles gone early")))
        others = sorted({"as", "call", "with", "expect", "fails", "within"} & node.value.keys())
        if others:
            self.report(at.problem(*_instead("profiles_gone", others)))
        for number, name in enumerate(check.profiles_gone):
            self.scope.identity(node.value["profiles_gone"].items[number], name, node)
        for name in check.profiles_gone:
            self.scope.profiles.pop(name, None)

    def _saves(self, draft: Draft[Step], response: Shape) -> None:
        """Check ``save``, ``show`` and ``profile``: node by node, so a bad name hides no other."""
        bodies = [name for name, part in response.members.items() if part.kind == "blob"]
        without = {**response.members, **dict.fromkeys(bodies, shapes.SECRET)}
        # Saved values go into the journal, where an object's body would be too much.
        saved = shapes.structure(without) if bodies else response
        for key, known in (("save", saved), ("show", response)):
            for name, node in _named(draft.node.get(key)).items():
                shape = self.scope.query(node, known) if isinstance(node.value, str) else ANYTHING
                if holds_secret(shape):
                    body = " or an object's body" if known is not response else ""
                    self.report(node.problem(*_say("secret", key=key, body=body)))
                if key == "save":
                    self.scope.names[name] = shape
        self._profile(draft, response)

    def _profile(self, draft: Draft[Step], response: Shape) -> None:
        profile, node = draft.part.profile, draft.node.get("profile")
        if not profile:
            made = node.get("name") if node else None
            if made and isinstance(made.value, str):
                self.scope.make_profile(made.value, temporary=False)
            return
        source = draft.node.value["profile"].value["from"]
        shape = self.scope.query(source, response)
        missing = [name for name in ("AccessKeyId", "SecretAccessKey") if name not in shape.members]
        if shape.kind != "document" and missing:
            self.report(source.problem(*_say("no credentials", missing=" and ".join(missing))))
        elif response is not ANYTHING and not _is_handed_out(source, shape):
            self.report(source.problem(*_say("changed credentials")))
        if profile.name in _TAKEN:
            name = draft.node.value["profile"].value["name"]
            self.report(name.problem(*_say("reserved profile", name=profile.name)))
        self.scope.make_profile(profile.name, temporary="SessionToken" in shape.members)

    # How each step is undone

    def undo(self, draft: Draft[Step], operation: Operation | None) -> tuple[Undo, ...] | None:
        """The step's undo, filled in; reports it if a needed one is missing."""
        node = draft.node.get("undo")
        if draft.part.undo is None or node is None:
            step, is_setting = draft.part, draft.part.call in SETTING  # undone automatically
            elsewhere = step.service not in HOME and changes(step.call)
            left = operation and (operation.changes or elsewhere) and not is_setting
            if left and not draft.unclear("undo"):
                undo = self._opposite(step)
                example = f"`undo: {undo}`" if undo else "`undo:` and the call that undoes it"
                says = _say("no undo", call=step.call, example=example)
                self.undoing(draft.node.value["call"].problem(*says))
            return step.undo
        undos = zip(draft.part.undo, node.items or [node], strict=False)
        return tuple(self._undo(undo, at, draft) for undo, at in undos)

    def _opposite(self, step: Step) -> str | None:
        for word, opposite in OPPOSITES.items():
            name = step.operation.replace(word, opposite, 1)
            known = self.calls.catalogue and self.calls.catalogue.operation(step.service, name)
            if step.operation.startswith(word) and known:
                return f"{step.service}.{name}"
        return None

    def _undo(self, undo: Undo, node: Node, draft: Draft[Step]) -> Undo:
        called = node.get("call") or node
        operation = self.calls.operation(undo.call, called)
        if operation and not operation.changes:
            self.undoing(called.problem(*_say("reading undo", call=undo.call)))
        identity = undo.identity or draft.part.identity
        named = node.get("as")
        usable = not named or self.scope.identity(named, identity, node)
        if usable and identity in self.scope.temporary:
            self.undoing((named or node).problem(*_say("temporary undo", identity=identity)))
        params, missing = undo.params, list[str]()
        if params is None:
            params, missing = self.calls.derived(operation, draft.part.params)
            unknown = "with" in draft.spoiled or draft.part.call == UNKNOWN_CALL
            if missing and not unknown:
                names = ", ".join(missing)
                every = ", ".join(f"{name}: ..." for name in (*params, *missing))
                message, fix = _say("undo lacks", call=undo.call, names=names, every=every)
                opposite = self._opposite(draft.part)
                if opposite not in (None, undo.call):
                    fix = f"Did you mean {opposite}? If not: {fix[0].lower()}{fix[1:]}"
                self.undoing(called.problem(message, fix))
        else:
            self.calls.params(operation, node)
        wait = self.calls.wait(undo.service, undo.wait, node.get("wait"), params)
        known = not missing and (self.calls.catalogue is not None or undo.params is not None)
        return replace(undo, identity=identity, params=params if known else None, wait=wait)

    # The lesson: access table, faults and variables

    def lessons(self, draft: LabDraft) -> None:
        self._env(draft.node.get("env"))
        self._access(draft.part, draft.node.get("access"))
        for stage in draft.stages:
            self._changes(draft, zip(stage.part.changes, stage.node.listed("changes"), strict=True))
        self._faults(draft)

    def _env(self, env: Node | None) -> None:
        for name, value in _named(env).items():
            alike = name.startswith(_MINDED["beginnings"]) or name.endswith(_MINDED["endings"])
            if alike or name in _MINDED["names"]:
                self.lesson(env.keys[name].problem(*_say("minded variable", name=name)))  # type: ignore[union-attr]
            self.scope.check_texts(value)

    def _access(self, lab: LabFile, access: Node | None) -> None:
        for name, node in _named(access).items():
            cell = lab.access.get(name)
            if cell is None:
                continue
            who = node.get("as")
            for number, identity in enumerate(cell.identities):
                self.scope.identity(who.items[number] if who and who.items else who, identity, node)
            self.calls.params(self.calls.operation(cell.call, node.get("call")), node)

    def _changes(self, draft: LabDraft, changes: Iterable[tuple[Change, Node]]) -> None:
        access = draft.node.get("access")
        named, cells, first = _named(access), draft.part.access, dict[tuple[str, str], Node]()
        for change, node in changes if named or not access else ():
            cell, key = cells.get(change.cell), (change.cell, change.identity)
            if first.setdefault(key, node) is not node:
                self.lesson(node.problem(*_say("cell twice", line=first[key].line)))
            if change.cell not in named:
                fix = did_you_mean(change.cell, named, "Add it to `access`.")
                self.lesson(node.problem(f"The access table has no cell {change.cell}.", fix))
            elif cell and cell.identities and change.identity not in cell.identities:
                message = f"The cell {change.cell} is not for {change.identity}."
                self.lesson(node.problem(message, f"Its `as` has: {', '.join(cell.identities)}."))

    def _faults(self, draft: LabDraft) -> None:
        nodes = draft.node.listed("faults")
        stages = [one.part.id for one in draft.stages]
        _refuse_twins("fault", nodes, self.lesson)
        for fault, node in zip(draft.part.faults, nodes, strict=True):
            after = node.get("after")
            if after and after.value == fault.after and fault.after not in stages:
                message = f"This lab has no stage {fault.after}."
                self.lesson(after.problem(message, did_you_mean(fault.after, stages)))
            for key, actions in (("change", fault.change), ("fix", fault.fix)):
                for action, one in zip(actions, node.listed(key), strict=True):
                    self.calls.call(action, one)


def _is_handed_out(source: Node, credentials: Shape) -> bool:
    """Whether credentials come unchanged from the response: a lab can't bring its own."""
    secret = credentials.members.get("SecretAccessKey")
    with suppress(BadExpression):
        return bool(secret and secret.sensitive) and _is_path(query(source.value)[0])
    return True  # it is not an expression, which is reported already


def _is_path(tree: Tree) -> bool:
    return tree["type"] in _PATH and all(map(_is_path, tree["children"]))


_PATH = ("field", "index", "index_expression", "subexpression")


def _refuse_twins(what: str, parts: Iterable[Node], report: Report) -> None:
    first: dict[str, int] = {}
    for node in filter(None, (part.get("id") for part in parts)):
        if not isinstance(node.value, str):
            continue
        if node.value in first:
            report(node.problem(*_say("twins", what=what, id=node.value, line=first[node.value])))
        first.setdefault(node.value, node.line)


def _named(node: Node | None) -> Mapping[str, Node]:
    return node.value if node and node.keys else {}
