"""Fixtures: a state folder for each test, and the command line in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stslab.cli.main import exit_code
from stslab.sandbox.server import client


@dataclass(frozen=True)
class Said:
    """The output and the exit code of a command."""

    code: int
    out: str
    err: str


Stslab = Callable[..., Said]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "state"
    monkeypatch.setenv("STSLAB_HOME", str(folder))
    for name in ("STSLAB_TARGET", "STSLAB_PROFILE", "STSLAB_REGION", "STSLAB_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    # What a command sets is undone after the test.
    for name in ("NO_COLOR", "STSLAB_PLAIN", "STSLAB_SANDBOX"):
        monkeypatch.setenv(name, "")
    yield folder
    for started in [*folder.glob("sandbox/server.json"), *folder.glob("sandbox/*/server.json")]:
        client.stop(started.parent)  # a command started it


@pytest.fixture
def stslab(state: Path, capsys: pytest.CaptureFixture[str]) -> Stslab:
    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = exit_code(list(arguments))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
