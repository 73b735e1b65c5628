"""The reports of a class in one table: learners down, stages and concepts across."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from stslab.errors import StslabError, UsageError
from stslab.render.report.parts import Html, joined, page, part, section, table
from stslab.render.text.durations import counted
from stslab.runner.journal.records import Prediction, RunRecord
from stslab.runner.journal.standing import Claim, Concept, Stage
from stslab.runner.verify import verify

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST = 20
_ABOUT = (
    "The learners' own machines made these reports, unsupervised. The last column says whether"
    " each is as it was made, as far as that can be known."
)


class Handed(msgspec.Struct):
    """What of a report in JSON goes into a class's table. ``as_made``: what is known of that."""

    run: RunRecord
    proved: int
    stages: list[Stage]
    claims: list[Claim]
    predictions: list[Concept]
    predicted: list[Prediction]
    hints: int = 0
    learner: str = ""
    masked: bool = False
    as_made: str = ""

    @property
    def who(self) -> str:
        """Who they say they are; else the user and the machine."""
        return self.learner or self.run.person or self.run.id


class Misconception(NamedTuple):
    """A wrong prediction, and how many made it."""

    lab: str
    claim: str
    said: str
    times: int


def handed_in(text: str, where: str) -> Handed:
    """The report in JSON that a learner handed in.

    Raises:
        UsageError: it is none.
    """
    try:
        found = msgspec.json.decode(text, type=Handed)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        hint = "Merge what `stslab report --json` prints."
        raise UsageError(f"{where} is no report of stslab's: {error}.", hint) from None
    found.as_made = "can't be told: it is masked" if found.masked else _as_made(text)
    return found


def _as_made(text: str) -> str:
    try:
        wrong = [one.says for one in verify(text)[1] if not one.right]
    except StslabError as error:
        return f"no: {error.message}"
    return f"no: {'. '.join(wrong)}" if wrong else "yes"


def as_csv(reports: Sequence[Handed]) -> str:
    """The table as CSV; no cell can be taken for a formula."""
    head, rows = _table(reports)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_harmless, head))
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def as_page(reports: Sequence[Handed]) -> str:
    """The table as a page, and below it what was most often predicted and not so."""
    head, rows = _table(reports)
    proved = sum(one.proved for one in reports)
    claims = sum(len(one.claims) for one in reports)
    as_made = all(one.as_made == "yes" for one in reports)
    told = f"{counted(len(reports), 'report')}; {proved} of {claims} claims proved."
    body = (
        section("class", "Who did what", table("Learners down, stages across", head, rows)),
        section("wrong", "Most often predicted, and not so", _misconceptions(reports)),
    )
    return page("A class", told, _ABOUT, joined(filter(None, body)), good=as_made)


def misconceptions(reports: Iterable[Handed]) -> list[Misconception]:
    """The wrong predictions, the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for one in reports:
        for said in one.predicted:
            if not said.right:
                found[one.run.lab, _claim(one, said), said.said] += 1
    return [Misconception(*key, times) for key, times in found.most_common(_MOST)]


def _claim(report: Handed, said: Prediction) -> str:
    claims = [one.says for one in report.claims if one.stage == said.stage]
    known = 0 <= said.number < len(claims)
    return claims[said.number] if known else f"{said.stage}, claim {said.number + 1}"


def _misconceptions(reports: Sequence[Handed]) -> Html:
    found = misconceptions(reports)
    if not found:
        return part("paragraph", look="", text="No prediction was wrong, or none was made.")
    rows = ((one.claim, one.said, one.times, one.lab) for one in found)
    return table("What they said before the call was made", ("claim", "said", "by", "lab"), rows)


def _table(reports: Sequence[Handed]) -> tuple[list[str], list[tuple[str, ...]]]:
    """A row for each report, with a column for each stage of each lab and for each concept."""
    stages = dict.fromkeys((one.run.lab, stage.id) for one in reports for stage in one.stages)
    concepts = dict.fromkeys(each.name for one in reports for each in one.predictions)
    several = len({lab for lab, _ in stages}) > 1
    names = [f"{lab}: {stage}" if several else stage for lab, stage in stages]
    head = ["learner", "run", "lab", "began", "proved", "claims", *names, *concepts, "hints",
            "as it was made"]  # fmt: skip
    return head, [_row(one, stages, concepts) for one in reports]


def _row(
    report: Handed, stages: Iterable[tuple[str, str]], concepts: Iterable[str]
) -> tuple[str, ...]:
    states = {(report.run.lab, stage.id): stage.state for stage in report.stages}
    scores = {one.name: f"{one.right} of {one.of}" for one in report.predictions}
    return (
        report.who,
        report.run.id,
        report.run.lab,
        report.run.started[:16],
        str(report.proved),
        str(len(report.claims)),
        *(states.get(stage, "") for stage in stages),
        *(scores.get(name, "") for name in concepts),
        str(report.hints),
        report.as_made,
    )


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
