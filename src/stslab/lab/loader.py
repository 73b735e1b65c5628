"""Reads a lab: file to nodes, to parts, to a lab that makes sense; or all that is wrong with it."""

from dataclasses import replace
from pathlib import Path

from msgspec.structs import asdict

from stslab.errors import InvalidLab
from stslab.lab.checking import harmless, meaning
from stslab.lab.checking.shapes import Catalogue
from stslab.lab.model import Lab, LabFile
from stslab.lab.reading import document, structure
from stslab.lab.reading.document import Includes, Node, Report, Unreadable
from stslab.lab.reading.problems import Problem, invalid, ruled
from stslab.lab.reading.structure import LabDraft

MOST_PROBLEMS = 200
_UNREAD = frozenset({"yaml", "include", "reference"})
_UNKNOWN = frozenset({"format", "call"})  # What has such a problem is not judged by what it does


class _Enough(Exception):  # noqa: N818 - it ends the search, it is no error
    """So many problems have been found that nobody reads on."""


def load(path: Path, *, catalogue: Catalogue | None) -> Lab:
    """Read and check the lab in the file ``path``.

    With a catalogue, calls are checked against AWS's APIs, and what the lab leaves to be
    derived (parameters of an undo and of a wait, who undoes) is filled in.

    InvalidLab: with all its problems, in file order.
    """
    lab, _, problems, _ = read(path, catalogue)
    if problems:
        raise invalid(str(path), problems)
    return lab


def read(
    path: Path, catalogue: Catalogue | None
) -> tuple[Lab, LabDraft, list[Problem], frozenset[Node]]:
    """The lab and what it was made of, all that is wrong with it, and the nodes that can't be read.

    InvalidLab: nothing of it can be read, or there are too many problems to read on.
    """
    raw = read_bytes(path)
    problems: list[Problem] = []
    told: set[tuple[str, int, int]] = set()

    def report(problem: Problem) -> None:
        place = (problem.file, problem.line, problem.column)
        if place in told:  # what can't be read is not judged as well
            return
        told.update([place] if problem.rule in _UNREAD else ())
        problems.append(problem)
        if len(problems) >= MOST_PROBLEMS:
            raise _Enough

    try:
        includes = Includes(path)
        draft, lab = understood(path, raw, catalogue, report, includes)
        unread = [one for one in problems if one.rule in _UNREAD | _UNKNOWN]
        broken = frozenset(draft.lab.node.holding(unread))
        harmless.refuse_harm(lab, draft, ruled(report, "not-own"), broken)
    except Unreadable as unreadable:
        raise invalid(str(path), [*problems, replace(unreadable.problem, rule="yaml")]) from None
    except _Enough:
        raise invalid(str(path), problems) from None
    checked = Lab(**asdict(lab), path=path, sha256=includes.hash_with(raw), includes=includes.files)
    return checked, draft, problems, broken


def read_bytes(path: Path) -> bytes:
    """A lab file's bytes, at most a few more than a lab may have."""
    try:
        if path.is_file() or not path.exists():  # a pipe may never end
            with path.open("rb") as file:
                return file.read(document.LARGEST_FILE + 1)
        reason = "no lab is in this folder" if path.is_dir() else "it is a pipe or a device"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise InvalidLab(
        f"The lab {path} can't be read: {reason}.",
        hint="Name a file, or one of the labs that `stslab labs` lists.",
    )


def understood(
    path: Path, raw: bytes, catalogue: Catalogue | None, report: Report, includes: Includes
) -> tuple[LabDraft, LabFile]:
    """The lab, and what it was made of; what makes no sense in it is reported."""
    root = document.nodes(document.decoded(str(path), raw), ruled(report, "yaml"))
    for text in root.texts():
        problem = includes.put_into(text) if text.include else None
        if problem:
            ruled(report, "include")(problem)
    draft = structure.draft(root, ruled(report, "format"))
    return draft, meaning.settled(draft, catalogue, report)
