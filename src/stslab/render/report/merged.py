"""The reports of a class in one table: a row for each learner."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from stslab.errors import StslabError, UsageError
from stslab.lesson.questions import DONT_KNOW
from stslab.render.report.html import SIGNS, Html, joined, page, part, section, table
from stslab.render.report.text import result
from stslab.render.text.durations import counted
from stslab.runner.journal.records import Prediction, RunRecord
from stslab.runner.journal.standing import Claim, Concept, Stage
from stslab.runner.report import ReportedFault, verify

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST = 20
_ABOUT = (
    "The learners' own machines made these reports, unsupervised, and the learners gave the names"
    " themselves. The last column says whether each report is unchanged, as far as can be known."
)
_STATES = {"done": "good", "did not hold": "bad", "stopped": "bad"} | dict.fromkeys(
    ("skipped", "not reached"), "open"
)


class Handed(msgspec.Struct):
    """The parts of a report in JSON that a class's table needs."""

    run: RunRecord
    proved: int
    stages: list[Stage]
    claims: list[Claim]
    predictions: list[Concept]
    predicted: list[Prediction]
    hints: int = 0
    fault: ReportedFault | None = None
    learner: str = ""
    masked: bool = False
    as_made: str = ""  # whether the report is unchanged, in words

    @property
    def who(self) -> str:
        """The name the learner gave; else the user and the machine."""
        return self.learner or self.run.person or self.run.id


class Misconception(NamedTuple):
    """A wrong prediction, and how many learners made it."""

    lab: str
    claim: str
    said: str
    times: int


def handed_in(text: str, where: str) -> Handed:
    """Read the report in JSON that a learner handed in; UsageError if it is not one."""
    try:
        report = msgspec.json.decode(text, type=Handed)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        hint = "Merge files that `stslab report --json` printed."
        raise UsageError(f"{where} is not a report of stslab: {error}.", hint) from None
    report.as_made = "unknown: it is masked" if report.masked else _as_made(text)
    return report


def _as_made(text: str) -> str:
    try:
        wrong = [finding.says for finding in verify(text)[1] if not finding.right]
    except StslabError as error:
        return f"no: {error.message}"
    return f"no: {'. '.join(wrong)}" if wrong else "yes"


def as_csv(reports: Sequence[Handed]) -> str:
    """The table as CSV, in which no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = _columns(reports)
    writer.writerow(_harmless(name) for name, _ in columns)
    writer.writerows([_harmless(cell(report)) for _, cell in columns] for report in reports)
    return out.getvalue()


def as_page(reports: Sequence[Handed]) -> str:
    """A page with a table for each lab, and below them the most frequent wrong predictions."""
    proved = sum(one.proved for one in reports)
    claims = sum(len(one.claims) for one in reports)
    as_made = all(one.as_made == "yes" for one in reports)
    verdict = f"{counted(len(reports), 'report')}; {proved} of {claims} claims proved."
    labs = dict.fromkeys(one.run.lab for one in reports)
    wrong = part("paragraph", look="", text="No prediction was wrong, or none was made.")
    if rows := [(each.claim, each.said, each.times, each.lab) for each in misconceptions(reports)]:
        head = ("claim", "said", "by", "lab")
        wrong = table("Predictions before the call was made", head, rows)
    body = (
        *(_of_lab(lab, [one for one in reports if one.run.lab == lab]) for lab in labs),
        section("wrong", "Most frequent wrong predictions", wrong),
    )
    return page("A class", verdict, _ABOUT, joined(body), good=as_made, look="wide")


def _of_lab(lab: str, reports: Sequence[Handed]) -> Html:
    columns = [column for column in _columns(reports) if column[0] != "lab"]

    def shown(cell: str) -> Html | str:
        """A cell; a stage's state gets its sign."""
        state = _STATES.get(cell)
        return part("verdict", state=state, sign=SIGNS[state], text=cell) if state else cell

    rows = (tuple(shown(cell(report)) for _, cell in columns) for report in reports)
    caption = "A row for each learner; the stages, then the predictions by subject"
    return section(f"lab-{lab}", lab, table(caption, (name for name, _ in columns), rows))


def misconceptions(reports: Iterable[Handed]) -> list[Misconception]:
    """The wrong predictions, the most frequent first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for report in reports:
        first = {(one.stage, one.number): one for one in reversed(report.predicted)}
        for wrong in first.values():
            if not wrong.right and wrong.said != DONT_KNOW:
                claims = [claim.says for claim in report.claims if claim.stage == wrong.stage]
                known = 0 <= wrong.number < len(claims)
                named = f"{wrong.stage}, claim {wrong.number + 1}"
                claim = claims[wrong.number] if known else named
                counts[report.run.lab, claim, wrong.said] += 1
    return [Misconception(*key, times) for key, times in counts.most_common(_MOST)]


def _columns(reports: Sequence[Handed]) -> list[tuple[str, Callable[[Handed], str]]]:
    """The names of the columns, and what each shows of a report."""
    stages = dict.fromkeys((each.run.lab, stage.id) for each in reports for stage in each.stages)
    concepts = dict.fromkeys(concept.name for each in reports for concept in each.predictions)
    several = len({lab for lab, _ in stages}) > 1
    return [
        ("learner", lambda report: report.who),
        ("run", lambda report: report.run.id),
        ("lab", lambda report: report.run.lab),
        ("began", lambda report: report.run.started[:16].replace("T", " ")),
        ("proved", lambda report: str(report.proved)),
        ("claims", lambda report: str(len(report.claims))),
        *((f"{lab}: {id_}" if several else id_, partial(_state, lab, id_)) for lab, id_ in stages),
        *((name, partial(_score, name)) for name in concepts),
        ("hints", lambda report: str(report.hints)),
        *([("fault", _fault)] if any(report.fault for report in reports) else []),
        ("as it was made", lambda report: report.as_made),
    ]


def _state(lab: str, stage: str, report: Handed) -> str:
    known = report.stages if report.run.lab == lab else []
    return next((each.state for each in known if each.id == stage), "")


def _score(name: str, report: Handed) -> str:
    scores = (f"{each.right} of {each.of}" for each in report.predictions if each.name == name)
    return next(scores, "")


def _fault(report: Handed) -> str:
    fault = report.fault
    return f"{result(fault) or 'not fixed'} ({fault.asked})" if fault else ""


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
