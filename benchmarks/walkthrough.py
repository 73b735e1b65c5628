"""The whole lab: against a plain boto3 script, the aws CLI, and moto's server."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.accounts import Account, moto_server, sandbox, started_moto
from benchmarks.measure import Row, at_least, at_most, each_in_turn, process, seconds
from benchmarks.startup import stslab

HERE = Path(__file__).resolve().parent
SCRIPT, COMMANDS = HERE / "plain_boto3.py", HERE / "readme_commands.sh"


def rows(runs: int) -> list[Row]:
    """The lab with the sandbox up, and the first run on a machine without one."""
    with sandbox() as account:
        _check_same_calls(account)
        found = [*_against_boto3(account, runs), *_against_commands(account, runs)]
    return [*found, _first_run(runs), _memory()]


def lab(home: Path):
    """A whole run of the lab, in its own process."""
    return process([stslab(), "run", "--yes"], env={"STSLAB_HOME": str(home)})


def script(account: Account, *options: str):
    """The plain boto3 script, in its own process."""
    keys = [account.url, account.access_key_id, account.secret_access_key]
    return process([sys.executable, SCRIPT, *keys, *options])


def _check_same_calls(account: Account) -> None:
    """The script makes the lab's calls, or there is nothing to measure."""
    lab(account.home)()
    script(account)()
    ours, theirs = (_calls(account, once) for once in (lab(account.home), script(account)))
    differing = {name for name in ours | theirs if ours[name] != theirs[name]} - _POLLED
    if differing:
        raise RuntimeError(f"the script and the lab differ in {', '.join(sorted(differing))}")


_POLLED = {"DescribeStacks", "DescribeStackEvents"}


def _calls(account: Account, once) -> Counter[str]:
    """How often each operation was called meanwhile."""
    before = sum(_logged(account).values())
    once()
    return _logged(account, skip=before)


def _logged(account: Account, skip: int = 0) -> Counter[str]:
    command = [str(stslab()), "sandbox", "log", "--all", "--json", "--limit", "100000"]
    home = {**os.environ, "STSLAB_HOME": str(account.home)}
    lines = subprocess.run(command, env=home, check=True, capture_output=True).stdout.splitlines()
    return Counter(json.loads(line)["eventName"] for line in lines[skip:])


def _against_boto3(account: Account, runs: int) -> list[Row]:
    ours, proved, unproved = each_in_turn(
        [lab(account.home), script(account), script(account, "--unproved")], runs=runs
    )
    return [
        at_most(
            Row(
                "whole lab, account up",
                "plain boto3 script, same calls",
                "s",
                ours,
                proved,
            ),
            1.3,
        ),
        Row("the same", "plain boto3 script that proves nothing", "s", ours, unproved),
    ]


def _against_commands(account: Account, runs: int) -> list[Row]:
    ours, polled = each_in_turn(
        [lab(account.home), process([COMMANDS, HERE.parent, "poll"], env=account.environment)],
        runs=runs,
    )
    deployed = seconds(process([COMMANDS, HERE.parent, "deploy"], env=account.environment))
    return [
        at_least(
            Row("the README's commands, aws CLI", "whole lab", "s", deployed, ours, note=_CLI), 10
        ),
        Row("the same, the stack asked for each second", "whole lab", "s", polled, ours),
    ]


_CLI = "one run: most of it is what `aws cloudformation deploy` waits between its questions"


def _first_run(runs: int) -> Row:
    """Both from nothing: an empty state folder; a moto server that is not started."""
    pairs = [(seconds(_first_lab), seconds(_first_script)) for _ in range(runs + 1)][1:]
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return at_most(
        Row("first run, no account yet", "moto_server + boto3 script", "s", ours, theirs),
        1,
    )


def _first_lab() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        lab(folder)()
    finally:
        from stslab.sandbox.server import client

        client.stop(folder / "sandbox")
        shutil.rmtree(folder)


def _first_script() -> None:
    with started_moto() as (server, url):
        script(Account(url, server.pid), "--unproved", "--moto")()


def _memory() -> Row:
    from benchmarks.measure import resident_megabytes

    with sandbox() as ours, moto_server() as theirs:
        lab(ours.home)()
        script(theirs, "--unproved", "--moto")()
        row = Row(
            "embedded account: memory after the lab",
            "moto_server after the script",
            "MB",
            resident_megabytes(ours.pid),
            resident_megabytes(theirs.pid),
        )
    return at_most(row, 1)
