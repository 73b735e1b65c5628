"""A person at a terminal, played by pexpect through a pseudo-terminal."""

from collections.abc import Iterator

import pexpect
import pytest
from tests.e2e.machine import Machine

pytestmark = pytest.mark.slow

SECONDS = 60
PROMPT = "q quits: "


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
    return child.exitstatus


def test_enter_walks_through_to_the_end(terminal, machine):
    child = terminal.run("run")
    for _ in range(5):
        child.expect_exact(PROMPT)
        child.sendline("")
    child.expect_exact("20 of 20 claims proved")
    assert ended(child) == 0
    assert machine.runs()[0]["state"] == "finished"


def test_explain_then_quit_then_go_on(terminal, machine):
    child = terminal.run("run")
    child.expect_exact("Next: ")
    child.expect_exact(PROMPT)
    child.sendline("e")
    child.expect_exact("implicit deny")
    child.expect_exact(PROMPT)
    child.sendline("what?")
    child.expect_exact(PROMPT)
    child.sendline("q")
    child.expect_exact("stslab cleanup")
    assert ended(child) == 0
    assert [one["stage"] for one in machine.runs()[0]["stages"]] == ["create-user"]
    again = terminal.run("run", "--to", "deploy-role")
    again.expect_exact("Going on with run")
    again.expect_exact("Look around with the aws CLI")
    assert ended(again) == 0


def test_a_stage_that_was_skipped_is_done_when_it_is_missed(terminal, machine):
    child = terminal.run("run", "--to", "deploy-role")
    child.expect_exact(PROMPT)
    child.sendline("")
    assert ended(child) == 0
    child = terminal.run("run", "--from", "attach-policy", "--to", "assume-role")
    child.expect_exact(PROMPT)
    child.sendline("")
    assert ended(child) == 0
    assert len(machine.runs()) == 1


def test_skipping_what_is_needed_offers_to_do_it(terminal, machine):
    child = terminal.run("run", "--to", "attach-policy")
    child.expect_exact(PROMPT)
    child.sendline("s")
    child.expect_exact("Next: Let the user assume that role")
    child.expect_exact(PROMPT)
    child.sendline("")
    child.expect_exact("What now?")
    child.expect_exact(PROMPT)
    child.sendline("n")
    assert ended(child) == 0
    stages = [one["stage"] for one in machine.runs()[0]["stages"]]
    assert stages == ["create-user", "deploy-role", "attach-policy"]


def test_a_failure_offers_cleanup(terminal, machine):
    lab = machine.lab(("{1,61}", "{1,6}"))
    child = terminal.run("run", lab)
    child.expect_exact(PROMPT)
    child.sendline("")
    child.expect_exact("What now?")
    child.expect_exact(PROMPT)
    child.sendline("r")
    child.expect_exact("What now?")
    child.expect_exact(PROMPT)
    child.sendline("c")
    child.expect_exact("is left: ")
    assert ended(child) == 1
    assert machine.runs()[0]["state"] == "cleaned"


def test_ctrl_c_at_a_prompt(used_terminal):
    child = used_terminal.run("run")
    child.expect_exact(PROMPT)
    child.sendintr()
    child.expect_exact("Stopped.")
    assert ended(child) == 130


def test_the_end_of_input_at_a_prompt_leaves(used_terminal):
    child = used_terminal.run("run")
    child.expect_exact(PROMPT)
    child.sendeof()
    child.expect_exact("stslab cleanup")
    assert ended(child) == 0


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
