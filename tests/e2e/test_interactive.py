"""A person at a terminal, played by pexpect through a pseudo-terminal."""

from collections.abc import Iterator

import pexpect
import pytest
from tests.e2e.machine import Machine

pytestmark = pytest.mark.slow

SECONDS = 60


@pytest.fixture
def terminal(machine: Machine) -> Iterator["Terminal"]:
    opened = Terminal(machine)
    yield opened
    opened.close()


@pytest.fixture
def used_terminal(used: Machine) -> Iterator["Terminal"]:
    """A terminal of a machine on which there may be an unfinished run."""
    opened = Terminal(used)
    yield opened
    opened.close()


class Terminal:
    """Starts commands on an 80 by 24 terminal."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._children: list[pexpect.spawn] = []

    def run(self, *arguments: str, **environ: str) -> pexpect.spawn:
        command, *rest = self._machine.command(*arguments)
        surroundings = {**self._machine.environ, "TERM": "xterm-256color", **environ}
        surroundings.pop("COLUMNS")
        child = pexpect.spawn(
            command, rest, env=surroundings, timeout=SECONDS, encoding="utf-8",
            dimensions=(24, 80), cwd=str(self._machine.root),
        )  # fmt: skip
        self._children.append(child)
        return child

    def close(self) -> None:
        for child in self._children:
            child.close(force=True)


def ended(child: pexpect.spawn) -> int:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus)


def test_a_dumb_terminal_gets_no_escape_sequences(used_terminal):
    child = used_terminal.run("run", "--yes", "--to", "create-user", TERM="dumb")
    child.expect(pexpect.EOF)
    assert "\x1b" not in child.before
    assert "✔" in child.before


def test_the_shell_has_the_profiles_and_a_hint_in_its_prompt(used_terminal, used):
    child = used_terminal.run("shell", SHELL="/bin/bash")
    child.expect_exact("(stslab) ")
    child.sendline("echo profile=$AWS_PROFILE file=$AWS_CONFIG_FILE")
    child.expect_exact(f"profile=admin file={used.state}")
    child.sendline("exit 7")
    assert ended(child) == 7
