"""The sandbox's process, as commands find, start and stop it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stslab.errors import SandboxError, StateFolderError
from stslab.sandbox.server import client, files


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "home" / "sandbox"
    yield place
    client.stop(place)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A sandbox that the tests leave as they found it."""
    place = tmp_path_factory.mktemp("home") / "sandbox"
    client.ensure(place)
    yield place
    client.stop(place)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not _is_zombie(pid)


_THREADS = 17  # proc(5), "/proc/[pid]/stat": the 20th field, counted from the 3rd


def _is_zombie(pid: int) -> bool:
    """Whether it is a zombie: ended with all its threads, and not yet waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "Z" and fields[_THREADS] == "1"
    except OSError:
        return False  # no such file system, or gone meanwhile


def _gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)


def test_it_is_started_found_and_stopped(folder):
    assert client.find(folder) is None
    assert client.status(folder)["running"] is False
    started = client.ensure(folder)
    assert started.url == f"http://127.0.0.1:{started.port}"
    assert (started.account, started.region) == ("111122223333", "us-east-1")
    assert client.find(folder) == started
    assert client.ensure(folder) == started
    assert client.stop(folder) is True
    assert _gone(started.pid)
    assert client.find(folder) is None
    assert client.stop(folder) is False


def test_it_comes_back_on_the_port_that_it_had(folder):
    first = client.ensure(folder)
    client.stop(folder)
    second = client.ensure(folder)
    assert second.port == first.port
    assert second.pid != first.pid


def test_the_last_port_may_be_taken(folder):
    first = client.ensure(folder)
    client.stop(folder)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", first.port))
        other.listen()
        assert client.ensure(folder).port != first.port


def test_two_at_the_same_time_start_one(folder):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: client.ensure(folder), range(4)))
    assert len(set(found)) == 1


def test_two_commands_at_the_same_time_start_one(folder):
    program = (
        "import sys, pathlib; from stslab.sandbox.server import client;"
        "print(client.ensure(pathlib.Path(sys.argv[1])).pid)"
    )
    commands = [
        subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert len({command.communicate()[0] for command in commands}) == 1


def test_a_killed_one_is_gone_and_another_starts(folder):
    first = client.ensure(folder)
    os.kill(first.pid, signal.SIGKILL)
    assert _gone(first.pid)
    assert files.Files(folder).server.exists()
    assert client.find(folder) is None
    second = client.ensure(folder)
    assert second.pid != first.pid
    assert client.find(folder) == second
    os.kill(second.pid, signal.SIGKILL)
    assert _gone(second.pid)
    assert client.stop(folder) is False
    assert not files.Files(folder).server.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(folder, number):
    found = client.ensure(folder)
    os.kill(found.pid, number)
    assert _gone(found.pid)
    assert not files.Files(folder).server.exists()
    assert files.Files(folder).log.read_text().rstrip().endswith("ended")


_INTERRUPTED = """
import os, signal, sys, threading
from pathlib import Path

class Event(threading.Event):
    \"\"\"A signal comes while the main thread, in wait(), has the lock of its event.\"\"\"

    def wait(self, timeout=None):
        if timeout is not None and threading.current_thread() is threading.main_thread():
            with self._cond:
                os.kill(os.getpid(), signal.SIGINT)
        return super().wait(timeout)

threading.Event = Event
from stslab.cli.account.watch import follow
from stslab.sandbox.server.process import serve
"""


@pytest.mark.parametrize(
    "does",
    ["serve(Path(sys.argv[1]), 0, 60.0, fresh=False)", "follow(every=False, as_json=True)"],
)
def test_a_signal_at_any_moment_ends_it(folder, does):
    folder.mkdir(parents=True)
    environ = {**os.environ, "STSLAB_HOME": str(folder.parent)}
    command = [sys.executable, "-c", _INTERRUPTED + does, str(folder)]
    done = subprocess.run(
        command, env=environ, timeout=30, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_one_that_hangs_is_killed(folder, monkeypatch):
    found = client.ensure(folder)
    for patience in ("_HEALTH_SECONDS", "_STOP_SECONDS", "_KILL_SECONDS"):
        monkeypatch.setattr(client, patience, 1.0)
    os.kill(found.pid, signal.SIGSTOP)
    assert client.stop(folder) is True
    assert _gone(found.pid)


def test_it_ends_by_itself(folder, monkeypatch):
    monkeypatch.setenv("STSLAB_SANDBOX_IDLE", "1")
    found = client.ensure(folder)
    assert _gone(found.pid)
    assert "no request for" in files.Files(folder).log.read_text()
    assert client.find(folder) is None


def test_another_program_on_its_port_is_not_taken_for_it(folder):
    """Another program has the port of a sandbox that was killed."""
    found = client.ensure(folder)
    os.kill(found.pid, signal.SIGKILL)
    assert _gone(found.pid)
    said = {"url": found.url, "account": "", "region": "", "instance": "other", "pid": 1}
    body = json.dumps({**said, "port": found.port, "started": ""}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", found.port))
        other.listen()

        def answering():
            connection, _ = other.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=answering)
        thread.start()
        assert client.find(folder) is None
        thread.join()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": "x"}', '{"port": 1}', "null"])
def test_a_useless_server_file(running, tmp_path, content):
    (tmp_path / "server.json").write_text(content)
    (tmp_path / "control.token").write_text("x")
    assert client.find(tmp_path) is None


def test_a_busy_port(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SandboxError, match=f"Port {port} can't be used: .*") as caught:
            client.ensure(folder, port=port)
    assert "stslab sandbox start" in caught.value.hint
    assert client.find(folder) is None


def test_a_wanted_port(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert client.ensure(folder, port=port).port == port
    with pytest.raises(SandboxError, match=f"already runs on port {port}"):
        client.ensure(folder, port=port + 1)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "sandbox").write_text("")
    with pytest.raises(StateFolderError):
        client.ensure(tmp_path / "sandbox")


@pytest.mark.parametrize("name", ["server.log", "start.lock", "server.lock", "last.port"])
def test_a_file_in_the_folder_that_cant_be_opened(folder, name):
    (folder / name).mkdir(parents=True)
    with pytest.raises(SandboxError, match=r"can't be (started|used)|did not start"):
        client.ensure(folder)
    (folder / name).rmdir()


def test_one_that_does_not_start_says_why(folder, tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    (broken / "cheroot").mkdir(parents=True)
    (broken / "cheroot" / "__init__.py").write_text("raise RuntimeError('not today')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(SandboxError, match="not today") as caught:
        client.ensure(folder)
    assert str(files.Files(folder).log) in caught.value.hint
    assert client.find(folder) is None


def test_the_server_does_not_get_the_learners_environment(folder, monkeypatch):
    for name, value in (
        ("AWS_PROFILE", "does-not-exist"),
        ("AWS_CONFIG_FILE", "/nowhere"),
        ("LISTEN_PID", "1"),
    ):
        monkeypatch.setenv(name, value)
    found = client.ensure(folder)
    environment = Path(f"/proc/{found.pid}/environ").read_bytes()
    for text in (b"AWS_PROFILE=", b"LISTEN_PID=", b"/nowhere"):
        assert text not in environment


def test_only_the_owner_can_read_its_files(running):
    assert stat.S_IMODE(running.stat().st_mode) == 0o700
    for path in running.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_without_aws_s_policies_it_does_not_start(folder, tmp_path, monkeypatch):
    (tmp_path / "other" / "moto").mkdir(parents=True)
    (tmp_path / "other" / "moto" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    with pytest.raises(SandboxError, match="AWS's managed policies can't be read"):
        client.ensure(folder)
    assert client.find(folder) is None


COLD = """
import sys
from pathlib import Path
from types import SimpleNamespace
from stslab.sandbox.server import process
from stslab.sandbox.state.snapshot import Snapshot
from stslab.sandbox.state.state import State


class Cold:
    inside, notes = SimpleNamespace(state=State(Snapshot())), ""

    def __init__(self, folder, *, fresh):
        pass

    def warm_up(self):
        raise RuntimeError("cold")

    def close(self):
        pass


process.EmbeddedAccount = Cold
sys.exit(process.serve(Path(sys.argv[1]), 0, 2, fresh=False))
"""


def test_an_error_while_warming_up_does_not_end_the_server(folder):
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", COLD, str(folder)], check=True)
    log = files.Files(folder).log.read_text()
    assert "warming up failed" in log
    assert log.index("warming up failed") < log.index("no request for")


def test_status_has_the_folder_and_the_start_time(running):
    known = client.status(running)
    found = client.find(running)
    assert found
    assert (known["running"], known["url"], known["pid"]) == (True, found.url, found.pid)
    assert known["log"] == str(running / "server.log")
    assert known["ends_after_idle_seconds"] == 7200


def test_the_administrators_keys(running):
    key = client.control(running, "POST", "admin-key")
    partner = client.control(running, "POST", "admin-key", {"account": "444455556666"})
    assert key["access_key_id"].startswith("AKIA")
    assert key["secret_access_key"] not in repr(key)
    assert key["access_key_id"] != partner["access_key_id"]
    with pytest.raises(SandboxError, match="no account 1"):
        client.control(running, "POST", "admin-key", {"account": "1"})


def test_reset_creates_a_new_account(folder):
    first = client.reset(folder)
    key = client.control(folder, "POST", "admin-key")
    second = client.reset(folder)
    assert second.instance != first.instance
    assert (second.pid, second.port) == (first.pid, first.port)
    assert client.find(folder) == second
    assert client.control(folder, "POST", "admin-key") != key


def test_the_account_is_kept_over_a_stop_and_a_kill(folder):
    first = client.ensure(folder)
    key = client.control(folder, "POST", "admin-key")
    client.stop(folder)
    second = client.ensure(folder)
    assert (second.instance, client.control(folder, "POST", "admin-key")) == (first.instance, key)
    os.kill(second.pid, signal.SIGKILL)
    assert _gone(second.pid)
    third = client.ensure(folder)
    assert (third.instance, client.control(folder, "POST", "admin-key")) == (first.instance, key)


def test_reset_works_when_the_old_account_cant_be_read(folder):
    folder.mkdir(parents=True)
    (folder / "account.sqlite").write_text("no database at all, " * 100)
    with pytest.raises(SandboxError, match="account") as caught:
        client.ensure(folder)
    assert "stslab sandbox reset" in caught.value.hint
    assert client.find(folder) is None
    found = client.reset(folder)
    assert client.find(folder) == found


def test_an_account_of_an_older_version_is_reported_with_the_fix(running):
    with pytest.raises(SandboxError, match="no control verb 'later'") as refused:
        client.control(running, "POST", "later")
    assert "stslab sandbox stop" in refused.value.hint
    with pytest.raises(SandboxError, match="does not report 'colour'") as refused:
        _ = client.control(running, "GET", "status")["colour"]
    assert "stslab sandbox stop" in refused.value.hint


def test_control_requests_need_a_running_account(tmp_path):
    with pytest.raises(SandboxError, match="is not running"):
        client.control(tmp_path, "GET", "health")
    with pytest.raises(SandboxError, match="is not running"):
        client.control(tmp_path, "POST", "admin-key")


def test_no_secret_is_in_its_log_or_its_other_files(running):
    key = client.control(running, "POST", "admin-key")
    token = files.Files(running).token.read_text()
    client.status(running)
    for path in running.iterdir():
        content = path.read_bytes()
        # The account itself is kept in full, in a file that its owner alone can read.
        assert key["secret_access_key"].encode() not in content or "account.sqlite" in path.name, (
            path
        )
        assert token.encode() not in content or path.name == "control.token", path


def test_the_client_is_quick_to_import():
    program = (
        "import sys; import stslab.sandbox.server.client;"
        "print([m for m in ('boto3', 'botocore', 'moto', 'msgspec', 'rich', 'cheroot') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout == b"[]\n"


def test_starting_imports_only_what_every_account_needs():
    """XML libraries are imported for SAML only, boto3 and moto never."""
    program = (
        "import sys; import stslab.sandbox.__main__, stslab.sandbox.server.embedded;"
        "print([m for m in ('boto3', 'lxml', 'moto', 'signxml') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout == b"[]\n"


def test_the_log_is_bounded(tmp_path):
    from stslab.sandbox.server.process import _Log

    log = _Log(tmp_path / "server.log", maxBytes=1000, backupCount=1)
    saved = os.dup(2)
    try:
        log.adopt_stderr()
        import logging

        for number in range(100):
            log.emit(
                logging.LogRecord("x", logging.INFO, "", 0, f"line {number} {'x' * 50}", None, None)
            )
        os.write(2, b"from elsewhere\n")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000
    assert "from elsewhere" in (tmp_path / "server.log").read_text()
