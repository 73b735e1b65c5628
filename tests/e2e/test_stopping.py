"""A run that is stopped at any point goes on, or is undone."""

import json
import signal
import subprocess
import time

import pytest
from tests.e2e.machine import Machine, interrupt

pytestmark = pytest.mark.slow

SECONDS = 60


def until_said(process: "subprocess.Popen[str]", words: str) -> str:
    """Read what the process says until these words have come."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said:\n{said}")


# Where a stack is made and unmade; the soak tests kill at every other point too.
POINTS = [
    "CREATE_IN_PROGRESS",
    *(
        pytest.param(words, marks=pytest.mark.soak)
        for words in (
            "DELETE_IN_PROGRESS",
            "1/6 Create a user",
            "Deploy the stack",
            "Assume the role  as sts",
            "Put an",
        )
    ),
]


@pytest.mark.parametrize("words", POINTS)
def test_killed_anywhere_it_goes_on_to_the_end(machine: Machine, words):
    process = machine.start("run", "--yes")
    until_said(process, words)
    interrupt(process, signal.SIGKILL)
    (run,) = machine.runs()
    done = machine.stslab("run", "--yes")
    assert done.code == 0, done.said
    assert f"Continuing run {run['run']}" in done.out
    assert [one["state"] for one in machine.runs()] == ["finished"]
    assert machine.leftovers(run["run"]) == []


def test_killed_and_cleaned_up(machine: Machine):
    process = machine.start("run", "--yes")
    until_said(process, "CREATE_IN_PROGRESS")
    interrupt(process, signal.SIGKILL)
    cleaned = machine.stslab("cleanup")
    assert cleaned.code == 0, cleaned.said
    (run,) = machine.runs()
    assert run["state"] == "cleaned"
    assert machine.leftovers(run["run"]) == []


def test_ctrl_c_says_how_to_go_on_and_then_it_does(machine: Machine):
    process = machine.start("run", "--yes")
    until_said(process, "Deploy the stack")
    done = interrupt(process)
    assert done.code == 130
    assert "Stopped." in done.out
    assert "`stslab run` goes on from here, `stslab cleanup` undoes everything." in done.out
    assert "Traceback" not in done.out
    again = machine.stslab("run", "--yes")
    assert again.code == 0, again.said
    assert "✔ 1. Create a user" in again.out


def test_two_at_once_are_refused_by_name(machine: Machine):
    process = machine.start("run", "--yes")
    until_said(process, "1/6 Create a user")
    for command in ("run", "cleanup"):
        second = machine.stslab(command, "--yes")
        if process.poll() is None:
            assert second.code == 1
            assert str(process.pid) in second.err
            assert "`stslab run`" in " ".join(second.err.split())
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_sandbox_that_was_killed_with_its_account_is_told_and_the_lab_begins_anew(
    machine: Machine,
):
    assert machine.stslab("run", "--yes", "--to", "attach-policy").code == 0
    (before,) = machine.runs()
    assert machine.stslab("sandbox", "reset", "--yes").code == 0
    started = time.monotonic()
    done = machine.stslab("run", "--yes")
    assert time.monotonic() - started < SECONDS
    assert done.code == 0, done.said
    assert f"The embedded account of run {before['run']} is gone" in done.out
    new, old = machine.runs()
    assert (new["state"], old["state"]) == ("finished", "lost")


def test_a_sandbox_that_was_killed_in_the_middle_of_a_run_hangs_nothing(machine: Machine):
    process = machine.start("run", "--yes")
    until_said(process, "Deploy the stack")
    status = json.loads(machine.stslab("sandbox", "status", "--json").out)
    subprocess.run(["kill", "-9", str(status["pid"])], check=True)
    out, _ = process.communicate(timeout=SECONDS)
    # It was through already, or a call failed, a claim could not be proved, or the cleanup was cut.
    assert process.returncode in (0, 1, 3, 5)
    assert "Traceback" not in out
    again = machine.stslab("run", "--yes")
    assert again.code == 0, again.said
    assert machine.runs()[0]["state"] == "finished"


def test_cleanup_after_the_account_is_gone_says_so(machine: Machine):
    machine.stslab("run", "--yes", "--to", "create-user")
    machine.stslab("sandbox", "reset", "--yes")
    done = machine.stslab("cleanup")
    assert done.code == 0
    assert "is gone" in done.out
    assert machine.runs()[0]["state"] == "lost"


@pytest.mark.parametrize("word", ["hint", "solve"])
def test_a_hint_after_the_account_is_gone_says_so(word: str, machine: Machine):
    machine.stslab("run", "--yes", "--to", "create-user")
    machine.stslab("sandbox", "reset", "--yes")
    done = machine.stslab(word)
    assert (done.code, "account is gone" in done.err) == (2, True), done.said
