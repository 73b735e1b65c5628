"""`make bench`: measure everything that should be fast, print the table, write it as JSON.

Exits non-zero only when something could not be measured.
"""

import argparse
import datetime as dt
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

from benchmarks.measure import Row, machine

GROUPS = ("startup", "walkthrough", "sandbox", "policy", "growth", "persistence")


def main() -> int:
    """Measure the groups named, or all of them."""
    options = _options()
    # An installed stslab has its bytecode; every measured process must have it too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    rows: list[Row] = []
    failed: list[str] = []
    for group in options.group or GROUPS:
        print(f"measuring: {group} ...", file=sys.stderr, flush=True)
        try:
            rows += importlib.import_module(f"benchmarks.{group}").rows(options.runs)
        except Exception:  # noqa: BLE001 - the others are still worth measuring
            traceback.print_exc()
            failed.append(group)
    report = {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "runs": options.runs,
        "rows": [row.as_dict() for row in rows],
        "not measured": failed,
    }
    print(table(report, rows))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten to {options.json}", file=sys.stderr)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="*", choices=[[], *GROUPS], help="which groups (all)")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each (5)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/bench.json"))
    return parser.parse_args()


def table(report: dict[str, object], rows: list[Row]) -> str:
    """The rows as a Markdown table, under a line about the machine."""
    where = ", ".join(f"{key} {value}" for key, value in dict(report["machine"]).items())  # type: ignore[call-overload]
    lines = [
        f"{report['date']}; {where}; medians of {report['runs']} runs",
        "",
        "| what | ours | against | theirs | ratio | aim | |",
        "| --- | ---: | --- | ---: | ---: | --- | --- |",
    ]
    marks = {True: "holds", False: "misses", None: ""}
    lines += [
        f"| {row.what} | {_figure(row.ours)} {row.unit} | {row.against} "
        f"| {_figure(row.theirs)} {row.unit} | {row.ratio:.2f} | {row.aim} | {marks[row.holds]} |"
        for row in rows
    ]
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, "", *notes]) if notes else "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
