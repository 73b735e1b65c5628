"""The account's files in its folder, and who may be in it: shared by the server and its clients.

Quick to import.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stslab.home import lock

Json = Mapping[str, Any]
"""A JSON object."""
ACCOUNT_FILE = "account.sqlite"
_PAUSE = 0.02


class Files:
    """The places in the account's folder.

    ``server_lock`` is held by the server as long as it lives, and has its process id;
    ``start_lock`` by a command that starts or stops a server.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server_lock = folder / "server.lock"
        self.start_lock = folder / "start.lock"
        self.account = folder / ACCOUNT_FILE
        self.server = folder / "server.json"
        self.token = folder / "control.token"
        self.log = folder / "server.log"
        self.port = folder / "last.port"


def read_json(path: Path) -> Json | None:
    """The JSON object in a file; None where there is no such file, or no such object in it."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def read_number(path: Path) -> int:
    """The number in a file; 0 where there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def lock_within(path: Path, seconds: float) -> int | None:
    """Take the file's lock as soon as it is free; None where that takes too long."""
    deadline = time.monotonic() + seconds
    while (descriptor := lock(path)) is None and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return descriptor
