"""Finds the bundled labs, templates and policies, in a checkout and in an installed wheel."""

import os
from functools import cache
from pathlib import Path

_LARGEST = 2**20


@cache
def bundled() -> Path:
    """The folder with ``lab/``, ``templates/`` and ``policy.json``: in a wheel, in the package."""
    package = Path(__file__).resolve().parent
    inside = package / "_bundled"
    return inside if inside.is_dir() else package.parent.parent


def labs_folder() -> Path:
    return bundled() / "lab"


def bundled_labs() -> tuple[Path, ...]:
    return tuple(sorted(labs_folder().glob("*.yaml")))


def is_foreign(lab: Path) -> bool:
    return not lab.resolve().is_relative_to(labs_folder().resolve())


def foreign_folder() -> Path | None:
    """The folder with more labs that ``STSLAB_LABS`` names; None if it is not set."""
    named = os.environ.get("STSLAB_LABS")
    return Path(os.path.expanduser(named)) if named else None  # noqa: PTH111 - as in home.expanded


def text_of(path: Path) -> str:
    """The text of a file; empty if it can't be read or is larger than 1 MiB."""
    try:
        small = path.is_file() and path.stat().st_size <= _LARGEST
        return path.read_text(encoding="utf-8", errors="replace") if small else ""
    except OSError:
        return ""
