"""A fault of each kind at each call: the run ends done or stopped, and cleanup leaves nothing."""

import re
from collections import Counter
from collections.abc import Iterable

import pytest
from tests.soak.ground import Ground, difference

from stslab.sandbox.rehearsal.rehearsal import KINDS

pytestmark = pytest.mark.slow

STOPPED = {1, 3, 5}
ENOUGH = 400  # calls; a run makes far fewer


def case(ground: Ground, kind: str, at: int, before: dict[str, str]) -> tuple[str, list[str]]:
    """A run in which the at-th call goes wrong; how it ended, and what is wrong about that."""
    ground.rehearse("seed=1", [{"call": "*", "kind": kind, "at": at}])
    ended = ground.stslab("run", "--yes")
    struck = ground.struck()
    if not struck:
        return "not reached", []
    if ended.code == 0:
        how, problems = "done", []
    else:
        how = f"stopped ({ended.code})"
        clear = re.search(r"^✘ .*\n", ended.said, re.MULTILINE) and "→" in ended.said
        problems = [] if clear and ended.code in STOPPED else [f"unclear: {ended.said[-500:]}"]
        cleaned = ground.stslab("cleanup")
        problems += [] if cleaned.code == 0 else [f"cleanup: {cleaned.code} {cleaned.said[-500:]}"]
    problems += difference(before, ground.everything())
    problems += [
        f"run {run} is {one}" for run, one in ground.runs() if one in ("active", "undoing")
    ]
    return how, problems


def table_of(counts: Counter[tuple[str, str]], bad: list[str], title: str) -> str:
    ways = sorted({how for _, how in counts})
    head = " " * 16 + "".join(f"{how:>14}" for how in ways)
    rows = [
        f"{kind:<16}" + "".join(f"{counts[kind, how]:>14}" for how in ways)
        for kind in dict.fromkeys(kind for kind, _ in counts)
    ]
    return "\n".join([f"{title}: {counts.total()} runs, {len(bad)} problems", head, *rows, *bad])


def struck_at(
    ground: Ground, kind: str, calls: Iterable[int]
) -> tuple[Counter[tuple[str, str]], list[str]]:
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    before = ground.everything()
    for at in calls:
        how, problems = case(ground, kind, at, before)
        if how == "not reached":
            break
        counts[kind, how] += 1
        if problems:
            bad += [f"{kind} at call {at}: {problem}" for problem in problems]
            before = ground.everything()
    ground.rehearse(None)
    return counts, bad


@pytest.mark.soak
def test_each_kind_at_some_calls(ground: Ground, table):
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    for number, kind in enumerate(KINDS):
        some, worse = struck_at(ground, kind, (2 + 5 * number, 34 + 2 * number))
        counts += some
        bad += worse
    table(table_of(counts, bad, "A fault of each kind at some calls"))
    assert counts.total() == 10
    assert bad == []


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_each_call(ground: Ground, kind: str, table):
    counts, bad = struck_at(ground, kind, range(1, ENOUGH))
    table(table_of(counts, bad, f"{kind} at each call"))
    assert counts.total() > 40
    assert bad == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_all_of_a_real_account_at_once(ground: Ground, seed: int, table):
    """Delays, throttling, errors, resets and slow stacks together, from ten seeds."""
    before = ground.everything()
    ground.rehearse(
        f"seed={seed},keys=0..2s,users=0..1s,roles=0..2s,policies=0..2s,throttle=0.1,errors=0.05,"
        "errors-after=0.02,reset-before=0.02,reset-after=0.02,slow-stacks=300ms"
    )
    ended = ground.stslab("run", "--yes")
    assert ended.code in {0, *STOPPED}, ended.said
    cleaned = ground.stslab("cleanup", "--all")
    struck = ground.struck()
    ground.rehearse(None)
    table(f"seed {seed}: run ended with {ended.code}, cleanup with {cleaned.code}, {struck}")
    assert cleaned.code == 0, cleaned.said
    assert difference(before, ground.everything()) == []


@pytest.mark.parametrize(
    "fault", ["fail-stacks=Bucket", "fail-stacks=StsRole", "fail-deletes=Bucket+StsRole"]
)
def test_stacks_that_fail(ground: Ground, fault: str):
    before = ground.everything()
    ground.rehearse(f"seed=1,{fault}")
    ended = ground.stslab("run", "--yes")
    if fault.startswith("fail-stacks"):
        assert ended.code == 1, ended.said
        assert "Rehearsed: it could not be created." in ended.said
        cleaned = ground.stslab("cleanup")
        assert cleaned.code == 0, cleaned.said
    else:
        assert ended.code == 0, ended.said
        assert "Rehearsed: it could not be deleted." in ended.said
    ground.rehearse(None)
    assert difference(before, ground.everything()) == []


@pytest.mark.parametrize("spec", ["keys=2s,roles=2s", "policies=2s,users=1s,slow-stacks=1s"])
def test_what_spreads_slowly_is_waited_for(ground: Ground, spec: str):
    ground.rehearse(f"seed=1,{spec}")
    ended = ground.stslab("run", "--yes")
    ground.rehearse(None)
    assert ended.code == 0, ended.said
    assert "try " in ended.said
