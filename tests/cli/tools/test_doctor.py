"""The doctor finds problems and names fixes that work."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Stslab
from tests.runner.journal.test_journal import a_run

from stslab.home import Home
from stslab.runner.journal.lock import Held
from stslab.runner.journal.store import Journal


@pytest.fixture
def doctor(stslab: Stslab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The doctor's checks by name, and its exit code."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("STSLAB_DENY_ACCOUNTS", raising=False)

    def look() -> tuple[int, dict[str, dict[str, str]]]:
        said = stslab("doctor", "--json")
        whole = json.loads(said.out)
        assert whole["ok"] == (said.code == 0)
        return said.code, {one["name"]: one for one in whole["checks"]}

    return look


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of an aws command that is found before any other."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "aws"


def test_a_healthy_machine(doctor, stslab: Stslab):
    code, checks = doctor()
    assert code == 0
    assert {checks[name]["state"] for name in ("Python", "packages", "state folder", "disk")} == {
        "good"
    }
    assert "moto 5" in checks["packages"]["says"]
    assert "(does not exist yet)" in checks["state folder"]["says"]
    assert "All is well." in stslab("doctor").out


@pytest.mark.parametrize("name", ["profiles/sandbox/credentials", "sandbox/exam/control.token"])
def test_exposed_files_and_the_fix(name: str, doctor, state: Path):
    secret = state / name
    secret.parent.mkdir(parents=True)
    state.chmod(0o700)
    secret.write_text("")
    secret.chmod(0o644)
    code, checks = doctor()
    assert code == 1
    fix = checks["state folder"]["fix"]
    assert str(secret) in fix
    subprocess.run(["sh", "-c", fix.removeprefix("Run: ")], check=True)
    assert doctor()[0] == 0


def test_an_impossible_state_folder(doctor, state: Path):
    state.write_text("")
    code, checks = doctor()
    assert code == 1
    assert "STSLAB_HOME" in checks["state folder"]["fix"]


def test_a_damaged_journal(doctor, state: Path):
    with Journal(state / "journal.sqlite") as journal:
        journal.begin(a_run())
    assert doctor()[1]["journal"]["says"] == "whole; 1 run"
    database = sqlite3.connect(state / "journal.sqlite")
    database.execute("DROP TRIGGER never_changed")
    database.execute("UPDATE records SET body = replace(body, 'active', 'nonsense')")
    database.commit()
    database.close()
    code, checks = doctor()
    assert code == 1
    assert "--sweep" in checks["journal"]["fix"]


@pytest.mark.parametrize(
    ("run", "command"),
    [
        (("sandbox", "sandbox"), "Undo it: stslab cleanup abcd1234"),
        (("sandbox-exam", "sandbox"), "STSLAB_SANDBOX=exam stslab cleanup abcd1234"),
        (("aws", "aws", "--target aws --profile a"), "abcd1234 --target aws --profile a"),
        (("aws", "aws"), "stslab cleanup abcd1234 --target aws"),  # an older version's run
        (("127.0.0.1-4566", "endpoint"), "stslab cleanup abcd1234 --target URL"),
    ],
)
def test_leftovers_of_old_runs(doctor, state: Path, run: tuple[str, ...], command: str):
    with Journal(state / "journal.sqlite") as journal:
        names = ("target", "kind", "flags")
        journal.begin(a_run("abcd1234", **dict(zip(names, run, strict=False))))
    code, checks = doctor()
    assert code == 0
    assert checks["leftovers"]["state"] == "warning"
    assert checks["leftovers"]["fix"].endswith(command)


def profiles(state: Path, text: str) -> None:
    folder = state / "profiles" / "sandbox"
    folder.mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    (folder / "credentials").touch(mode=0o600)
    (folder / "credentials").write_text(text)


def test_damaged_profiles(doctor, state: Path):
    profiles(state, "[sts\nnonsense")
    code, checks = doctor()
    assert code == 4
    assert "are damaged" in checks["profiles"]["says"]
    assert f"rm {state}/profiles/sandbox/credentials" in checks["profiles"]["fix"]


def test_profiles_and_a_session_that_has_ended(doctor, state: Path):
    session = "[{0}]\naws_access_key_id = A\naws_secret_access_key = B\nx_stslab_expiration = {1}\n"
    lasting = session.format("lasting", "2999-01-01T00:00:00Z")
    profiles(state, lasting + session.format("assumed", "2020-01-01T00:00:00Z"))
    code, checks = doctor()
    assert code == 0
    assert checks["profiles"]["state"] == "note"
    assert checks["profiles"]["says"] == "sandbox: lasting, assumed (ended)"
    assert "stslab run" in checks["profiles"]["fix"]


def test_another_process_at_work(doctor, state: Path):
    with Held(Home(state), "stslab run"):
        assert f"`stslab run`, process {os.getpid()}" in doctor()[1]["lock"]["says"]
    assert "lock" not in doctor()[1]


def test_the_deny_list(doctor, tmp_path: Path):
    assert doctor()[1]["denied accounts"]["says"] == "none"
    path = tmp_path / "config" / "stslab" / "denied-accounts"
    path.parent.mkdir(parents=True)
    path.write_text("nonsense")
    code, checks = doctor()
    assert code == 2
    assert "'nonsense' is not an account id" in checks["denied accounts"]["says"]
    path.write_bytes(b"\xff")
    code, checks = doctor()
    assert code == 2
    assert f"The deny list {path} can't be read" in checks["denied accounts"]["says"]
    path.write_text("111122223333\n4444-5555-6666\n")
    code, checks = doctor()
    assert code == 0
    assert checks["denied accounts"]["says"] == "111122223333, 444455556666"


def test_the_doctor_changes_nothing(doctor, state: Path):
    doctor()
    assert not state.exists()


@pytest.mark.slow
def test_a_machine_for_a_class(
    stslab: Stslab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "bad$(id).yaml").write_text("stslab: 1\nid: bad\n")
    said = stslab("doctor", "--class", "--json")
    whole = json.loads(said.out)
    checks = {one["name"]: one for one in whole["checks"]}
    assert (said.code, whole["ok"], bool(whole["machine"])) == (0, True, True)
    assert "and answers at http://127.0.0.1:" in checks["a new account"]["says"]
    assert checks["lab assume-role"]["says"].startswith("sha256 ")
    monkeypatch.setenv("STSLAB_LABS", str(tmp_path / "labs"))
    bad = json.loads(stslab("doctor", "--class", "--json").out)
    assert not bad["ok"]
    (wrong,) = [one for one in bad["checks"] if one["state"] == "wrong"]
    assert (wrong["name"], wrong["says"]) == ("lab bad", "it has problems")
    assert wrong["fix"] == f"List them: stslab lint '{tmp_path}/labs/bad$(id).yaml'"
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "20")
    small = {
        one["name"]: one for one in json.loads(stslab("doctor", "--class", "--json").out)["checks"]
    }
    assert small["screen"]["state"] == "warning"


@pytest.mark.parametrize(
    ("program", "state", "told"),
    [
        ("#!/bin/sh\necho aws-cli/1.28.85 Python/3.9.2", "warning", "ignores the endpoint_url"),
        ("#!/bin/sh\necho aws-cli/1.29.0 Python/3.11.7", "good", "aws-cli/1.29.0"),
        ("#!/bin/sh\necho aws-cli/2.12.7 Python/3.11.4", "warning", "ignores the endpoint_url"),
        ("#!/bin/sh\necho aws-cli/2.13.0 Python/3.11.4", "good", "aws-cli/2.13.0"),
        ("#!/bin/sh\nexit 1", "warning", "shows no version"),
        ("\x7fELF of another machine", "warning", "shows no version"),
    ],
)
def test_an_aws_cli_that_would_call_aws(doctor, aws, program: str, state: str, told: str):
    aws.write_text(program)
    aws.chmod(0o755)
    code, checks = doctor()
    assert (code, checks["aws CLI"]["state"]) == (0, state)
    assert told in checks["aws CLI"]["says"] + checks["aws CLI"]["fix"]


@pytest.mark.parametrize(("version", "state"), [("1.45.11", "warning"), ("2.23.6", "good")])
def test_an_aws_cli_that_can_not_use_the_credentials_of_a_real_account(
    stslab: Stslab, aws, monkeypatch: pytest.MonkeyPatch, version: str, state: str
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    aws.write_text(f"#!/bin/sh\necho aws-cli/{version} Python/3.11.7")
    aws.chmod(0o755)
    said = json.loads(stslab("doctor", "--json", "--target", "aws").out)
    (cli,) = [one for one in said["checks"] if one["name"] == "aws CLI"]
    assert (cli["state"], "need version 2" in cli["fix"]) == (state, state == "warning")


def test_a_state_folder_that_can_not_be_made(doctor, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("STSLAB_HOME", str(file / "home"))
    code, checks = doctor()
    assert (code, checks["state folder"]["state"]) == (1, "wrong")
    assert f"Make {file} a writable folder" in checks["state folder"]["fix"]
