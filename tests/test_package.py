"""The package itself, and what its repository has at the top."""

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
