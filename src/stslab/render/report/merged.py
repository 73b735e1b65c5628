"""The reports of a class in one table: a row for each learner."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter

import msgspec

from stslab.durations import counted
from stslab.errors import StslabError, UsageError
from stslab.lesson.questions import DONT_KNOW
from stslab.render.report.html import SIGNS, Html, joined, page, paragraph, part, section, table
from stslab.render.report.text import result
from stslab.runner.journal.records import Prediction, RunRecord
from stslab.runner.journal.standing import ClaimStanding, Concept, StageStanding
from stslab.runner.report import ReportedFault, verify

_ABOUT_RUN = ("learner", "run", "lab", "began", "proved", "claims")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ABOUT = (
    "The learners' own machines made these reports, unsupervised, and the learners gave the names"
    " themselves. The last column says whether each report is unchanged, as far as can be known."
)
_OPEN = dict.fromkeys(("skipped", "not reached"), "open")
_STATES = {"done": "good", "did not hold": "bad", "stopped": "bad", **_OPEN}


class Handed(msgspec.Struct):
    """The parts of a report in JSON that a class's table needs."""

    run: RunRecord
    proved: int
    stages: list[StageStanding]
    claims: list[ClaimStanding]
    predictions: list[Concept]
    predicted: list[Prediction]
    hints: int = 0
    fault: ReportedFault | None = None
    learner: str = ""
    masked: bool = False
    as_made: str = ""  # whether the report is unchanged, and nobody else's, in words

    @property
    def who(self) -> str:
        return self.learner or self.run.person or self.run.id


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


def compared(reports: Iterable[Handed]) -> list[Handed]:
    """The reports; each says who else handed in the same run."""
    known = list(reports)
    for one in known:
        others = {each.who for each in known if each.run.id == one.run.id} - {one.who}
        if others:
            one.as_made += f"; {', '.join(sorted(others))} handed in the same run"
    return known


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
        del row[_ABOUT_RUN.index("lab")]  # it is the heading

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
        for wrong in {(one.stage, one.number): one for one in reversed(report.predicted)}.values():
            if not wrong.right and wrong.said != DONT_KNOW:
                says = (claim.says for claim in report.claims if claim.stage == wrong.stage)
                unknown = f"{wrong.stage}, claim {wrong.number + 1}"
                claim = dict(enumerate(says)).get(wrong.number, unknown)
                counts[report.run.lab, claim, wrong.said] += 1
    return [(claim, said, of, lab) for (lab, claim, said), of in counts.most_common(20)]


def _table(reports: Sequence[Handed]) -> list[list[str]]:
    """The names of the columns, then a row for each report."""
    several = len({one.run.lab for one in reports}) > 1
    rows = [_cells(one, several=several) for one in reports]
    columns = sorted(dict.fromkeys(column for row in rows for column in row), key=itemgetter(0))
    names = [name for _, name in columns]
    return [names, *([row.get(column, "") for column in columns] for row in rows)]


def _cells(one: Handed, *, several: bool) -> dict[tuple[int, str], str]:
    """The cells of a report, by column: the number of its group, and its name."""
    run, fault, lab = one.run, one.fault, f"{one.run.lab}: " if several else ""
    began = run.started[:16].replace("T", " ")
    about = (one.who, run.id, run.lab, began, str(one.proved), str(len(one.claims)))
    found = f"{result(fault) or 'not fixed'} ({fault.asked})" if fault else ""
    return {
        **{(0, name): text for name, text in zip(_ABOUT_RUN, about, strict=True)},
        **{(1, f"{lab}{stage.id}"): str(stage.state) for stage in one.stages},
        **{(2, each.name): f"{each.right} of {each.of}" for each in one.predictions},
        (3, "hints"): str(one.hints),
        **({(4, "fault"): found} if fault else {}),
        (5, "as it was made"): one.as_made,
    }
