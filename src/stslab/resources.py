"""Finds the bundled labs, templates and policies, in a checkout and in an installed wheel."""

import os
import re
from functools import cache
from pathlib import Path

_LARGEST = 2**20
_IS_LAB = re.compile(r"^(stslab|stages):", re.MULTILINE)
_ID = re.compile(
    r"""^\ufeff?(['"]?)id\1[ \t]*:\s+(['"]?)([a-z][a-z0-9-]{0,63})\2[ \t]*(?:[ \t]#.*)?$""",
    re.MULTILINE,
)


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


def labs_in(folder: Path) -> list[Path]:
    """The labs in a folder and its direct subfolders."""
    files = [*folder.glob("*.y*ml"), *folder.glob("*/*.y*ml")]
    return sorted(path for path in files if _IS_LAB.search(text_of(path)))


def labs_by_id() -> dict[str, Path]:
    """The labs in STSLAB_LABS and the bundled ones; one that says no id has its file's name.

    They are read with a pattern, not as YAML: a shell that completes them does not wait.
    """
    folder = foreign_folder()
    files = (*(labs_in(folder) if folder else ()), *bundled_labs())
    said = {path: _ID.search(text_of(path)) for path in files}
    return {found[3] if found else path.stem: path for path, found in said.items()}


def text_of(path: Path) -> str:
    """The text of a file; empty if it can't be read or is larger than 1 MiB."""
    try:
        small = path.is_file() and path.stat().st_size <= _LARGEST
        return path.read_text(encoding="utf-8", errors="replace") if small else ""
    except OSError:
        return ""
