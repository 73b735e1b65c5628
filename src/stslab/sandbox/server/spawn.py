"""Starts the server's process, detached, and waits until it says that it is ready.

The process says so through a pipe, in one line of JSON; nothing is slept for. It lets go of
the pipe when it dies, so that is seen too.
"""

import json
import os
import select
import subprocess
import sys
import time
from typing import Any

from stslab.errors import SandboxError
from stslab.sandbox.server.files import Files

# The learner's own AWS settings are none of the sandbox's business. LISTEN_* would hand it
# somebody's socket.
_NOT_PASSED_ON = ("AWS_", "LISTEN_")
_TAIL_LINES = 12
_READ = 64 * 1024


def server(places: Files, port: int, seconds: float, *, fresh: bool = False) -> bool:
    """Start a server and wait until it is ready; False where another one holds the folder.

    ``fresh``: with a new account in place of what was saved.

    Raises:
        SandboxError: it failed, with what it said, or took too long.
    """
    log_before = _size(places)
    reading, writing = os.pipe()
    try:
        _spawn(places, port, writing, fresh=fresh)
        said = _line(reading, seconds)
    finally:
        os.close(reading)
    if said is None:
        raise _silent(places, log_before)
    if "error" in said:
        raise SandboxError(said["error"], said.get("hint", ""))
    return not said.get("locked")


def _spawn(places: Files, port: int, writing: int, *, fresh: bool) -> None:
    """Run what makes the server's process and ends: the server is nobody's child."""
    command = [
        sys.executable,
        *("-m", "stslab.sandbox", "serve", "--detach"),
        *("--folder", str(places.folder.absolute())),
        *("--port", str(port)),
        *("--ready-fd", str(writing)),
        *(["--fresh"] if fresh else []),
    ]
    try:
        with open(places.log, "ab", opener=_private) as log:
            subprocess.run(
                command,
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=(writing,),
                start_new_session=True,
                check=False,
            )
    except OSError as error:
        raise SandboxError(f"The sandbox can't be started: {error}.") from error
    finally:
        os.close(writing)


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)}
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line(reading: int, seconds: float) -> dict[str, Any] | None:
    deadline = time.monotonic() + seconds
    content = b""
    while not content.endswith(b"\n"):
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        received = os.read(reading, _READ) if ready else b""
        if not received:
            return None
        content += received
    said: dict[str, Any] = json.loads(content)
    return said


def _size(places: Files) -> int:
    return places.log.stat().st_size if places.log.exists() else 0


def _silent(places: Files, log_before: int) -> SandboxError:
    with places.log.open("rb") as log:
        log.seek(log_before)
        lines = log.read(_READ).decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
    tail = "".join(f"\n  {line}" for line in lines)
    return SandboxError(
        f"The sandbox did not start.{tail and ' The end of its log:'}{tail}",
        f"Its whole log is {places.log}",
    )
