"""A learner's machine: a home of its own, the installed commands, real processes."""

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session

from stslab.lab import listing, loader
from stslab.resources import bundled
from stslab.runner.journal.standing import StageState, standing
from stslab.runner.journal.store import Journal
from stslab.sandbox.server import client

SECONDS = 120
LAB = loader.load(listing.find("assume-role"), catalogue=None)
CLAIMS = sum(len(stage.checkpoint) for stage in LAB.stages)
PROVED = f"{CLAIMS} of {CLAIMS} claims proved"
_SETTING = re.compile(r"^aws_(?:secret_access_key|session_token) = (\S+)$", re.MULTILINE)
_SECTION = re.compile(r"^\[(.+)\]$", re.MULTILINE)
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG")


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass
class Machine:
    """Runs commands in a home of its own, and remembers all that they said."""

    root: Path
    python: str = sys.executable
    transcript: list[str] = field(default_factory=list)
    _exports: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": str(self.root), "STSLAB_HOME": str(self.state), "COLUMNS": "100"}

    def command(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "stslab", *arguments]

    def stslab(self, *arguments: str, **environ: str) -> Done:
        """Run a command with nothing on its input."""
        return self._run(self.command(*arguments), self.environ | environ)

    def runs_in(self, *command: str, **environ: str) -> Done:
        """Run another program with nothing on its input."""
        return self._run(list(command), self.environ | environ)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin a command in a process group of its own."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environ,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def aws(self, *arguments: str, profile: str = "admin") -> Done:
        """Run the ordinary aws CLI, as after `eval "$(stslab env)"`."""
        aws = str(Path(sys.executable).with_name("aws"))
        environ = self.environ | self._env()
        return self._run([aws, *arguments, "--profile", profile], environ)

    def asks_aws(self, *arguments: str, profile: str = "admin") -> Any:
        """What the aws CLI answers, which must succeed."""
        done = self.aws(*arguments, "--output", "json", profile=profile)
        assert done.code == 0, done.err
        return json.loads(done.out or "null")

    def runs(self) -> list[dict[str, Any]]:
        """The runs in the journal, the newest first, and their stages in the order of the doing."""
        if not (self.state / "journal.sqlite").exists():
            return []
        with Journal(self.state / "journal.sqlite") as journal:
            stood = [standing(journal.past(run.id)) for run in journal.runs()]
        return [
            {
                "run": one.run.id,
                "target": one.run.target,
                "state": str(one.run.state),
                "stages": [
                    {"stage": stage.id, "held": stage.state is StageState.DONE}
                    for stage in sorted(
                        one.stages, key=lambda each: [one.at for one in each.attempts[-1:]]
                    )
                    if stage.attempts
                ],
            }
            for one in filter(None, stood)
        ]

    def secrets(self) -> set[str]:
        """The secret keys and session tokens that are in the profile files now."""
        files = self.state.glob("profiles/*/credentials")
        return {secret for file in files for secret in _SETTING.findall(file.read_text())}

    def sh(self, script: str, seconds: float = SECONDS) -> Done:
        """Run a shell script as in `stslab shell`."""
        tools = str(Path(sys.executable).parent)
        environ = self.environ | self._env()
        environ["PATH"] = f"{tools}:{environ['PATH']}"
        return self._run(["sh", "-c", script], environ, seconds)

    def profiles(self) -> set[str]:
        """The names of the profiles that have credentials."""
        files = self.state.glob("profiles/*/credentials")
        return {name for file in files for name in _SECTION.findall(file.read_text())}

    def leftovers(self, run: str) -> list[str]:
        """What the account still has with the run's id in its name, as boto3 lists it."""
        iam, s3, stacks = (self._client(name) for name in ("iam", "s3", "cloudformation"))
        names = [
            *(user["UserName"] for user in iam.list_users()["Users"]),
            *(role["RoleName"] for role in iam.list_roles()["Roles"]),
            *(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]),
            *(stack["StackName"] for stack in stacks.describe_stacks()["Stacks"]),
        ]
        return [name for name in names if run in name]

    def reach(self) -> tuple[str, str, str]:
        """The embedded account's URL, and admin's key id and secret."""
        running = client.find(self.state / "sandbox")
        assert running
        files = configparser.RawConfigParser()
        files.read(self.state / "profiles" / "sandbox" / "credentials")
        admin = files["admin"]
        return running.url, admin["aws_access_key_id"], admin["aws_secret_access_key"]

    def _client(self, service: str) -> Any:
        """A client that signs as admin."""
        url, key, secret = self.reach()
        nobody = {"profile": (None, None, None, None)}
        return botocore.session.Session(session_vars=nobody).create_client(
            service,
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )

    def lab(self, *changes: tuple[str, str]) -> str:
        """A copy of the lab (its path), with texts replaced in whatever file has them."""
        folder = self.root / "copy"
        for part in ("lab", "templates"):
            shutil.copytree(bundled() / part, folder / part)
        shutil.copy(bundled() / "policy.json", folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        for old, new in changes:
            having = [path for path in files if old in path.read_text()]
            assert having, f"no file has {old!r}"
            for path in having:
                path.write_text(path.read_text().replace(old, new))
        return str(folder / "lab" / "steps.yaml")

    def stop(self) -> None:
        """End the machine's sandbox."""
        client.stop(self.state / "sandbox")

    def _env(self) -> dict[str, str]:
        """What `stslab env` says. It names files, and so stays the same."""
        if not self._exports:
            lines = self.stslab("env", "--shell", "sh").out.splitlines()
            exports = [line.removeprefix("export ").split("=", 1) for line in lines if "=" in line]
            self._exports.update((name, value.strip("'")) for name, value in exports)
        return self._exports

    def _run(
        self, command: list[str], environ: Mapping[str, str], seconds: float = SECONDS
    ) -> Done:
        done = subprocess.run(
            command,
            env=dict(environ),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        self.transcript += [done.stdout, done.stderr]
        return Done(done.returncode, done.stdout, done.stderr)


def interrupt(process: "subprocess.Popen[str]", number: int = signal.SIGINT) -> Done:
    """Send a signal and wait for the end."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=SECONDS)
    return Done(process.returncode, out, "")


def flat(text: str) -> str:
    """The text without what wraps its lines."""
    return " ".join(text.split())
