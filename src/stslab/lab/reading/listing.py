"""Finds labs, and reads their ids and titles without checking them. Quick to import."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from stslab import resources
from stslab.errors import LabError
from stslab.lab.reading import document
from stslab.lab.reading.document import Node, Unreadable
from stslab.lab.reading.problems import did_you_mean

_IS_LAB = re.compile(r"^(stslab|stages):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LabHeader:
    """A lab's id and title. ``stages`` are (id, title); ``problem``: why it can't be read."""

    id: str
    title: str
    path: Path
    stages: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    after: str = ""  # the id of the lab that it builds on, if any
    root: Node | None = field(default=None, repr=False)


def headers(folder: Path) -> list[LabHeader]:
    """The headers of the labs in ``folder``, each after the lab that it builds on."""
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    every = [header(path) for path in files]
    after = {one.id: one.after for one in every}

    def steps(lab: str) -> int:
        before = [lab]
        while (lab := after.get(lab, "")) and lab not in before:
            before.append(lab)
        return len(before)

    return sorted(every, key=lambda one: (steps(one.id), one.id, one.path))


def labs_in(folder: Path) -> list[Path]:
    """The labs in a folder and its direct subfolders."""
    files = [*folder.glob("*.y*ml"), *folder.glob("*/*.y*ml")]
    return sorted(path for path in files if _IS_LAB.search(resources.text_of(path)))


def header(path: Path) -> LabHeader:
    problem = "It has no id."
    try:
        with path.open("rb") as file:
            source = document.decoded(str(path), file.read(document.LARGEST_FILE + 1))
        root = document.nodes(source, lambda _: None)
    except Unreadable as unreadable:
        problem = f"{unreadable.problem.place}: {unreadable.problem.message}"
    except OSError as error:
        problem = f"It can't be read: {error.strerror}."
    else:
        name, title, after = _text(root, "id"), _text(root, "title"), _text(root, "after")
        stages = tuple((_text(one, "id"), _text(one, "title")) for one in root.listed("stages"))
        if name:
            return LabHeader(name, title, path, stages, after=after, root=root)
    return LabHeader(path.stem, "", path, problem=problem)


def find(name_or_path: str | Path) -> Path:
    """The file of a lab, from its path, that of a folder with one lab, or its id.

    Ids are of bundled labs, and of those in STSLAB_LABS. LabError: no lab; loading tests the path.
    """
    path = Path(name_or_path)
    named = str(name_or_path)
    folder = resources.foreign_folder()
    files = [*(labs_in(folder) if folder else ()), *sorted(resources.labs_folder().glob("*.yaml"))]
    says_so = re.compile(rf"^id: *{re.escape(named)}$", re.MULTILINE)
    likely = [one for one in files if says_so.search(resources.text_of(one))]
    known = {
        named if likely and one.problem else one.id: one.path  # loading it reports the problem
        for one in map(header, likely or files)
    }
    if named in known:
        return known[named]
    within = labs_in(path) if named else []
    if len(within) > 1:
        listed = ", ".join(map(str, within))
        raise LabError(f"{named} has {len(within)} labs.", f"Name one of them: {listed}.")
    if within:
        return within[0]
    if path.suffix in {".yaml", ".yml"} or "/" in named:
        return path
    raise LabError(f"There is no lab {named!r}.", did_you_mean(named, known, "See `stslab labs`."))


def _text(node: Node, key: str) -> str:
    found = node.get(key)
    return found.value if found and isinstance(found.value, str) else ""
