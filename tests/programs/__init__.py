"""Programs of the machine that some tests need: `@pytest.mark.needs("fish")`."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest


@cache
def find(name: str) -> str | None:
    """Where a program is. ``aws2`` is the aws command in its second version, whatever is first."""
    if name == "aws2":
        return _aws2()
    found = shutil.which(name)
    if found and name.startswith("python"):  # pyenv has a shim for a version that is not chosen
        runs = subprocess.run([found, "--version"], capture_output=True, check=False)
        return None if runs.returncode else found
    return found


def _aws2() -> str | None:
    for folder in os.get_exec_path():
        command = Path(folder) / "aws"
        if os.access(command, os.X_OK):
            said = subprocess.run(
                [command, "--version"], capture_output=True, text=True, check=False
            )
            if said.stdout.startswith("aws-cli/2."):
                return str(command)
    return None


def check(names: tuple[str, ...]) -> None:
    """Skip the test where a program is missing; fail it if STSLAB_REQUIRE has the program."""
    missing = [name for name in names if find(name) is None]
    if not missing:
        return
    required = set(os.environ.get("STSLAB_REQUIRE", "").split())
    if required.intersection(missing):
        pytest.fail(f"STSLAB_REQUIRE says that this machine has {' '.join(missing)}")
    pytest.skip(f"needs {' '.join(missing)}")
