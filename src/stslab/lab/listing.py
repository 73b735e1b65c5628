"""Finds labs, and reads their ids and titles without checking them. Quick to import."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from stslab import resources
from stslab.errors import LabError
from stslab.lab.reading.problems import did_you_mean


class LabHeader(NamedTuple):
    """A lab's id and title. ``stages``: titles by id; ``problem``: why it can't be read."""

    id: str
    title: str
    path: Path
    stages: Mapping[str, str] = {}
    problem: str = ""
    after: str = ""  # the id of the lab that it builds on, if any
    embedded_only: bool = False  # it needs the embedded account


def headers() -> list[LabHeader]:
    """The headers of the bundled labs, each after the lab that it builds on."""
    every = [header(path) for path in resources.bundled_labs()]
    after = {one.id: one.after for one in every}

    def steps(lab: str) -> int:
        before = [lab]
        while (lab := after.get(lab, "")) and lab not in before:
            before.append(lab)
        return len(before)

    return sorted(every, key=lambda one: (steps(one.id), one.id, one.path))


def header(path: Path) -> LabHeader:
    try:
        raw = path.read_bytes()
    except OSError as error:
        return LabHeader(path.stem, "", path, problem=f"It can't be read: {error.strerror}.")
    known = kept("headers.json").get(hashlib.sha256(raw).hexdigest())
    return LabHeader(**known, path=path) if known else read(path, raw)


@cache
def kept(file: str) -> Any:
    """What is kept of the bundled labs by their hashes: to read or prove it takes longer."""
    return json.loads(resources.text_of(resources.labs_folder() / file) or "{}")


def read(path: Path, raw: bytes) -> LabHeader:
    """The header of a lab file with this content."""
    from stslab.lab.embedded import embedded_only
    from stslab.lab.reading import document
    from stslab.lab.reading.structure import draft

    try:
        root = document.nodes(document.decoded(str(path), raw), lambda _: None)
    except document.Unreadable as unreadable:
        problem = f"{unreadable.problem.place}: {unreadable.problem.message}"
        return LabHeader(path.stem, "", path, problem=problem)
    lab = draft(root, lambda _: None)
    if "id" in lab.spoiled:
        return LabHeader(path.stem, "", path, problem="It has no id that can be used.")
    stages = {one.part.id: one.part.title for one in lab.stages}
    found, alone = lab.part, bool(embedded_only(lab.part))
    return LabHeader(found.id, found.title, path, stages, "", found.after or "", alone)


def find(name_or_path: str | Path) -> Path:
    """The file of a lab, from its path, that of a folder with one lab, or its id.

    Ids are of bundled labs, and of those in STSLAB_LABS. LabError: no lab; loading tests the path.
    """
    path, named, known = Path(name_or_path), str(name_or_path), resources.labs_by_id()
    if named in known:
        return known[named]
    within = resources.labs_in(path) if named else []
    if len(within) > 1:
        listed = ", ".join(map(str, within))
        raise LabError(f"{named} has {len(within)} labs.", f"Name one of them: {listed}.")
    if within:
        return within[0]
    if path.suffix in {".yaml", ".yml"} or "/" in named:
        return path
    raise LabError(f"There is no lab {named!r}.", did_you_mean(named, known, "See `stslab labs`."))
