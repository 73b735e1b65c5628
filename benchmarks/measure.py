"""Measuring two things in turn, and saying on which machine.

Absolute times drift with the machine; a ratio of medians from runs that alternate
does not. So a row always has something that it is compared with.
"""

import math
import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table: ``ours`` and ``theirs`` are medians in ``unit``."""

    what: str
    against: str
    unit: str
    ours: float
    theirs: float
    aim: str = ""
    holds: bool | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else float("nan")

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "ratio": round(self.ratio, 4)}


def at_most(row: Row, limit: float) -> Row:
    """The row with its aim: ours costs at most ``limit`` times theirs."""
    return _judged(row, f"at most {limit:g} times", row.ratio <= limit)


def at_least(row: Row, limit: float) -> Row:
    """The row with its aim: ours gives at least ``limit`` times theirs."""
    return _judged(row, f"at least {limit:g} times", row.ratio >= limit)


def _judged(row: Row, aim: str, holds: bool) -> Row:
    return Row(row.what, row.against, row.unit, row.ours, row.theirs, aim, holds, row.note)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call of ``work`` takes, in seconds of ``clock``."""
    start = clock()
    work()
    return clock() - start


def processor_clock() -> float:
    """Processor time so far, of this process and of its children that have ended, in seconds."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def in_turn(
    ours: Callable[[], object], theirs: Callable[[], object], *, runs: int = RUNS, warm: int = 1
) -> tuple[float, float]:
    """The median seconds of each, from ``runs`` runs that alternate, after ``warm`` of each."""
    for _ in range(warm):
        ours()
        theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def each_in_turn(
    works: Sequence[Callable[[], object]],
    *,
    runs: int = RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """The median seconds of each of many, which take turns, after one run of each."""
    rounds = [[seconds(work, clock) for work in works] for _ in range(runs + 1)][1:]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """How times grow with sizes: the slope between logarithms. 0 not at all, 1 linear."""
    return statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(max(one, 1e-9)) for one in times]
    ).slope


def process(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Callable[[], object]:
    """A call that runs a whole process, its output thrown away, no terminal on stdin."""

    def run() -> object:
        return subprocess.run(
            [str(a) for a in arguments],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=check,
        )

    return run


def resident_megabytes(pid: int) -> float:
    """The resident memory of a process, in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} has no VmRSS")


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    model = next(iter(_cpu_models()), platform.processor())
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }


def _cpu_models() -> Iterable[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return iter(())
    return (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
