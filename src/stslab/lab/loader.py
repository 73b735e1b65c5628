"""Loads a lab: a file to nodes, to parts, to a checked lab; or all problems at once."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import asdict, replace

from stslab.errors import InvalidLab
from stslab.kinds.harmless import objections
from stslab.kinds.operations import HOME, changes
from stslab.kinds.table import KINDS
from stslab.lab.checking import meaning
from stslab.lab.checking.shapes import Catalogue
from stslab.lab.effects import FAULT, UNDO, LabCall, lab_calls
from stslab.lab.model import Lab, LabFile
from stslab.lab.reading import document, structure
from stslab.lab.reading.document import Includes, Node, Report, Unreadable
from stslab.lab.reading.problems import Problem, invalid, ruled
from stslab.lab.reading.structure import LabDraft, StageDraft

MOST_PROBLEMS = 200
_UNREAD = frozenset({"yaml", "include", "reference"})
_UNKNOWN = frozenset({"format", "call"})  # A call with such a problem is not judged


def load(path: Path, *, catalogue: Catalogue | None) -> Lab:
    """Read and check a lab; with a catalogue also its calls, and derived values are filled in.

    InvalidLab: it has all problems, in file order.
    """
    lab, _, problems, _ = read(path, catalogue)
    if problems:
        raise invalid(str(path), problems)
    return lab


def read(
    path: Path, catalogue: Catalogue | None
) -> tuple[Lab, LabDraft, list[Problem], frozenset[Node]]:
    """The lab, its draft, its problems and unreadable nodes. InvalidLab: there is no lab at all."""
    raw = read_bytes(path)
    problems: list[Problem] = []
    unreadable: set[str] = set()

    def report(problem: Problem) -> None:
        if problem.place in unreadable:  # one problem is enough there
            return
        unreadable.update([problem.place] if problem.rule in _UNREAD else ())
        problems.append(problem)
        if len(problems) >= MOST_PROBLEMS:
            raise invalid(str(path), problems)

    try:
        includes = Includes(path)
        draft, lab = parse(path, raw, catalogue, report, includes)
        unread = [one for one in problems if one.rule in _UNREAD | _UNKNOWN]
        broken = frozenset(draft.node.holding(unread) if unread else ())
        _refuse_harm(lab, draft, ruled(report, "not-own"), broken)
    except Unreadable as error:
        problem = dataclasses.replace(error.problem, rule="yaml")
        raise invalid(str(path), [*problems, problem]) from None
    sha256, included = includes.hash_with(raw), tuple(includes.read)
    return Lab(**asdict(lab), path=path, sha256=sha256, includes=included), draft, problems, broken


def read_bytes(path: Path) -> bytes:
    """A lab file's bytes, one more than allowed at most. InvalidLab: it can't be read."""
    try:
        if path.is_file() or not path.exists():  # a pipe may never end
            with path.open("rb") as file:
                return file.read(document.LARGEST_FILE + 1)
        reason = "no file in it has `stslab: 1`" if path.is_dir() else "it is a pipe or a device"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    fix = "Name a file that has the line `stslab: 1`, or one of the labs that `stslab labs` lists."
    raise InvalidLab(f"The lab {path} can't be read: {reason}.", hint=fix)


def parse(
    path: Path, raw: bytes, catalogue: Catalogue | None, report: Report, includes: Includes
) -> tuple[LabDraft, LabFile]:
    root = document.nodes(document.decoded(str(path), raw), ruled(report, "yaml"))
    for text in root.texts():
        problem = includes.put_into(text) if text.include else None
        if problem:
            ruled(report, "include")(problem)
    draft = structure.draft(root, ruled(report, "format"))
    return draft, meaning.checked(draft, catalogue, report)


# -- whether the lab changes only what it makes itself --------------------------------------------
# A run checks the same rules again before it sends a call. Here a problem has its line and column.


def _refuse_harm(lab: LabFile, draft: LabDraft, report: Report, broken: frozenset[Node]) -> None:
    """Report each call that would change something that no earlier step of the lab made.

    ``broken`` parts are skipped, and so is what an unreadable declaration may allow. If a broken
    step may make something, any name with the run's id may be that thing.
    """
    unread = [f"{one}:" for one in ("accounts", "services", "uses") if draft.unclear(one)]
    root, doubtful = draft.node, any(_may_make(one, broken) for one in draft.stages)
    for one in lab_calls(lab, faults=True):
        node, undone = root.at(one.place), root.at(one.place[:4])
        needed = {node.get("call") or node, node.get("as")}
        needed |= {undone.get("with")} if one.when == UNDO and not node.get("with") else set()
        if needed & broken:
            continue
        unknown = one.own.unknown | {one.own.run} if doubtful else one.own.unknown
        for problem in _problems(replace(one, own=replace(one.own, unknown=unknown)), node, broken):
            if not any(declared in problem.fix for declared in unread):
                report(problem)


def _may_make(stage: StageDraft, broken: frozenset[Node]) -> bool:
    called = [{one.node.get("call") or one.node, one.node.get("with")} for one in stage.steps]
    return any(one & broken for one in called or [{stage.node.get("steps")}])


def _problems(one: LabCall, node: Node, broken: frozenset[Node]) -> Iterator[Problem]:
    at, undos = node.get("undo") or node, one.undos
    if one.made and one.when in (UNDO, FAULT):
        message = f"{one.call} makes something, and nothing undoes that."
        yield (node.get("call") or node).problem(message, "Make it in a step, with its undo.")
        return
    given = node.get("with")
    for objection in objections(one.call, one.params, one.own, one.caller):
        named = given.get(objection.parameter) if given else None
        if given not in broken or (named and named not in broken):
            says = objection.reason, objection.fix
            where = named or node.get("call") or node
            about = (named or given or node).problem_about(objection.word, *says)
            yield about or where.problem_within(*says)
    if undos is None or at in broken:  # without any undo, that is reported already
        return
    if one.made:
        removal = KINDS[one.made[0]].removal
        if removal not in undos:
            message = f"{one.call} makes something, and its undo does not remove it."
            yield at.problem(message, f"Add `undo: {removal}`.")
    elif one.call.partition(".")[0] not in HOME and changes(one.call) and not undos:
        message = f"{one.call} changes something, and nothing undoes it."
        yield at.problem(message, "Add `undo:` and the call that undoes it.")
