"""How long a command takes that only says something: against starting click."""

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Row, at_most, in_turn, process

_COMMANDS: tuple[tuple[str, list[str], dict[str, str], float], ...] = (
    ("stslab --version", ["--version"], {}, 1.5),
    ("stslab --help", ["--help"], {}, 1.5),
    (
        "completion of a stage name",
        [],
        {"_STSLAB_COMPLETE": "bash_complete", "COMP_WORDS": "stslab step a", "COMP_CWORD": "2"},
        1.5,
    ),
    ("stslab labs", ["labs"], {}, 3.0),
    ("stslab status", ["status"], {}, 3.0),
)


def stslab() -> Path:
    """The installed command, beside this Python."""
    return Path(sys.executable).with_name("stslab")


def rows(runs: int) -> list[Row]:
    """Start-up rows; each process counts whole, so more runs than elsewhere are cheap."""
    click = process([sys.executable, "-c", "import click"])
    result = []
    with tempfile.TemporaryDirectory() as folder:
        for what, arguments, env, limit in _COMMANDS:
            command = process([stslab(), *arguments], env={"STSLAB_HOME": folder, **env})
            ours, theirs = in_turn(command, click, runs=max(runs, 15), warm=2)
            row = Row(what, 'python -c "import click"', "ms", ours * 1000, theirs * 1000)
            result.append(at_most(row, limit))
    return result
