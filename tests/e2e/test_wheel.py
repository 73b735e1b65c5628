"""The wheel, installed elsewhere, holds all that a run needs."""

import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.e2e.machine import PROVED, Machine

from stslab.cli.tools.help import topics

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True, timeout=120)
    (built,) = folder.glob("stslab-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh environment with the wheel in it; its dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # After the wheel's own, and without running .pth files: not the checkout's stslab.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return str(folder / "bin" / "python")


def test_labs_templates_and_policies_travel_in_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("lab/steps.yaml", "templates/sts-role.yaml", "policy.json", "docs/learners.md"):
        assert f"stslab/_bundled/{name}" in names
    assert "stslab/render/report/page.html" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_it_runs_the_lab_from_any_folder(machine: Machine, python):
    machine.python = python
    where = subprocess.run(
        [python, "-c", "import stslab; print(stslab.__file__)"],
        capture_output=True, text=True, check=True, timeout=60, cwd=machine.root,
    ).stdout  # fmt: skip
    assert str(ROOT) not in where
    done = machine.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert PROVED in done.out


def test_its_help_has_the_topics(machine: Machine, python):
    machine.python = python
    for topic in topics():
        done = machine.stslab("help", topic)
        assert done.code == 0
        assert len(done.out.splitlines()) > 5


def test_it_runs_a_lab_file_from_anywhere(machine: Machine, python):
    machine.python = python
    path = machine.lab(("title: Create the user", "title: Make somebody"))
    done = machine.stslab("run", "--yes", "--to", "create-user", path)
    assert done.code == 0, done.said
    assert "Make somebody" in done.out
    assert machine.stslab("cleanup").code == 0
