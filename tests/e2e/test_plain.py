"""``--plain``: a whole run, and what one looks at afterwards, in words and on 60 columns."""

import re
import time

import pytest
from tests.e2e.machine import PROVED, Machine
from tests.e2e.screen import Open

pytestmark = pytest.mark.slow

DRAWN = re.compile(r"[\u2500-\u259f✔✘▶○…→•\x1b]")
WIDE = 60
AFTERWARDS = [
    ("status",), ("report",), ("show",), ("labs",), ("doctor",), ("why",), ("sandbox", "log"),
    ("help", "exit-codes"), ("cleanup",),
]  # fmt: skip


def test_a_run_is_told_in_words(used: Machine) -> None:
    done = used.stslab("run", "--yes", "--plain", COLUMNS=str(WIDE))
    assert done.code == 0, done.said
    assert PROVED in done.out
    for command in AFTERWARDS:
        more = used.stslab(*command, "--plain", COLUMNS=str(WIDE))
        _in_words(more.out + more.err, " ".join(command))
    _in_words(done.out, "run")


def test_a_prompt_is_read_aloud_once(opened: Open) -> None:
    for command in ("aws iam create-user --user-name said", "echo said"):
        terminal = opened("--plain", "run", "--practice")
        for prompt in ("Enter ", "Enter goes on:"):
            terminal.wait(prompt)
            terminal.enter()
        terminal.wait("admin $")
        time.sleep(1)  # longer than it takes to look whether something has happened
        terminal.enter(command)
        before, _, _ = terminal.wait("said\n").partition(command)
        assert before.count("admin $") == 1
        terminal.close()


def _in_words(text: str, command: str) -> None:
    assert not DRAWN.search(text), command
    for line in text.splitlines():
        longest = max(map(len, line.rstrip("\\ ").split()), default=0)
        assert len(line) <= WIDE or longest > WIDE - 40, (command, line)
