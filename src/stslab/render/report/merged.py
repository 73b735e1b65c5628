"""The reports of a class in one table: a row for each learner."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from stslab.durations import counted
from stslab.errors import StslabError, UsageError
from stslab.lesson.questions import DONT_KNOW
from stslab.render.report.html import SIGNS, Html, joined, page, paragraph, part, section, table
from stslab.render.report.text import result
from stslab.runner.journal.records import Prediction, RunRecord
from stslab.runner.journal.standing import Claim, Concept, Stage
from stslab.runner.report import ReportedFault, verify

_ABOUT_RUN = ("learner", "run", "lab", "began", "proved", "claims")
_LAB = _ABOUT_RUN.index("lab")
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


def handed_in(text: str, where: str) -> Handed:
    """Read the report in JSON that a learner handed in; UsageError if it is not one."""
    try:
        report = msgspec.json.decode(text, type=Handed)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        hint = "Merge files that `stslab report --json` printed."
        raise UsageError(f"{where} is not a report of stslab: {error}.", hint) from None
    report.as_made = "unknown: it is masked"
    if not report.masked:
        try:
            wrong = [finding.says for finding in verify(text)[1] if not finding.right]
        except StslabError as error:
            wrong = [error.message]
        report.as_made = f"no: {'. '.join(wrong)}" if wrong else "yes"
    return report


def as_csv(reports: Sequence[Handed]) -> str:
    """The table as CSV, in which no cell is a formula."""
    out = io.StringIO()
    safe = (
        [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row]
        for row in _table(reports)
    )
    csv.writer(out, lineterminator="\n").writerows(safe)
    return out.getvalue()


def as_page(reports: Sequence[Handed]) -> str:
    """A page with a table for each lab, and below them the most frequent wrong predictions."""
    proved = sum(one.proved for one in reports)
    claims = sum(len(one.claims) for one in reports)
    as_made = all(one.as_made == "yes" for one in reports)
    verdict = f"{counted(len(reports), 'report')}; {proved} of {claims} claims proved."
    labs = dict.fromkeys(one.run.lab for one in reports)
    head = ("claim", "said", "by", "lab")
    wrong = table("Predictions before the call was made", head, misconceptions(reports))
    wrong = wrong or paragraph("No prediction was wrong, or none was made.")
    body = (
        *(_of_lab(lab, [one for one in reports if one.run.lab == lab]) for lab in labs),
        section("wrong", "Most frequent wrong predictions", wrong),
    )
    return page("A class", verdict, _ABOUT, joined(body), good=as_made, look="wide")


def _of_lab(lab: str, reports: Sequence[Handed]) -> Html:
    rows = _table(reports)
    for row in rows:
        del row[_LAB]  # it is the heading

    def shown(cell: str) -> Html | str:
        state = _STATES.get(cell)
        return part("verdict", state=state, sign=SIGNS[state], text=cell) if state else cell

    caption = "A row for each learner; the stages, then the predictions by subject"
    cells = (tuple(map(shown, row)) for row in rows[1:])
    return section(f"lab-{lab}", lab, table(caption, rows[0], cells))


def misconceptions(reports: Iterable[Handed]) -> list[tuple[str, str, int, str]]:
    """The wrong predictions, the most frequent first: claim, prediction, how many, lab."""
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
    return [(claim, said, of, lab) for (lab, claim, said), of in counts.most_common(_MOST)]


def _table(reports: Sequence[Handed]) -> list[list[str]]:
    """The names of the columns, then a row for each report."""
    several = len({one.run.lab for one in reports}) > 1
    states, scores = [], []
    for one in reports:
        lab = f"{one.run.lab}: " if several else ""
        states.append({f"{lab}{stage.id}": str(stage.state) for stage in one.stages})
        scores.append({each.name: f"{each.right} of {each.of}" for each in one.predictions})
    stages = dict.fromkeys(name for each in states for name in each)
    concepts = dict.fromkeys(name for each in scores for name in each)
    with_fault = any(one.fault for one in reports)
    fault = ["fault"] if with_fault else []
    rows = [[*_ABOUT_RUN, *stages, *concepts, "hints", *fault, "as it was made"]]
    for one, state, score in zip(reports, states, scores, strict=True):
        who = one.learner or one.run.person or one.run.id
        began = one.run.started[:16].replace("T", " ")
        run = [who, one.run.id, one.run.lab, began, str(one.proved), str(len(one.claims))]
        run += [state.get(name, "") for name in stages]
        run += [score.get(name, "") for name in concepts]
        fault = [_fault(one.fault)] if with_fault else []
        rows.append([*run, str(one.hints), *fault, one.as_made])
    return rows


def _fault(fault: ReportedFault | None) -> str:
    return f"{result(fault) or 'not fixed'} ({fault.asked})" if fault else ""
