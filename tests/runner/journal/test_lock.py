"""The lock: one holder at a time, and it ends with its process."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from stslab.errors import JournalError, StateFolderError
from stslab.home import Home
from stslab.runner.journal import lock
from stslab.runner.journal.lock import Held

HOLD = """
import sys, pathlib
from stslab.home import Home
from stslab.runner.journal.lock import Held
with Held(Home(pathlib.Path(sys.argv[1])), "stslab run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def holder(home):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture(autouse=True)
def _impatient(request, monkeypatch):
    """Nobody waits here, but where waiting is what is tested."""
    if "waited_for" not in request.node.name:
        monkeypatch.setattr(lock, "_AT_FIRST", 0.0)


def test_a_short_lock_is_waited_for(home, holder):
    assert holder.stdin
    leaves = threading.Timer(0.3, holder.stdin.close)
    leaves.start()
    with Held(home, "stslab hint"):
        assert '"stslab hint"' in home.lock.read_text()
    leaves.join()
    holder.stdin = None


def test_the_second_process_is_told_the_holder(home, holder):
    with (
        pytest.raises(JournalError, match="Another stslab is using") as caught,
        Held(home, "stslab"),
    ):
        pass
    assert f"`stslab run`, process {holder.pid}, since 20" in caught.value.message


def test_the_lock_of_a_killed_process_is_taken_over(home, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Held(home, "stslab cleanup"):
        assert f'"pid": {os.getpid()}' in home.lock.read_text()


def test_it_is_free_again_after_an_error(home):
    with pytest.raises(ValueError, match="x"), Held(home, "stslab"):
        raise ValueError("x")
    with Held(home, "stslab"):
        pass
    assert home.lock.read_text() == ""


def test_a_lock_with_an_empty_file_still_holds(home):
    with Held(home, "stslab"):
        home.lock.write_text("not json")
        with pytest.raises(JournalError, match="an unknown process"), Held(home, "stslab"):
            pass


def test_a_lock_that_cannot_be_made(home):
    home.lock.mkdir(parents=True)
    with pytest.raises(StateFolderError, match="can't be used"), Held(home, "stslab"):
        pass
