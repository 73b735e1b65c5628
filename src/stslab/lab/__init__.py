"""What a lab is: YAML to a frozen model, its references and its problems. Pure.

Importing this package imports neither msgspec nor yaml; what needs them is imported on use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stslab.lab.checking.catalogue import Catalogue
    from stslab.lab.model import Lab
    from stslab.lab.reading.listing import LabHeader

__all__ = ["find", "headers", "load"]


def load(path: Path, *, catalogue: "Catalogue | None") -> "Lab":
    """Read and check the lab in the file ``path``.

    With a catalogue, calls are checked against AWS's APIs, and what the lab leaves to be
    derived (parameters of an undo and of a wait, who undoes) is filled in.

    Raises:
        InvalidLab: with all its problems, in file order.
    """
    from stslab.lab import loader

    return loader.load(path, catalogue=catalogue)


def headers(folder: Path) -> "list[LabHeader]":
    """What the labs in ``folder`` are called, without checking them: quick.

    A file that is no lab is listed too, with what is wrong with it.
    """
    from stslab.lab.reading import listing

    return listing.headers(folder)


def find(name_or_path: str | Path) -> Path:
    """The file of a lab: a path to it, or the id of one that comes with stslab.

    Raises:
        LabError: there is no such lab.
    """
    from stslab.lab.reading import listing

    return listing.find(name_or_path)
