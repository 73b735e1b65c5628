"""What can be known of a report that somebody hands in, and what can't."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import MsgspecError, convert
from msgspec.json import decode, encode
from msgspec.structs import replace

from stslab.errors import StslabError, UsageError
from stslab.runner.journal.chain import Link, first_broken
from stslab.runner.journal.past import Past
from stslab.runner.report import Report, told

UNKNOWABLE = (
    "who sat at the machine, and whether they worked alone",
    "whether somebody wrote all the records anew, with their seals: no seal needs a secret",
    "whether records at the end were left out",
    "whether the machine's clock was right, and the account the one that it says",
)
"""What no report of a machine of somebody else's can show."""

_HOW = "Hand in what `stslab report RUN --json` prints: it carries the run's records."
# Told by the stslab that made the report, or by the learner, not by the run.
_OF_STSLAB = ("stslab", "report", "learner")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: whether it is as it should be, in a sentence."""

    right: bool
    says: str


def verify(text: str) -> tuple[Report | None, tuple[Finding, ...]]:
    """What the report in JSON says by its records, and what was found.

    There is no report where the chain is broken.

    Raises:
        UsageError: it is no report in JSON.
    """
    handed_in = _parsed(text)
    run = str(handed_in["run"].get("id"))
    links = _links(handed_in["records"])
    broken = first_broken(run, links)
    if broken is not None:
        says = f"Record {broken} of {len(links)} is not as it was written, or one before it is gone"
        return None, (Finding(right=False, says=says),)
    whole = Finding(right=True, says=f"The chain of its {len(links)} records is whole")
    try:
        report = replace(
            told(Past.of(run, links), links), learner=str(handed_in.get("learner", ""))
        )
    except (ValueError, LookupError, MsgspecError, StslabError) as error:
        return None, (whole, Finding(right=False, says=f"Its records tell of no run: {error}"))
    return report, (whole, *_compared(handed_in, report))


def _compared(handed_in: Mapping[str, Any], report: Report) -> Iterator[Finding]:
    """Whether the report says what its own records say."""
    ours = decode(encode(report.as_dict()))
    names = [name for name in ours if name not in _OF_STSLAB and ours[name] != handed_in.get(name)]
    more = [name for name in handed_in if name not in ours]
    if names or more:
        yield Finding(
            right=False, says=f"It says otherwise than them of: {', '.join(names + more)}"
        )
    else:
        yield Finding(right=True, says="All that it says follows from them")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("This is no report in JSON: it can't be verified.", _HOW) from None
    if isinstance(found, dict) and found.get("masked"):
        raise UsageError("This report is masked, without its records: it can't be verified.", _HOW)
    wanted = {"run": dict, "records": list}
    if not isinstance(found, dict) or any(
        not isinstance(found.get(name), kind) for name, kind in wanted.items()
    ):
        raise UsageError("This is no report of stslab's: it can't be verified.", _HOW)
    return found


def _links(records: list[Any]) -> tuple[Link, ...]:
    try:
        rows = [[one[name] for name in Link._fields] for one in records]
        return convert(rows, tuple[Link, ...])
    except (LookupError, TypeError, MsgspecError):
        raise UsageError("Its records are none of stslab's journal.", _HOW) from None
