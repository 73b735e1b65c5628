"""The shells that learners use: `stslab shell` and tab completion in each, as they are installed."""

import os
import sys
from pathlib import Path

import pexpect
import pytest
from tests import programs
from tests.e2e.machine import Machine

from stslab.resources import bundled, text_of

pytestmark = pytest.mark.slow

COMPLETES = {
    "bash": 'COMP_WORDS=(stslab cle) COMP_CWORD=1; _stslab_completion stslab; echo "${COMPREPLY[@]}"',
    "fish": "complete -C 'stslab cle'",
    # zsh completes on a terminal only: what it would call has to be there.
    "zsh": "echo ${_comps[stslab]}",
}
BEFORE = {"zsh": "autoload -Uz compinit; compinit -u -D"}
LOADS = {"fish": "stslab completion fish | source"}
ANSWERS = {
    "bash": "cleanup",
    "fish": "cleanup\tUndo everything, and prove it.",
    "zsh": "_stslab_completion",
}
SHELLS = [pytest.param(name, marks=pytest.mark.needs(name)) for name in COMPLETES]


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_a_command(shell: str, used: Machine) -> None:
    load = LOADS.get(shell, f'eval "$(stslab completion {shell})"')
    script = "\n".join([BEFORE.get(shell, ""), load, COMPLETES[shell]])
    folder = Path(sys.executable).parent
    path = f"{folder}:{os.environ['PATH']}"
    done = used.runs_in(str(programs.find(shell)), "-c", script, PATH=path)
    assert done.code == 0
    assert done.out.startswith(ANSWERS[shell]), done.said
    assert done.err == ""


@pytest.mark.needs("fish")
def test_the_line_for_fish_on_the_learners_page(used: Machine) -> None:
    page = text_of(bundled() / "docs" / "learners.md")
    line = next(each.partition("# fish: ")[2] for each in page.splitlines() if "# fish: " in each)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = f"{line}; echo $AWS_PROFILE"  # $SHELL is another: fish was begun in it
    done = used.runs_in(str(programs.find("fish")), "-c", script, PATH=path, SHELL="/bin/bash")
    assert (done.out, done.err) == ("admin\n", ""), done.said


@pytest.mark.parametrize("shell", SHELLS)
def test_its_prompt_has_a_hint_and_its_variables_point_at_the_account(
    shell: str, used: Machine
) -> None:
    command, *rest = used.command("shell")
    environ = {**used.environ, "TERM": "dumb", "SHELL": str(programs.find(shell))}
    child = pexpect.spawn(
        command, rest, env=environ, timeout=60, encoding="utf-8", cwd=str(used.root)
    )  # fmt: skip
    child.expect_exact("(stslab) ")
    child.sendline("echo profile=$AWS_PROFILE file=$AWS_CONFIG_FILE")
    child.expect_exact(f"profile=admin file={used.state}")
    child.sendline("exit 7")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 7
