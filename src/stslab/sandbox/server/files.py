"""The files in the account's folder, for server and clients. Quick to import."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]
ACCOUNT_FILE = "account.sqlite"
TOKEN_HEADER = "x-stslab-control"  # noqa: S105 - a header's name


class Files:
    """The paths in the account's folder; ``server_lock`` has the server's process id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server_lock = folder / "server.lock"
        self.start_lock = folder / "start.lock"
        self.account = folder / ACCOUNT_FILE
        self.server = folder / "server.json"
        self.token = folder / "control.token"
        self.log = folder / "server.log"
        self.port = folder / "last.port"

    def known(self) -> Json:
        """What ``server.json`` says; empty if it can't be read."""
        try:
            content = json.loads(self.server.read_text())
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


def read_number(path: Path) -> int:
    """The number in a file; 0 if the file can't be read or holds anything else."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
