"""The reports of a class in one table: learners down, stages and concepts across."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from stslab.errors import StslabError, UsageError
from stslab.lesson.questions import DONT_KNOW
from stslab.render.report.parts import SIGNS, Html, joined, page, part, section, table
from stslab.render.report.text import result
from stslab.render.text.durations import counted
from stslab.runner.journal.records import Prediction, RunRecord
from stslab.runner.journal.standing import Claim, Concept, Stage
from stslab.runner.report import FaultTold, verify

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST = 20
_ABOUT = (
    "The learners' own machines made these reports, unsupervised, and the names are what they say"
    " themselves. The last column says whether each is as it was made, as far as that can be known."
)
_STATES = {"done": "good", "did not hold": "bad", "stopped": "bad"} | dict.fromkeys(
    ("skipped", "not reached"), "open"
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
    fault: FaultTold | None = None
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
    """The report in JSON that a learner handed in."""
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
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = _columns(reports)
    writer.writerow(_harmless(name) for name, _ in columns)
    writer.writerows([_harmless(cell(one)) for _, cell in columns] for one in reports)
    return out.getvalue()


def as_page(reports: Sequence[Handed]) -> str:
    """A table for each lab as a page, and below them what was most often predicted and not so."""
    proved = sum(one.proved for one in reports)
    claims = sum(len(one.claims) for one in reports)
    as_made = all(one.as_made == "yes" for one in reports)
    told = f"{counted(len(reports), 'report')}; {proved} of {claims} claims proved."
    labs = dict.fromkeys(one.run.lab for one in reports)
    body = (
        *(_of_lab(lab, [one for one in reports if one.run.lab == lab]) for lab in labs),
        section("wrong", "Most often predicted, and not so", _misconceptions(reports)),
    )
    return page("A class", told, _ABOUT, joined(body), good=as_made, look="wide")


def _of_lab(lab: str, reports: Sequence[Handed]) -> Html:
    columns = [one for one in _columns(reports) if one[0] != "lab"]

    def shown(cell: str) -> Html | str:
        """A cell; how a stage came out with its sign."""
        state = _STATES.get(cell)
        return part("verdict", state=state, sign=SIGNS[state], text=cell) if state else cell

    rows = (tuple(shown(cell(one)) for _, cell in columns) for one in reports)
    caption = "Learners down; stages, and what was predicted about what, across"
    return section(f"lab-{lab}", lab, table(caption, (name for name, _ in columns), rows))


def misconceptions(reports: Iterable[Handed]) -> list[Misconception]:
    """The wrong predictions, the most frequent first."""
    found: Counter[tuple[str, str, str]] = Counter()
    for one in reports:
        for said in one.predicted:
            if not said.right and said.said != DONT_KNOW:
                claims = [each.says for each in one.claims if each.stage == said.stage]
                known = 0 <= said.number < len(claims)
                claim = claims[said.number] if known else f"{said.stage}, claim {said.number + 1}"
                found[one.run.lab, claim, said.said] += 1
    return [Misconception(*key, times) for key, times in found.most_common(_MOST)]


def _misconceptions(reports: Sequence[Handed]) -> Html:
    found = misconceptions(reports)
    if not found:
        return part("paragraph", look="", text="No prediction was wrong, or none was made.")
    rows = ((one.claim, one.said, one.times, one.lab) for one in found)
    return table("What they said before the call was made", ("claim", "said", "by", "lab"), rows)


def _columns(reports: Sequence[Handed]) -> list[tuple[str, Callable[[Handed], str]]]:
    """What there is to tell of each, by its name: a column for each stage of each lab too."""
    stages = dict.fromkeys((one.run.lab, stage.id) for one in reports for stage in one.stages)
    concepts = dict.fromkeys(each.name for one in reports for each in one.predictions)
    several = len({lab for lab, _ in stages}) > 1
    return [
        ("learner", lambda one: one.who),
        ("run", lambda one: one.run.id),
        ("lab", lambda one: one.run.lab),
        ("began", lambda one: one.run.started[:16].replace("T", " ")),
        ("proved", lambda one: str(one.proved)),
        ("claims", lambda one: str(len(one.claims))),
        *((f"{lab}: {id_}" if several else id_, partial(_state, lab, id_)) for lab, id_ in stages),
        *((name, partial(_score, name)) for name in concepts),
        ("hints", lambda one: str(one.hints)),
        *([("fault", _fault)] if any(one.fault for one in reports) else []),
        ("as it was made", lambda one: one.as_made),
    ]


def _state(lab: str, stage: str, report: Handed) -> str:
    known = report.stages if report.run.lab == lab else []
    return next((one.state for one in known if one.id == stage), "")


def _score(name: str, report: Handed) -> str:
    found = (f"{one.right} of {one.of}" for one in report.predictions if one.name == name)
    return next(found, "")


def _fault(report: Handed) -> str:
    told = report.fault
    return f"{result(told) or 'not fixed'} ({told.asked})" if told else ""


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
