"""Lab files that are broken at random: said what is wrong, exit 2, and no call is made.

That loading one never fails in another way is proved without processes, on 5,000 of them, in
`tests/lab/test_fuzz.py`, whose mutations are used here.
"""

import json
import random
import shutil
from pathlib import Path

import pytest
from tests.lab.test_fuzz import mangled, shuffled_lines
from tests.soak.ground import Ground, difference

from stslab.resources import bundled

pytestmark = pytest.mark.slow


def broken_labs(folder: Path, number: int, seed: int) -> list[Path]:
    """So many copies of the lab, each broken in another way, beside what it includes."""
    for part in ("lab", "templates"):
        shutil.copytree(bundled() / part, folder / part)
    shutil.copy(bundled() / "policy.json", folder)
    text, dice = (folder / "lab" / "steps.yaml").read_text(), random.Random(seed)
    paths = [folder / "lab" / f"broken-{count}.yaml" for count in range(number)]
    for path in paths:
        path.write_bytes(dice.choice((mangled, shuffled_lines))(text, dice))
    return paths


def linted(ground: Ground, paths: list[Path]) -> set[str]:
    """The files in which `stslab lint` finds an error."""
    done = ground.stslab("lint", "--json", *map(str, paths))
    assert done.code in (0, 2), done.said
    lines = [line for line in done.said.splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    return {one["file"] for one in told if one["severity"] == "error"}


def prove(ground: Ground, folder: Path, number: int, runs: int) -> str:
    """Lint so many, run some of the invalid ones; in words how many."""
    before = ground.everything()
    paths = broken_labs(folder, number, seed=number)
    invalid: set[str] = set()
    for start in range(0, number, 100):
        invalid |= linted(ground, paths[start : start + 100])
    assert len(invalid) > number / 3
    chosen = sorted(invalid)[:: max(1, len(invalid) // runs)]
    for path in chosen:
        done = ground.stslab("run", "--yes", path)
        assert done.code == 2, done.said
        assert "✘" in done.said
        calls = [moment for moment in done.story if moment[2] in ("call", "journal")]
        assert calls == []
    assert difference(before, ground.everything()) == []
    assert ground.runs() == []
    return f"{number} broken labs linted, {len(invalid)} invalid; {len(chosen)} of them run: no call, no run begun"


def test_some_broken_labs(ground: Ground, tmp_path: Path, table):
    table(prove(ground, tmp_path, 60, 8))


@pytest.mark.soak
def test_many_broken_labs(ground: Ground, tmp_path: Path, table):
    table(prove(ground, tmp_path, 2500, 250))
