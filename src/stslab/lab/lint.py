"""The linter for lab files: errors, and warnings, which a comment may allow."""

import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from stslab.errors import InvalidLab
from stslab.kinds.operations import changes
from stslab.kinds.table import KINDS, creation_of
from stslab.lab.checking.documents import findings
from stslab.lab.checking.shapes import NOTHING, Catalogue, Operation, Shape, result_shape
from stslab.lab.effects import CHECK, STEP, LabCall, lab_calls
from stslab.lab.embedded import SERVICE, embedded_only
from stslab.lab.loader import read
from stslab.lab.model import DENIALS, LabFile, Part
from stslab.lab.reading.document import Node
from stslab.lab.reading.expressions import OPEN, Tree, query
from stslab.lab.reading.problems import WARNING, Problem, did_you_mean, in_order, shortened
from stslab.lab.reading.structure import LabDraft
from stslab.lab.references import first_names, names_used, roots
from stslab.resources import text_of
from stslab.structures import beside, said
from stslab.vocabulary import LEARNER, PARTNER, PARTNER_ADMIN, REGION, Gate

BASE = first_names("abcd2345", LEARNER, REGION, {PARTNER_ADMIN: PARTNER})
WIDTH, LINES = 78, 18  # The room for an intro on a screen of 80 columns and 24 lines
_LONGEST = {"title": 60, "says": 76, "because": 300, "summary": 300}
_LONGEST |= {"why": 200, "task": 200, "hints": 200}
_ALMOST = re.compile(r"(?:\$\{|(?<!\$)\{\{) *(\w+)([.\w]*) *\}+")
_CODES: Mapping[str, str] = beside(__file__, "errors.yaml")
_SAYS: Mapping[str, tuple[str, str]] = beside(__file__, "advice.yaml")


class Noticed(NamedTuple):
    """A finding in ``node``, which is in ``part`` of the lab; ``word`` is where in its text."""

    node: Node
    part: Node
    message: str
    fix: str
    word: str = ""
    rule: str = ""  # instead of the name of the rule that found it


def _noticed(says: str, node: Node, part: Node, **names: object) -> Noticed:
    """A finding with the texts of advice.yaml; the rule is the part before the slash."""
    return Noticed(node, part, *said(_SAYS, says, **names), rule=says.partition("/")[0])


class Looked(msgspec.Struct, frozen=True):
    """A lab, for the rules. ``broken`` are the nodes that can't be read completely."""

    lab: LabFile
    calls: Sequence[LabCall]
    draft: LabDraft
    catalogue: Catalogue
    served: Collection[str] = ()
    broken: Collection[Node] = ()

    def operation(self, call: str | None) -> Operation | None:
        return self.catalogue.operation(*call.split(".", 1)) if call else None


def rules_allowed(text: str) -> Callable[[str, int], bool]:
    """Whether a file's comments allow a rule (or the part before its slash) in a line, from 1.

    A comment is for its own line or the next one. Without a reason it is skipped.
    """
    rules = set[tuple[str, int]]()
    waiting = set[str]()
    for number, line in enumerate(text.splitlines(), 1):
        found = re.search(r"#\s*stslab:\s*allow\s+(\S+)[ \t]*(.*)", line)
        waiting |= {found[1]} if found and found[2].strip() else set()
        if line.strip() and not line.lstrip().startswith("#"):
            rules |= {(rule, number) for rule in waiting}
            waiting = set()
    return lambda rule, line: bool({(rule, line), (rule.partition("/")[0], line)} & rules)


def lint(path: Path, *, catalogue: Catalogue, served: Collection[str]) -> list[Problem]:
    """The errors and warnings of a lab's file; ``served``: the embedded account's operations."""
    try:
        lab, draft, problems, broken = read(path, catalogue)
    except InvalidLab as bad:
        listed = [one for one in bad.problems if isinstance(one, Problem)]
        return listed or [Problem(str(path), 1, 1, bad.message, bad.hint, rule="file")]
    looked = Looked(lab, list(lab_calls(lab, BASE)), draft, catalogue, served, broken)
    places = {one.place for one in problems}
    advice = (one for one in _advice(looked, path) if one.place not in places)
    return in_order(str(path), [*problems, *advice])


def _advice(looked: Looked, path: Path) -> Iterator[Problem]:
    allowed = rules_allowed(text_of(path))
    for name, look in RULES.items():
        for one in (found for found in look(looked) if found.node not in looked.broken):
            rule = one.rule or name
            problem = one.node.problem_about(one.word, one.message, one.fix)
            problem = problem or one.node.problem_within(one.message, one.fix)
            lines = {one.node.line, one.part.line}
            lines |= {problem.line} if problem.file == str(path) else set()
            if not any(allowed(rule, line) for line in lines):
                yield replace(problem, rule=rule, severity=WARNING)


def _policies(looked: Looked) -> Iterator[Noticed]:
    for one in looked.calls:
        part = looked.draft.node.at(one.place)
        for name, (code, message, fix, word) in () if one.fails else findings(one):
            node = (part.get("with") or part).get(name) or part
            yield Noticed(node, part, message, fix, word, f"policy-{code}")


def _parameters(looked: Looked) -> Iterator[Noticed]:
    """Values that don't fit the API's model, and that AWS would refuse."""
    reported: set[str] = set()
    for one in looked.calls:
        operation = looked.operation(one.call)
        part = looked.draft.node.at(one.place)
        shape = operation.input if operation else NOTHING
        given = {} if one.fails else one.params
        for node, name, value, why in _misfits(shape, given, part.get("with") or part, ""):
            if f"{name} {value}" not in reported:
                reported.add(f"{name} {value}")
                yield Noticed(node, part, f"{name} can't be {shortened(value)}.", why)


def _misfits(
    shape: Shape, value: object, node: Node, name: str
) -> Iterator[tuple[Node, str, object, str]]:
    """The parts of a value that don't fit their shape: node, name, value, and why."""
    if isinstance(value, Mapping):
        parts = dict.fromkeys(value, shape.item) if shape.kind == "map" else shape.members
        for key in parts.keys() & value.keys():
            yield from _misfits(parts[key], value[key], node.get(key) or node, key)
    elif isinstance(value, list) and shape.kind == "list":
        for each, item in zip(node.items or [node] * len(value), value, strict=True):
            yield from _misfits(shape.item, item, each, name)
    elif isinstance(value, str | int) and (why := _misfit(shape, value)):
        yield node, name, value, why


def _misfit(shape: Shape, value: str | int) -> str:
    if isinstance(value, int):
        return f"Write at most {shape.most}." if 0 < shape.most < value else ""
    if "<" in value or OPEN in value:  # not known yet
        return ""
    if 0 < shape.most < len(value):
        return f"Write at most {shape.most} characters; this has {len(value)}."
    try:
        fits = not shape.pattern or re.fullmatch(shape.pattern, value, re.ASCII)
    except re.error:  # not a pattern for Python
        return ""
    return "" if fits else f"AWS wants it to match {shape.pattern}"


def _expectations(looked: Looked) -> Iterator[Noticed]:
    """`expect` must be true or false, depending on the response."""
    for draft in looked.draft.checks:
        expect, node = draft.part.expect, draft.node.get("expect")
        operation = looked.operation(draft.part.call)
        if not expect or not node or not operation or node in looked.broken:
            continue
        tree, response = query(expect)[0], operation.output
        if not any(roots(tree)) and not _has_current(tree):
            yield _noticed("expect-constant", node, draft.node)
        elif not _is_question(tree, response):
            yield _noticed("expect-no-question", node, draft.node)


def _has_current(tree: Tree) -> bool:
    children = (one for one in tree["children"] if isinstance(one, dict))  # a slice has numbers
    return tree["type"] == "current" or any(map(_has_current, children))


def _is_question(tree: Tree, shape: Shape) -> bool:
    if tree["type"] in {"and_expression", "or_expression"}:
        return all(_is_question(one, shape) for one in tree["children"])
    if tree["type"] == "pipe":
        return bool(tree["children"][1]["type"] != "field")
    kind: str = result_shape(tree, shape, lambda *_: None).kind
    return kind in {"boolean", "document"}


def _unused(looked: Looked) -> Iterator[Noticed]:
    if looked.broken:  # they may be meant there
        return
    root = looked.draft.node
    steps = looked.draft.steps
    used = names_used(root.plain())
    called = {who.value for who in _texts_of(root, {"as", "source_profile"})}
    named = [(root.get("vars"), None), *((one.node.get("save"), one.node) for one in steps)]
    for names, part in named:
        for name, key in names.keys.items() if names else ():
            if name not in used:
                yield _noticed("unused/name", key, part or key, name=name)
    for step in steps:
        if step.part.profile and step.part.profile.name not in called:
            node, name = step.node.value["profile"], step.part.profile.name
            yield _noticed("unused/profile", node, step.node, name=name)


def _texts_of(node: Node, keys: Collection[str]) -> Iterator[Node]:
    """The texts that are the values of these keys, or in them."""
    for key, value in node.value.items() if isinstance(node.value, dict) else ():
        yield from value.texts() if key in keys else _texts_of(value, keys)
    for item in node.items:
        yield from _texts_of(item, keys)


def _almost(looked: Looked) -> Iterator[Noticed]:
    """A name of the lab's, written as a shell or a template does, whose own name it may be."""
    root = looked.draft.node
    named = (root.get("vars"), *(step.node.get("save") for step in looked.draft.steps))
    known = {*BASE, *(name for node in named if node for name in node.keys)}
    other = {*_texts_of(root, {"Fn::Sub"})}
    for text in _texts_of(root, {"vars", "env", "tokens", "profiles", "with"}):
        for found in () if text in other or "Sub" in text.value else _ALMOST.finditer(text.value):
            if found[1] in known:
                says = said(_SAYS, "almost", text=found[0], path=found[1] + found[2])
                yield Noticed(text, text, *says, word=found[0])


def _codes(looked: Looked) -> Iterator[Noticed]:
    for draft in looked.draft.checks:
        operation = looked.operation(draft.part.call)
        listed = f"{_CODES['common']} {_CODES.get(draft.part.service, '')}"
        known = {*listed.split(), *DENIALS, *looked.catalogue.errors(draft.part.service)}
        for code in draft.part.fails if operation else ():
            if code not in known and not code.isdecimal():
                message = f"{draft.part.service} has no known error {code}."
                fix = did_you_mean(code, known, "Look it up among the API's errors.")
                yield Noticed(draft.node.value["fails"], draft.node, message, fix, code)


def _reasons(looked: Looked) -> Iterator[Noticed]:
    """A `because` that names other gates than those that the check says refuse."""
    for draft in looked.draft.checks:
        reason, by = draft.part.because or "", draft.part.by
        named = [gate for gate, words in _NAMED.items() if re.search(words, reason, re.IGNORECASE)]
        if named and by and not any(re.search(_SPOKEN[one], reason, re.IGNORECASE) for one in by):
            node = draft.node.value["because"]
            yield _noticed("because", node, draft.node, named=named[0], by=by[0])


_NAMED = {gate: str(gate).removesuffix("y") for gate in Gate} | {Gate.RESOURCE: "bucket polic"}
_SPOKEN = _NAMED | {
    Gate.RESOURCE: "bucket|resource",
    Gate.TRUST: "trust",
    Gate.IDENTITY: "statement|(?<!bucket )(?<!session )(?<!trust )polic",
}


def _deletions(looked: Looked) -> Iterator[Noticed]:
    """Checks for deleted things that don't wait until AWS knows that they are deleted."""
    if embedded_only(looked.lab):
        return
    last = (stage for stage in looked.draft.stages if stage.part.cleanup)
    for draft in (check for stage in last for check in stage.checks):
        gone = any(code.startswith(("NoSuch", "404")) for code in draft.part.fails)
        if gone and not draft.part.within and not draft.unclear("within"):
            yield _noticed("lacks-within", draft.node.value["fails"], draft.node)


def _proofs(looked: Looked) -> Iterator[Noticed]:
    """Stages that prove nothing, and labs without cleanup."""
    doing = [one for one in looked.calls if one.when == STEP and changes(one.call)]
    stages, lab = looked.draft.stages, looked.draft.node
    if doing and not any(one.part.cleanup or one.unclear("cleanup") for one in stages):
        yield _noticed("no-cleanup", lab.keys["stages"], lab)
    if stages and not any(one.checks or one.unclear("checkpoint") for one in stages):
        yield _noticed("no-checks/lab", lab.keys["stages"], lab)
        return
    for one in stages:
        changing = one.part.id in {each.stage for each in doing}
        if not one.checks and (changing or one.part.cleanup):
            yield _noticed("no-checks/stage", one.node, one.node)


def _undos(looked: Looked) -> Iterator[Noticed]:
    """An undo that leaves what its step makes."""
    for draft in looked.draft.steps:
        creation = creation_of(draft.part.call, draft.part.params)
        undos = {undo.call for undo in draft.part.undo or ()}
        node = draft.node.get("undo")
        if node and node.value == []:
            yield _noticed("idle-undo/empty", node, draft.node)
        elif node and creation and undos:
            kind = KINDS[creation.kind]
            if kind.removal not in undos and not kind.put:
                yield _noticed("idle-undo/other", node, draft.node, kind=kind)


def _claims(looked: Looked) -> Iterator[Noticed]:
    """Claims that repeat an earlier one's words, or in the same stage its call."""
    claims: dict[str, int] = {}
    for stage in looked.draft.stages:
        calls: dict[str, int] = {}
        for draft in (one for one in stage.checks if one.node not in looked.broken):
            check = draft.part
            call = repr((check.identity, check.call, check.params, check.expect, check.fails))
            line = claims.get(check.says) or (check.call and calls.get(call))
            if line:
                yield _noticed("repeated-claim", draft.node, draft.node, line=line)
            claims.setdefault(check.says, draft.node.line)
            calls.setdefault(call, draft.node.line)


def _served(looked: Looked) -> Iterator[Noticed]:
    for one in looked.calls if looked.served else ():
        own = one.call.startswith(f"{SERVICE}.")
        if one.when in (STEP, CHECK) and one.call not in looked.served and not own:
            part = looked.draft.node.at(one.place)
            yield _noticed("not-embedded", part.get("call") or part, part, call=one.call)


def _texts(looked: Looked) -> Iterator[Noticed]:
    """Missing reasons and hints, and texts that don't fit a screen."""
    yield from _long(looked.lab, looked.draft.node)
    for stage in looked.draft.stages:
        yield from _long(stage.part, stage.node)
        for check in stage.checks:
            yield from _long(check.part, check.node)
            asks = check.part.ask is not None
            if asks and not (check.part.because or check.unclear("because")):
                yield _noticed("text-missing/because", check.node.keys["ask"], check.node)
        for step in stage.steps:
            yield from _long(step.part, step.node)
            if step.part.task and not (step.part.hints or step.unclear("hints")):
                yield _noticed("text-missing/task", step.node.keys["task"], step.node)
    for fault, node in zip(looked.lab.faults, looked.draft.node.listed("faults"), strict=True):
        if not fault.hints:
            yield _noticed("text-missing/fault", node, node)


def _long(part: Part, node: Node) -> Iterator[Noticed]:
    intro = node.get("intro")
    written = str(intro.value if intro else "").splitlines()
    lines = [line for one in written for line in textwrap.wrap(one, WIDTH) or [""]]
    if intro and len(lines) > LINES:
        yield _noticed("text-long/intro", intro, node, lines=len(lines), most=LINES)
    for key, most in _LONGEST.items():
        found = node.get(key) if hasattr(part, key) else None
        for text in found.texts() if found else ():
            if len(text.value) > most:
                has = len(text.value)
                yield _noticed("text-long/other", text, node, key=key, has=has, most=most)


RULES: Mapping[str, Callable[[Looked], Iterator[Noticed]]] = {
    "policy": _policies,
    "parameter": _parameters,
    "expect": _expectations,
    "almost": _almost,
    "unused": _unused,
    "error-code": _codes,
    "because": _reasons,
    "lacks-within": _deletions,
    "proof": _proofs,
    "idle-undo": _undos,
    "repeated-claim": _claims,
    "not-embedded": _served,
    "text-long": _texts,
}
"""Each rule by its name; a finding may have a narrower name."""
