"""Two processes on one state folder: each is safe, or refused at once and told who is there."""

import json
import os
import signal
import subprocess
import time

import pytest
from tests.e2e.machine import SECONDS, Machine, interrupt
from tests.e2e.screen import Open
from tests.e2e.test_stopping import until_said

pytestmark = pytest.mark.slow

# Rounds of two that start in the same moment; in each, the second is refused.
PAIRS = [
    ("run", "cleanup"),
    pytest.param("run", "run", marks=pytest.mark.soak),
    pytest.param("cleanup", "cleanup", marks=pytest.mark.soak),
]


def both(machine: Machine, one: str, other: str) -> list[tuple[int, str, int]]:
    """Start both in the same moment; (exit code, what was said, process id) of each."""
    started = [machine.start(command, "--yes") for command in (one, other)]
    ended = [(process, process.communicate(timeout=SECONDS)[0]) for process in started]
    return [(process.returncode, out, process.pid) for process, out in ended]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_in_the_same_moment(machine: Machine, one, other):
    assert machine.stslab("run", "--yes", "--to", "create-user").code == 0
    (run,) = machine.runs()
    ended = both(machine, one, other)
    for number, (code, out, _) in enumerate(ended):
        assert "Traceback" not in out
        if code == 1:
            held_by = ended[1 - number][2]
            assert f"process {held_by}, since" in " ".join(out.split())
        else:
            assert code == 0, out
    assert min(code for code, _, _ in ended) == 0
    assert machine.stslab("cleanup", "--all").code == 0
    assert all(one["state"] != "active" for one in machine.runs())
    assert machine.leftovers(run["run"]) == []


def test_a_cleanup_of_one_run_says_that_another_is_unfinished(machine: Machine):
    assert machine.stslab("run", "who-am-i", "--yes", "--to", "two-keys").code == 0
    other = machine.runs()[0]["run"]
    assert machine.stslab("run", "assume-role", "--yes", "--to", "create-user").code == 0
    done = machine.stslab("cleanup")
    assert f"Run {other} on account" in done.out
    assert f"stslab cleanup {other}" in done.out
    assert machine.leftovers(other) != []
    done = machine.stslab("cleanup")
    assert done.code == 0
    assert "is unfinished" not in done.out


def test_a_cleanup_beside_a_run_that_stands_still_in_a_step(machine: Machine):
    """The holder is stopped, not dead: its lock counts, however long it takes."""
    process = machine.start("run", "--yes")
    until_said(process, "Deploy the stack")
    process.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        second = machine.stslab("cleanup")
        assert time.monotonic() - started < SECONDS / 4
        assert second.code == 1
        assert f"process {process.pid}, since" in " ".join(second.err.split())
        seen = machine.stslab("doctor")
        assert f"process {process.pid}, since" in " ".join(seen.out.split())
        assert machine.stslab("status").code == 0
        assert machine.stslab("report").code == 0
    finally:
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_lesson_whose_run_is_cleaned_up_elsewhere_ends(opened: Open, machine: Machine) -> None:
    terminal = opened("run")
    terminal.wait("Enter begins")
    terminal.enter()
    terminal.wait("admin $ aws iam create-user")
    terminal.enter()
    terminal.wait("admin $ aws iam create-access-key")
    assert machine.stslab("cleanup").code == 0
    terminal.enter()
    terminal.wait("The run has ended in the meantime.")
    assert terminal.ended() == 0
    assert "Go on" not in terminal.text
    (run,) = machine.runs()
    assert machine.leftovers(run["run"]) == []


def test_a_lesson_in_a_second_terminal_says_that_the_run_is_open(opened: Open):
    first = opened("run")
    assert "open in another terminal" not in first.wait("Enter begins")
    second = opened("run")
    second.wait("This run is open in another terminal too", "stslab watch", "Enter begins")
    first.enter("quit")
    assert first.ended() == 0
    third = opened("run")
    assert "open in another terminal" not in third.wait("Enter begins")


def test_a_run_beside_a_lesson_says_that_the_lesson_is_open(opened: Open, machine: Machine):
    lesson = opened("run")
    lesson.wait("Enter begins")
    lesson.enter()
    lesson.wait("admin $ aws iam create-user")
    done = machine.stslab("run", "--yes", "--to", "create-user")
    assert "A lesson in another terminal has this run open" in " ".join(done.out.split())
    lesson.enter("quit")
    assert lesson.ended() == 0
    assert "another terminal" not in machine.stslab("run", "--yes", "--to", "deploy-role").out


def test_the_lock_of_a_dead_process_is_taken_over(machine: Machine):
    process = machine.start("run", "--yes")
    until_said(process, "CREATE_IN_PROGRESS")
    interrupt(process, signal.SIGKILL)
    lock = machine.state / "run.lock"
    assert json.loads(lock.read_text())["pid"] == process.pid
    (run,) = machine.runs()
    done = machine.stslab("cleanup")
    assert done.code == 0, done.said
    assert machine.leftovers(run["run"]) == []


def test_two_sandboxes_started_in_the_same_moment_are_one(machine: Machine):
    commands = [machine.start("sandbox", "start") for _ in range(4)]
    ended = [process.communicate(timeout=SECONDS)[0] for process in commands]
    assert [process.returncode for process in commands] == [0] * 4
    urls = {out.partition(" is at ")[2].split()[0] for out in ended}
    assert len(urls) == 1
    serving = json.loads(machine.stslab("sandbox", "status", "--json").out)
    assert serving["url"] in urls
    found = subprocess.run(
        ["pgrep", "-f", f"stslab.sandbox.*{machine.state}"],
        capture_output=True,
        text=True,
        check=False,
    )
    others = set(found.stdout.split()) - {str(serving["pid"]), str(os.getpid())}
    assert others == set()
