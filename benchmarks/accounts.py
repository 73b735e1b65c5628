"""Sandboxes and moto servers that a benchmark starts, and stops again."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stslab.sandbox.server import client


@dataclass(frozen=True)
class Account:
    """A server to call: where it is, whose key to use, and its process."""

    url: str
    pid: int
    access_key_id: str = "AKIAIOSFODNN7EXAMPLE"
    secret_access_key: str = field(default="made-up", repr=False)
    home: Path = Path()

    @property
    def environment(self) -> dict[str, str]:
        """What makes the aws CLI call it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }


@contextmanager
def sandbox() -> Iterator[Account]:
    """A sandbox of its own in an empty state folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            endpoint = client.ensure(home / "sandbox")
            key = client.control(home / "sandbox", "POST", "admin-key")
            keys = key["access_key_id"], key["secret_access_key"]
            yield Account(endpoint.url, endpoint.pid, *keys, home)
        finally:
            client.stop(home / "sandbox")


@contextmanager
def moto_server() -> Iterator[Account]:
    """moto's own server, without enforcement, as its documentation starts it."""
    with started_moto() as (process, url):
        yield Account(url, process.pid)


@contextmanager
def started_moto() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """moto's server, from its start to its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield process, url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(3000):
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json"):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(f"no moto server at {url}")


def fresh(prefix: str) -> str:
    """A name that nothing else has."""
    return f"{prefix}-{secrets.token_hex(4)}"
