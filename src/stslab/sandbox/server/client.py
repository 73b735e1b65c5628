"""The client of the embedded account: finds, starts, stops and queries it. Quick to import.

``server.json`` says where an account's server listens. It counts only if that server answers
a control request with the same instance and process id.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from stslab.errors import SandboxError
from stslab.home import PAUSE, WRITABLE, is_locked, lock_within, private_folder
from stslab.sandbox.server.files import TOKEN_HEADER, Files, Json, read_number
from stslab.structures import beside, said

_HOST = "127.0.0.1"
_HEALTH_SECONDS = 3.0
_ANSWER_SECONDS = 120.0
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_KILL_SECONDS = 5.0
_OK, _UNKNOWN = 200, 404
_NO_ANSWER = (OSError, http.client.HTTPException, ValueError, OverflowError, RecursionError)
_START = "Start it: stslab sandbox start"
_says = partial(beside, __file__, "refused.yaml")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running account; ``instance`` changes with every new one."""

    url: str
    account: str
    region: str
    instance: str
    pid: int
    port: int
    rehearsing: str = ""
    notes: str = ""  # what could not be read when it started

    @classmethod
    def of(cls, facts: Json) -> "Endpoint":
        return cls(**{name: facts[name] for name in cls.__slots__})


class _Answer(dict[str, Any]):
    """A running account's answer, whose values are never shown: they may be secret."""

    def __repr__(self) -> str:
        return f"an answer with {', '.join(self)}"

    def __missing__(self, key: str) -> NoReturn:
        raise SandboxError(*said(_says(), "not reported", key=key))


def find(folder: Path) -> Endpoint | None:
    """The account that runs in this folder. SandboxError: another version of stslab started it."""
    known = Files(folder).known()
    try:
        facts = _ask(folder, "GET", "health", seconds=_HEALTH_SECONDS)
    except (*_NO_ANSWER, SandboxError):
        return None
    # Another program may listen on the port of a server that was killed.
    ours = all(facts.get(name) == known.get(name) for name in ("instance", "pid"))
    return Endpoint.of(facts) if ours else None


def ensure(folder: Path, *, port: int = 0) -> Endpoint:
    """The account of this folder, started if it is not running. ``port`` 0: any free one."""
    found = find(folder) or _found_or_started(folder, port)
    if port and found.port != port:
        message = f"The embedded account already runs on port {found.port}."
        raise SandboxError(message, "Stop it first: stslab sandbox stop")
    return found


def stop(folder: Path) -> bool:
    """Stop the account of this folder and wait until its process has ended; False if none ran."""
    places = Files(folder)
    if not is_locked(places.server_lock):
        places.server.unlink(missing_ok=True)
        return False
    with suppress(*_NO_ANSWER, SandboxError):
        _ask(folder, "POST", "stop", seconds=_HEALTH_SECONDS)
        if _gone_within(places, _STOP_SECONDS):
            return True
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = read_number(places.server_lock)
        with suppress(ProcessLookupError):
            if pid > 1 and is_locked(places.server_lock):  # else another process may have the id
                os.kill(pid, number)
        if _gone_within(places, _KILL_SECONDS):
            places.server.unlink(missing_ok=True)
            return True
    pid = read_number(places.server_lock)
    raise SandboxError(*said(_says(), "no end", pid=pid, log=places.log))


def reset(folder: Path) -> Endpoint:
    """Replace the account, even an unreadable one, with a new one; start it if none runs."""
    if find(folder) is None:
        return _found_or_started(folder, fresh=True)
    return Endpoint.of(control(folder, "POST", "reset"))


def status(folder: Path) -> Json:
    """Whether the account runs, its folder and its log; if it runs, also its own facts."""
    where = {"folder": str(folder), "log": str(Files(folder).log)}
    if find(folder) is None:
        return {"running": False, **where}
    return {"running": True, **control(folder, "GET", "status"), **where}


def control(folder: Path, method: str, path: str, body: Json | None = None) -> Json:
    """Send a control request to the running account. ``path`` is a verb, perhaps with a query."""
    try:
        return _ask(folder, method, path, body)
    except _NO_ANSWER as error:
        raise SandboxError("The embedded account does not answer.", _START) from error


def _ask(
    folder: Path, method: str, path: str, body: Json | None = None, seconds: float = _ANSWER_SECONDS
) -> Json:
    """SandboxError: it is not running, or refuses. ``_NO_ANSWER``: something else listens."""
    places = Files(folder)
    port = places.known().get("port")
    if not isinstance(port, int):
        raise SandboxError("The embedded account is not running.", _START)
    headers = {TOKEN_HEADER: places.token.read_text()}
    content = json.dumps(body or {}) if method == "POST" else None
    connection = http.client.HTTPConnection(_HOST, port, timeout=seconds)
    try:
        connection.request(method, f"/_stslab/{path}", content, headers)
        response = connection.getresponse()
        answer = json.loads(response.read(), object_hook=_Answer)
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise ValueError("not an account")  # noqa: TRY004 - like any other answer that is not JSON
    if response.status != _OK:
        older = _says()["not reported"][1] if response.status == _UNKNOWN else ""
        raise SandboxError(str(answer.get("error", "")), str(answer.get("hint", older)))
    return answer


@contextmanager
def starting(folder: Path) -> Iterator[None]:
    """Hold the lock that lets one command at a time start a server."""
    try:
        held = lock_within(Files(folder).start_lock, _START_SECONDS)
    except OSError as error:
        raise SandboxError(f"The account's folder can't be used: {error}.", WRITABLE) from error
    if held is None:
        raise SandboxError("Another command has been starting the embedded account for a minute.")
    try:
        yield
    finally:
        os.close(held)


def _found_or_started(folder: Path, port: int = 0, *, fresh: bool = False) -> Endpoint:
    private_folder(folder)
    places = Files(folder)
    with starting(folder):
        deadline = time.monotonic() + _START_SECONDS
        # If there is none after a start, another server holds the folder: it is getting ready (the
        # command that started it was killed), or it hangs.
        while (found := find(folder)) is None:
            if (left := deadline - time.monotonic()) <= 0:
                pid = read_number(places.server_lock)
                raise SandboxError(*said(_says(), "silent", pid=pid, log=places.log))
            _start(places, port, left, fresh=fresh)
    return found


def _gone_within(places: Files, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_locked(places.server_lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


# The learner's own AWS settings must not reach the server, nor sockets that systemd passes on.
_NOT_PASSED_ON = ("AWS_", "LISTEN_")
_TAIL_LINES = 12
_READ = 64 * 1024


def _start(places: Files, port: int, seconds: float, *, fresh: bool) -> None:
    """Start a server and wait until it is ready, or has found that another holds the folder."""
    log_before = places.log.stat().st_size if places.log.exists() else 0
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)}
    # The launcher detaches the server and ends: the server is not our child.
    command = [sys.executable, "-m", "stslab.sandbox", "serve", "--detach"]
    command += ["--folder", str(places.folder.absolute()), "--port", str(port)]
    command += ["--fresh"] if fresh else []
    report = b""
    try:
        with (
            open(places.log, "ab", opener=partial(os.open, mode=0o600)) as log,
            suppress(subprocess.TimeoutExpired),
        ):
            report = subprocess.run(
                command,
                cwd="/",
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                check=False,
                timeout=seconds,
            ).stdout
    except OSError as error:
        raise SandboxError(f"The embedded account can't be started: {error}.") from error
    if not report:
        with places.log.open("rb") as log:
            log.seek(log_before)
            lines = log.read(_READ).decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
        message, hint = "The embedded account did not start.", f"Its whole log is {places.log}"
        if not lines:
            hint = f"Its log is empty: see that the disk of {places.folder} is not full."
            raise SandboxError(message, hint)
        tail = "".join(f"\n  {line}" for line in lines)
        raise SandboxError(f"{message} The end of its log:{tail}", hint)
    told = json.loads(report)
    if "error" in told:
        raise SandboxError(told["error"], told.get("hint", ""))
