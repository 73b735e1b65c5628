"""The whole lab: against a plain boto3 script, the aws CLI, and moto's server."""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.accounts import Account, moto_server, sandbox, started_moto
from benchmarks.measure import Row, at_least, at_most, in_turn, process, seconds
from benchmarks.startup import stslab

HERE = Path(__file__).resolve().parent
SCRIPT, COMMANDS = HERE / "plain_boto3.py", HERE / "readme_commands.sh"


def rows(runs: int) -> list[Row]:
    """The lab with the sandbox up, and the first run on a machine without one."""
    with sandbox() as account:
        found = [_against_boto3(account, runs), _against_commands(account, runs)]
    return [*found, _first_run(runs), _memory()]


def lab(home: Path):
    """A whole run of the lab, in its own process."""
    return process([stslab(), "run", "--yes"], env={"STSLAB_HOME": str(home)})


def script(account: Account):
    """The plain boto3 script, in its own process."""
    keys = [account.url, account.access_key_id, account.secret_access_key]
    return process([sys.executable, SCRIPT, *keys])


def _against_boto3(account: Account, runs: int) -> Row:
    ours, theirs = in_turn(lab(account.home), script(account), runs=runs)
    row = Row("whole lab, sandbox up", "plain boto3 script, same calls", "s", ours, theirs)
    return at_most(row, 1.3)


def _against_commands(account: Account, runs: int) -> Row:
    commands = process([COMMANDS, HERE.parent], env=account.environment)
    theirs, ours = in_turn(commands, lab(account.home), runs=min(runs, 5))
    row = Row("the README's commands, aws CLI", "whole lab, sandbox up", "s", theirs, ours)
    return at_least(row, 10)


def _first_run(runs: int) -> Row:
    """Both from nothing: an empty state folder; a moto server that is not started."""
    pairs = [(seconds(_first_lab), seconds(_first_script)) for _ in range(runs + 1)][1:]
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return at_most(
        Row("first run, no sandbox yet", "moto_server + boto3 script", "s", ours, theirs), 1
    )


def _first_lab() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        lab(folder)()
    finally:
        from stslab.sandbox import client

        client.stop(folder / "sandbox")
        shutil.rmtree(folder)


def _first_script() -> None:
    with started_moto() as (server, url):
        script(Account(url, server.pid))()


def _memory() -> Row:
    from benchmarks.measure import resident_megabytes

    with sandbox() as ours, moto_server() as theirs:
        lab(ours.home)()
        script(theirs)()
        row = Row(
            "sandbox: memory after the lab",
            "moto_server after the script",
            "MB",
            resident_megabytes(ours.pid),
            resident_megabytes(theirs.pid),
        )
    return at_most(row, 1)
