"""Killed before or after any call or write, in any stage: cleanup leaves nothing, takes nothing.

Each case is a run in a process of its own, which SIGKILL ends at one point; then `stslab
cleanup` in a new process; then the account is listed with boto3 and compared, thing by thing,
with what it was before the run. Beside the run's things there are others' of nearly the same
names, one of them with the run's own id in its name.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from tests.soak.ground import Ended, Ground, difference

pytestmark = pytest.mark.slow

SHARDS = 2
EVERY = 33  # in the part of the points that runs in every suite
ANEW = 8  # every so many cleanups are by an interpreter that shares nothing with the run's


@dataclass
class Tally:
    """What came of the cases: how many, by stage and kind of point, and which were bad."""

    points: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def add(self, where: tuple[str, ...], problems: Iterable[str]) -> None:
        stage, side, kind, what = where
        self.points[stage, side, kind] += 1
        self.bad += [f"{stage}, {side} {kind} {what}: {problem}" for problem in problems]

    def text(self, title: str) -> str:
        stages = dict.fromkeys(stage for stage, _, _ in self.points)
        columns = sorted({(kind, side) for _, side, kind in self.points})
        head = "".join(f"{side + ' ' + kind:>18}" for kind, side in columns)
        rows = [
            f"{stage:<16}"
            + "".join(f"{self.points[stage, side, kind]:>18}" for kind, side in columns)
            for stage in stages
        ]
        total = self.points.total()
        return "\n".join(
            [f"{title}: {total} points, {len(self.bad)} problems", " " * 16 + head, *rows, *self.bad]
        )  # fmt: skip


def clean_up(ground: Ground, *, anew: bool) -> Ended:
    run = ground.stslab_anew if anew else ground.stslab
    return run("cleanup")


def problems_after(ground: Ground, before: dict[str, str], *, anew: bool) -> list[str]:
    """Clean up as a learner would, and say what is wrong afterwards."""
    runs = ground.runs()
    decoy = ground.decoy(runs[0][0] if runs else "none")
    cleaned = clean_up(ground, anew=anew)
    found = [] if cleaned.code == 0 else [f"cleanup ended with {cleaned.code}: {cleaned.said}"]
    after = ground.everything()
    if f"UserDetailList {decoy}" in after:
        ground.remove_decoy(decoy)
        del after[f"UserDetailList {decoy}"]
    else:
        found.append(f"another's user {decoy} is gone")
    found += difference(before, after)
    found += [
        f"run {run} is {state}" for run, state in ground.runs() if state in ("active", "undoing")
    ]
    found += [f"profile {name} is left" for name in ground.profiles() - {"admin", "default"}]
    return found


def case(ground: Ground, tally: Tally, at: int, before: dict[str, str]) -> None:
    ended = ground.stslab("run", "--yes", at=at)
    assert ended.code in (-9, 0), ended.said  # 0: this run took fewer calls to wait for a stack
    if ended.code == -9:
        assert len(ended.story) == at
        tally.add(ended.last, problems_after(ground, before, anew=at % ANEW == 0))


def killed_at(ground: Ground, points: Iterable[int]) -> Tally:
    tally, before = Tally(), ground.everything()
    for at in points:
        case(ground, tally, at, before)
        before = ground.everything() if tally.bad else before
    return tally


def number_of_points(ground: Ground) -> int:
    whole = ground.stslab("run", "--yes")
    assert whole.code == 0, whole.said
    return len(whole.story)


@pytest.mark.soak
def test_some_points(ground: Ground, table):
    tally = killed_at(ground, range(3, number_of_points(ground) + 1, EVERY))
    table(tally.text("Killed at some points"))
    assert tally.points.total() >= 8
    assert tally.bad == []


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_point(ground: Ground, shard: int, table):
    tally = killed_at(ground, range(1 + shard, number_of_points(ground) + 1, SHARDS))
    table(tally.text(f"Killed at every point, part {shard + 1} of {SHARDS}"))
    assert tally.bad == []


@pytest.mark.soak
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_point_of_the_cleanup(ground: Ground, shard: int, table):
    """Cleanup itself is killed at each of its points, and then run again."""
    tally, before, at = Tally(), ground.everything(), shard - 1
    while True:
        at += SHARDS
        assert ground.stslab("run", "--yes", "--to", "verify-access").code == 0
        ended = ground.stslab("cleanup", at=at)
        if ended.code == 0:
            break
        assert ended.code == -9, ended.said
        tally.add(ended.last, problems_after(ground, before, anew=False))
    table(tally.text(f"Cleanup killed at every point, part {shard + 1} of {SHARDS}"))
    assert tally.bad == []


def test_the_look_alikes_are_there(ground: Ground):
    """Otherwise nothing would have been spared."""
    named = [name for name in ground.everything() if "u0000000" in name or "sts-example" in name]
    assert len(named) >= 6
