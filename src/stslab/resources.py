"""Finds the bundled labs, templates and policies: in a checkout and in an installed wheel."""

from functools import cache
from pathlib import Path


@cache
def bundled() -> Path:
    """The folder that holds ``lab/``, ``templates/`` and ``policy.json``.

    In a wheel they travel inside the package; in a checkout they stand at its top.
    """
    package = Path(__file__).resolve().parent
    inside = package / "_bundled"
    return inside if inside.is_dir() else package.parent.parent


def labs_folder() -> Path:
    """The folder of the labs that come with stslab."""
    return bundled() / "lab"
