"""Programs that nobody here wrote, each in an environment of its own, on an account of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.sandbox.cases import Account

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venv-programs"
SECONDS = 900


@dataclass
class Program:
    """A program, its home, and the account that it works on with the admin's key."""

    command: tuple[str, ...]
    home: Path
    account: Account

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run it in its home; returns what it printed."""
        keys = self.account.keys["admin"]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.account.endpoint.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout[-4000:]
        return done.stdout


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    running = Account.start(tmp_path / "sandbox")
    yield running
    running.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def program(account: Account, home: Path) -> Callable[..., Program]:
    """``program("s3cmd")``: what ``constraints/s3cmd.txt`` pins, installed once."""

    def made(name: str, command: str, python: str = sys.executable) -> Program:
        return Program((str(_environment(name, python) / command),), home, account)

    return made


def _environment(name: str, python: str) -> Path:
    """The folder of an environment's programs."""
    folder, pinned = ENVIRONMENTS / name, HERE / "constraints" / f"{name}.txt"
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != pinned.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        _do(python, "-m", "venv", str(folder))
        _do(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(pinned))
        installed.write_text(pinned.read_text())
    return folder / "bin"


def _do(*command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    subprocess.run(command, env=environment, check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)


@pytest.fixture
def cdk(account: Account, home: Path) -> Program:
    """``npx cdk`` on the app beside this file."""
    for file in ("app.js", "package.json"):
        shutil.copy(HERE / "cdk" / file, home)
    npm, npx = shutil.which("npm"), shutil.which("npx")
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-progress", "--silent")
    subprocess.run([str(npm), "install", *options], cwd=home, check=True, timeout=SECONDS)
    return Program((str(npx), "cdk", "--app", "node app.js", "--no-notices"), home, account)
