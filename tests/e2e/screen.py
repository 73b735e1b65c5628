"""A real pseudo-terminal, whose screen can be read as a person reads it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pexpect
import pyte
from tests.e2e.machine import Machine

SECONDS = 60.0
_ROUND = 0.2


class _Answering(pyte.Screen):
    """A screen that answers where its cursor is, as terminals do when they are asked."""

    answer: Callable[[str], None]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """One command on a terminal of ``columns`` by ``lines``."""

    def __init__(
        self, machine: Machine, *arguments: str, columns: int = 80, lines: int = 24, **environ: str
    ) -> None:
        command, *rest = machine.command(*arguments)
        surroundings = {**machine.environ, "TERM": "xterm-256color", **environ}
        surroundings.pop("COLUMNS", None)
        self.child = pexpect.spawn(
            command, rest, env=surroundings, timeout=SECONDS, dimensions=(lines, columns),
            cwd=str(machine.root),
        )  # fmt: skip
        self._screen = _Answering(columns, lines)
        self._screen.answer = self.child.send
        self._stream = pyte.ByteStream(self._screen)
        self.seen = b""

    @property
    def text(self) -> str:
        """What is on the screen, without the spaces at the ends of its lines."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait(self, *texts: str) -> str:
        """Wait until all of these are on the screen; what is on it then."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            self._read()
            if all(text in self.text for text in texts):
                return self.text
            if not self.child.isalive():
                self._read()
                break
        missing = [text for text in texts if text not in self.text]
        assert not missing, f"{missing} never came; the screen:\n{self.text}"
        return self.text

    def changed(self, before: str) -> str:
        """Wait until the screen is another one than ``before`` and stays; what is on it then."""
        until = time.monotonic() + SECONDS
        last = self.text
        while time.monotonic() < until:
            if not self._read() and self.text == last != before:
                return last
            last = self.text
        raise AssertionError(f"nothing changed; the screen:\n{self.text}")

    def enter(self, text: str = "") -> None:
        """Type a line and press Enter."""
        self.child.send(f"{text}\r")

    def key(self, text: str) -> None:
        """Press keys, without Enter."""
        self.child.send(text)

    def ended(self) -> int:
        """The exit code, once the command has ended."""
        until = time.monotonic() + SECONDS
        while self.child.isalive() and time.monotonic() < until:
            self._read()
        self._read()
        self.child.close()
        return int(self.child.exitstatus or 0)

    def close(self) -> None:
        self.child.close(force=True)

    def _read(self) -> bool:
        """Take in what came; whether anything did."""
        try:
            found = self.child.read_nonblocking(65536, timeout=_ROUND)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return False
        self.seen += found
        self._stream.feed(found)
        return True


Open = Callable[..., Terminal]
