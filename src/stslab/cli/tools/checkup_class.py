"""The doctor's checks of a machine for a class: an account starts, the labs are good, all fits."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from stslab.cli.bench import load_lab
from stslab.errors import InvalidLab
from stslab.home import Home
from stslab.lab.reading.listing import header, labs_in
from stslab.render.checkup import NOTE, WARNING, WRONG, Checked, checked
from stslab.resources import bundled_labs, foreign_folder
from stslab.sandbox.server import client

_COLUMNS, _LINES = 80, 24
_HASH = 12


def class_checks() -> Iterator[Checked]:
    """What a lesson needs beyond what every command does."""
    yield from _starts()
    yield from _labs()
    yield from _screen()


def _starts() -> Iterator[Checked]:
    """A new account, in a folder of its own that is gone afterwards."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="stslab-class-"))
    try:
        found = client.ensure(Home(folder).sandbox)
        took = f"{time.monotonic() - began:.1f} s"
        yield checked("a new account", f"starts in {took}, and answers at {found.url}")
    finally:
        client.stop(Home(folder).sandbox)
        shutil.rmtree(folder, ignore_errors=True)


def _labs() -> Iterator[Checked]:
    """Each lab that goes by an id, with its hash: the same on every machine of the class."""
    folder = foreign_folder()
    further = labs_in(folder) if folder else []
    if folder and not further:
        fix = "Put the labs there, or name another folder in STSLAB_LABS."
        yield Checked("labs", WRONG, f"there is none in {folder}", fix)
    for path in (*bundled_labs(), *further):
        try:
            loaded = load_lab(path)
            yield checked(f"lab {loaded.id}", f"sha256 {loaded.sha256[:_HASH]}")
        except InvalidLab as bad:
            fix = f"See what: stslab lint {path}"
            yield Checked(f"lab {header(path).id}", WRONG, "it has problems", fix, bad.exit_code)


def _screen() -> Iterator[Checked]:
    size = shutil.get_terminal_size((0, 0))
    if not size.columns:
        yield Checked("screen", NOTE, "this is no terminal")
        return
    small = size.columns < _COLUMNS or size.lines < _LINES
    fix = f"Make the window larger: {_COLUMNS} columns and {_LINES} lines." if small else ""
    yield checked("screen", f"{size.columns} columns, {size.lines} lines", fix, WARNING)
