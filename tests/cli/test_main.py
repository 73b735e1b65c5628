"""Help, exit codes and errors of all commands."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.run.test_status import record

from stslab import __version__
from stslab.cli import main
from stslab.cli.commands import LazyGroup, Row
from stslab.errors import (
    CheckFailed,
    CredentialsError,
    RunError,
    StslabError,
    UndoIncomplete,
    UsageError,
)
from stslab.home import private_folder
from stslab.runner.journal.store import Journal

HEAVY = (
    "boto3", "botocore", "moto", "rich", "yaml", "msgspec", "sqlite3", "platformdirs", "lxml", "signxml",
)  # fmt: skip


def imported(*arguments: str, **environ: str) -> set[str]:
    """The top-level packages that a command imports, in a new process."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stslab", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environ},
        timeout=60,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 20
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], []])
def test_help_and_version_import_nothing_heavy(arguments):
    assert not imported(*arguments).intersection(HEAVY)


@pytest.mark.parametrize("words", ["stslab ", "stslab ru", "stslab run --to ", "stslab step a"])
def test_completion_imports_nothing_heavy(words, tmp_path):
    environ = {
        "_STSLAB_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    assert not imported(**environ, STSLAB_HOME=str(tmp_path)).intersection(HEAVY)


def test_status_imports_no_tables(tmp_path):
    assert not imported("status", STSLAB_HOME=str(tmp_path)).intersection({"yaml", "jmespath"})


def test_doctor_imports_only_what_it_checks(tmp_path):
    found = imported("doctor", STSLAB_HOME=str(tmp_path))
    assert not found.intersection({"boto3", "botocore", "yaml", "moto"})


def test_the_list_of_faults_needs_no_prompt_and_no_proof(tmp_path):
    found = imported("break", "--list", STSLAB_HOME=str(tmp_path))
    assert not found.intersection({"boto3", "moto", "prompt_toolkit", "lxml", "cryptography"})


def test_labs_imports_neither_boto3_nor_moto(tmp_path):
    assert not imported("labs", STSLAB_HOME=str(tmp_path)).intersection(
        {"boto3", "botocore", "moto", "rich"}
    )


@pytest.mark.parametrize("name", list(LazyGroup().entries))
def test_each_command_has_help_in_both_forms(name, stslab):
    short, long = stslab(name, "-h"), stslab(name, "--help")
    assert short.code == long.code == 0
    assert short.out == long.out
    assert f"Usage: stslab {name}" in long.out
    assert "--no-color" in long.out or "Commands:" in long.out


def test_help_lists_every_command(stslab):
    said = stslab("--help")
    assert said.code == 0
    assert all(f"\n  {name} " in said.out for name in LazyGroup().entries)


def test_version(stslab):
    assert stslab("--version").out.strip().endswith(__version__)


def test_an_unknown_command_is_a_usage_error_that_suggests_one(stslab):
    said = stslab("rnu")
    assert said.code == 2
    assert "Did you mean 'run'?" in said.err
    assert said.out == ""
    assert "Did you mean 'sandbox stop'?" in stslab("stop").err


def test_a_file_that_needs_an_option_is_a_usage_error_that_names_one(stslab):
    said = stslab("simulate", "p.json")
    assert said.code == 2
    assert "(p.json). Write it so: stslab simulate --policy PATH" in said.err


def test_an_unknown_flag_is_a_usage_error(stslab):
    assert stslab("labs", "--colour").code == 2


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    import click

    @click.command("fail")
    def fail() -> None:
        raise error

    monkeypatch.setattr(sys.modules[__name__], "FAIL", fail, raising=False)
    entry = Row(f"{__name__}:FAIL", "Fail.", ())
    monkeypatch.setitem(main.cli.entries, "fail", entry)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunError("It failed.", "Try this."), 1),
        (UsageError("It failed.", "Try this."), 2),
        (CheckFailed("It failed.", "Try this."), 3),
        (CredentialsError("It failed.", "Try this."), 4),
        (UndoIncomplete("It failed.", hint="Try this."), 5),
    ],
)
def test_each_error_is_printed_with_its_hint_and_exit_code(error, code, stslab, monkeypatch):
    error.add_note("In stage x.")
    _failing(monkeypatch, error)
    said = stslab("fail")
    assert said.code == code
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].endswith("It failed.")
    assert lines[1].strip() == "In stage x."
    assert lines[2].strip().endswith("Try this.")


def test_an_error_can_not_control_the_terminal(stslab, monkeypatch):
    _failing(monkeypatch, StslabError("a\x1b[31mb", "c\x07d"))
    said = stslab("fail")
    assert "\x1b" not in said.err
    assert "\x07" not in said.err
    said = stslab("status", "a\x1b[31mb\x07")
    assert "unexpected extra argument" in said.err
    assert "\x1b" not in said.err
    assert "\x07" not in said.err


def test_ctrl_c_is_130(stslab, monkeypatch):
    _failing(monkeypatch, KeyboardInterrupt())
    assert stslab("fail").code == 130


INTERRUPTED_IMPORT = """
import os, runpy, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
runpy.run_module("stslab", run_name="__main__")
"""


def test_ctrl_c_before_the_start_is_quiet():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, "labs"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGINT
    assert done.stdout + done.stderr == b""


def test_a_bug_is_one_message_and_its_traceback_goes_to_a_private_file(stslab, state, monkeypatch):
    token = "t" * 40
    (state / "sandbox").mkdir(parents=True)
    (state / "sandbox" / "control.token").write_text(token)
    (state / "profiles" / "sandbox").mkdir(parents=True)
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    (state / "profiles" / "sandbox" / "credentials").write_text(
        f"[sts]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {secret}\n"
    )
    _failing(monkeypatch, ZeroDivisionError(f"with {secret} and {token}; password='hunter22'"))
    said = stslab("fail")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "ZeroDivisionError" in said.err
    (log,) = (state / "bugs").iterdir()
    assert str(log) in said.err
    assert log.stat().st_mode & 0o077 == 0
    text = log.read_text()
    assert "Traceback" in text
    for hidden in (secret, token, "hunter22"):
        assert hidden not in text + said.err


@pytest.mark.parametrize(
    ("number", "inside"), [(errno.EACCES, True), (errno.EROFS, True), (errno.ENOSPC, False)]
)
def test_an_error_of_the_state_folder_is_not_a_bug(number, inside, stslab, state, monkeypatch):
    file = str(state / "sandbox" / "server.lock") if inside else None
    _failing(monkeypatch, OSError(number, os.strerror(number), file))
    said = stslab("fail")
    assert said.code == 1
    words = " ".join(said.err.split())
    assert f"The state folder {state} can't be used" in words
    assert "see that its disk is not full" in words
    assert not state.exists()


def test_a_bug_is_reported_even_if_the_state_folder_can_not_be_written(stslab, state, monkeypatch):
    state.parent.mkdir(exist_ok=True)
    state.write_text("a file, not a folder")
    _failing(monkeypatch, ZeroDivisionError("oops"))
    said = stslab("fail")
    assert said.code == 1
    (name,) = [word for word in said.err.split() if word.strip(";").endswith(".log")]
    assert "oops" in Path(name.strip(";")).read_text()


@pytest.mark.parametrize("command", ["--help", "labs", "report ab12cd34 --html -"])
def test_a_closed_pipe_is_not_an_error(command, state):
    private_folder(state)
    with Journal(state / "journal.sqlite") as journal:
        journal.begin(record("ab12cd34"))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "stslab", *command.split()],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_no_color_works_after_any_command(stslab, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert stslab("labs", "--no-color").code == 0
    assert os.environ["NO_COLOR"] == "1"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell, stslab):
    said = stslab("completion", shell)
    assert said.code == 0
    assert "_STSLAB_COMPLETE" in said.out
