"""The package itself, and what its repository has at the top."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import stslab

ROOT = Path(__file__).parents[1]
AT_THE_TOP = {
    ".editorconfig",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "constraints.txt",
    "policy.json",
    "pyproject.toml",
}

OF_THE_WHOLE = {
    "browser": "pages in headless Chromium",
    "cases": "data for tests of several folders",
    "clients": "the embedded account, called by AWS's own clients",
    "e2e": "real processes",
    "programs": "the embedded account, used by other people's programs",
    "soak": "exhaustive tests, which take long",
}
"""Folders of tests/ that mirror no package, each with its reason."""


def test_version_is_set():
    assert stslab.__version__.count(".") == 2


def test_only_known_files_are_at_the_top():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: git can't say which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {name for name in listed.stdout.split("\0") if name and "/" not in name}
    assert "pyproject.toml" in files
    assert files <= AT_THE_TOP, f"move or delete {sorted(files - AT_THE_TOP)}, or list it here"


def test_the_tree_that_contributing_shows_is_the_tree():
    """Its folders to the second level, each once."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown, top = set(), ""
    for line in page.split("src/stslab/\n")[1].split("tests/  ")[0].splitlines():
        indent, names = len(line) - len(line.lstrip()), re.findall(r"(\w+)/(?= )", line + " ")
        top = names[0] if indent == 2 and names else top
        shown |= {name if indent == 2 else f"{top}/{name}" for name in names}
    source = ROOT / "src" / "stslab"
    modules = [path.relative_to(source) for path in source.rglob("*.py")]
    parents = {path.parent for path in modules if path.parent.parts}
    assert shown == {"/".join(path.parts[:2]) for path in parents}


def test_the_folders_of_tests_mirror_the_packages():
    """Each package has tests below its folder, and each folder is named like a package."""
    source, tests = ROOT / "src" / "stslab", ROOT / "tests"
    packages = {path.parent.relative_to(source) for path in source.rglob("*.py")} - {Path()}
    tested = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")} - {Path()}
    mirror = {path for path in tested if path.parts[0] not in OF_THE_WHOLE}
    assert mirror <= packages
    assert packages <= mirror | {above for path in mirror for above in path.parents}
    assert {path.name for path in tests.iterdir() if path.is_dir()} >= OF_THE_WHOLE.keys()


def made(folder: Path, *commands: str) -> "subprocess.CompletedProcess[str]":
    """`make run`, with an stslab that does these commands of a shell."""
    (folder / "bin").mkdir()
    stslab_of_make = folder / "bin" / "stslab"
    stslab_of_make.write_text("\n".join(["#!/bin/sh", *commands]))
    stslab_of_make.chmod(0o700)
    (folder / ".installed").touch()
    words = ["make", "run", f"VENV={folder}"]
    environ = {name: text for name, text in os.environ.items() if "MAKE" not in name}  # make test's
    return subprocess.run(
        words,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def test_make_adds_nothing_to_the_goodbye_after_ctrl_c(tmp_path: Path):
    to_all = "kill -INT 0"  # as a terminal does
    # As stslab takes a moment to stop. With a child that ends at once, make's own `wait` can fail.
    done = made(tmp_path, "trap 'sleep 0.2; echo Stopped.; exit 130' INT", to_all, "sleep 1")
    assert done.stdout.startswith("Stopped.")
    assert done.stderr == ""


def test_make_tells_a_failure(tmp_path: Path):
    done = made(tmp_path, "exit 3")
    assert "Error 3" in done.stderr
    assert done.returncode == 2
