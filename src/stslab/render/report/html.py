"""HTML pages of the templates in ``page.html``, with text escaped; a run's report as one page."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

import msgspec

from stslab.durations import counted
from stslab.kinds.table import KINDS
from stslab.policy.explain import MARKS, Node, retold
from stslab.render.report import text as words
from stslab.render.text.safe import visible
from stslab.runner.journal.records import Prediction
from stslab.runner.journal.standing import ClaimStanding, ClaimState
from stslab.runner.report import ABOUT, Report
from stslab.vocabulary import ADMIN

SIGNS = {"good": "✔", "bad": "✘", "open": "○"}
Decisions = Mapping[str, Sequence[Mapping[str, object]]]
"""Decisions in the embedded account's log, by request id."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def part(named: str, /, **values: object) -> Html:
    """The part of this name; values that are not HTML are escaped."""
    shown = {
        key: value if isinstance(value, Html) else escape(visible(str(value)))
        for key, value in values.items()
    }
    return Html(_parts()[named].substitute(shown).rstrip("\n"))


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def table(caption: str, head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Html:
    """A table; the first cell of each row is its heading. Nothing if there are no rows."""
    body = joined(
        part("row", first=first, cells=joined(part("cell", text=text) for text in rest))
        for first, *rest in rows
    )
    names = joined(part("head", text=text) for text in head)
    return part("table", caption=caption, head=names, rows=body) if body else body


def section(id_: str, title: str, body: Html) -> Html:
    """A heading and its body; nothing if the body is empty."""
    return part("section", id=id_, title=title, body=body) if body else body


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Labels and values; nothing if there are none."""
    rows = joined(part("fact", label=label, value=value) for label, value in pairs)
    return part("facts", rows=rows) if rows else rows


def paragraph(text: str, look: str = "") -> Html:
    return part("paragraph", look=look, text=text)


def page(title: str, verdict: str, about: str, body: Html, *, good: bool, look: str = "") -> str:
    """The whole page; ``look`` may be wide."""
    look_of = {"state": "good" if good else "", "look": look}
    return part("page", title=title, verdict=verdict, about=about, body=body, **look_of) + "\n"


@cache
def _parts() -> Mapping[str, Template]:
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    _, *pieces = re.split(r"<!-- part (\w+) -->\n", text)
    return dict(zip(pieces[::2], map(Template, pieces[1::2]), strict=True))


# -- the report of a run --------------------------------------------------------------------------


def page_of(report: Report, decisions: Decisions) -> str:
    """The page; a check's decisions are shown if ``decisions`` has its request."""
    items = [
        part("nav_item", id=f"stage-{each.id}", number=number, title=each.title,
             state=words.came_of(each))
        for number, each in enumerate(words.stages_of(report), 1)
    ]  # fmt: skip
    calls = table("In the order in which they were made", words.CALLS, words.calls_of(report))
    undone = [table("Newest first", words.UNDONE, words.undone_of(report))]
    undone += [paragraph(f"Not undone: {thing}") for thing in report.remaining]
    body = [
        facts(words.about_run(report)),
        section("fault", words.FAULT, facts(words.about_fault(report))),
        section("predicted", "What was predicted", _predicted(report)),
        section("matrix", "Who could do what, as it was proved", _matrix(report)),
        section("stages", "Stage by stage", part("nav", items=joined(items)) if items else Html()),
        *_stages(report, decisions),
        section("calls", "The calls of the steps, and what they changed", calls),
        section("undone", "What was undone", joined(filter(None, undone))),
    ]
    told, good = words.verdict(report), words.is_good(report)
    return page(report.run.title, told, ABOUT, joined(filter(None, body)), good=good)


def _predicted(report: Report) -> Html:
    if not report.predicted:
        return Html()
    right = sum(each.right for each in report.predicted)
    text = paragraph(f"{right} of {counted(len(report.predicted), 'prediction')} right.")
    rows = ((each.name, f"{each.right} of {each.of}") for each in report.predictions)
    return joined([text, table("By the subject of the question", ("about", "right"), rows)])


def _matrix(report: Report) -> Html:
    """A row for each caller and call, a column for each stage with checks on them."""
    # Calls that admin may make are left out: admin may do everything.
    claims = (claim for claim in report.standing.claims if claim.identity != ADMIN or claim.gates)
    tried = [claim for claim in claims if claim.proved and claim.call]
    stages = [each for each in report.standing.stages if any(c.stage == each.id for c in tried)]
    rows = sorted({(claim.identity, claim.call) for claim in tried})
    head = ("who calls what", *(stage.title for stage in stages))
    caption = "Each cell has the answers to that call in that stage"

    def cell(*key: str) -> Html:
        own = (each for each in tried if (each.identity, each.call, each.stage) == key)
        return joined(dict.fromkeys(map(_answer, own)))

    cells = ((f"{who}: {call}", *(cell(who, call, one.id) for one in stages)) for who, call in rows)
    return table(caption, head, cells)


def _answer(claim: ClaimStanding) -> Html:
    by = f" by the {' and the '.join(claim.gates)}" if claim.gates else ""
    state = "good" if claim.verdict is ClaimState.ALLOWED else "bad"
    return part("verdict", state=state, sign=SIGNS[state], text=f"{claim.verdict}{by}")


def _stages(report: Report, decisions: Decisions) -> Iterator[Html]:
    made, so_far = boxes(report), tuple[Box, ...]()
    predicted = {(each.stage, each.number): each for each in report.predicted}
    cleanup = {stage.id for stage in report.run.outline if stage.cleanup}
    for stage in words.stages_of(report):
        so_far += tuple(box for box in made if box.stage == stage.id)
        gone = stage.id in cleanup and report.clean
        lines = (f"{stage.id}: {words.came_of(stage)}", *words.attempts(stage))
        body = [paragraph(line, "dim") for line in lines]
        if so_far and stage.attempts:
            body.append(picture(so_far, stage.id, gone=gone))
        claims = [
            _claim(claim, predicted.get((stage.id, number)), decisions)
            for number, claim in enumerate(words.claims_of(report.standing, stage))
        ]
        body += [part("claims", items=joined(claims))] if claims else []
        yield section(f"stage-{stage.id}", stage.title, joined(body))


def _claim(claim: ClaimStanding, predicted: Prediction | None, decisions: Decisions) -> Html:
    state = "good" if claim.proved else "open" if claim.verdict in words.OPEN else "bad"
    more = []
    if predicted:
        right = "right" if predicted.right else "wrong"
        more.append(paragraph(f"Predicted: {predicted.said} ({right})"))
    if claim.tries and claim.call:
        more.append(part("code", text=words.asked(claim)))
    if claim.proof:
        more.append(paragraph(claim.proof, "dim"))
    for root in map(retold, decisions.get(claim.request_id, ())):
        gates = joined(_node(child, root.good) for child in root.children)
        more.append(part("decision", reason=root.text, gates=gates))
    texts = {"says": claim.says, "mark": words.mark(claim), "more": joined(more)}
    return part("claim", state=state, sign=SIGNS[state], **texts)


def _node(node: Node, outcome: bool | None) -> Html:
    """A gate, policy, statement or condition. The deepest one that decided is marked.

    ``outcome`` is None below a gate that did not decide.
    """
    outcome = outcome if node.good in (outcome, None) else None
    decided = outcome is not None and node.good is outcome and not _decides(node, outcome)
    items = joined(_node(child, outcome) for child in node.children)
    return part(
        "node",
        text=f"{MARKS[node.good]} {node.text}",
        look="decides" if decided else "",
        tag=part("tag") if decided else Html(),
        below=part("nodes", items=items) if node.children else Html(),
    )


def _decides(node: Node, outcome: bool) -> bool:
    return any(child.good is outcome or _decides(child, outcome) for child in node.children)


# -- the picture of the things that a run made ---------------------------------------------------

_LINKS = Path(__file__).with_name("picture.txt").read_text(encoding="utf-8").splitlines()
"""The kinds of things, and the calls that start a session, in the order of the picture."""
_LINK: Mapping[str, int] = {kind: at for at, kinds in enumerate(_LINKS) for kind in kinds.split()}


class Box(msgspec.Struct, frozen=True):
    """A thing that a run made: its place in the picture, and the stage that first made it."""

    link: int
    what: str
    name: str
    stage: str


def boxes(report: Report) -> tuple[Box, ...]:
    """The things in the picture, each once."""
    made = dict[tuple[str, str], Box]()
    for call in (each for each in report.calls if each.outcome == "done"):
        if call.profile and call.call in _LINK:
            box = Box(_LINK[call.call], "session", call.profile, call.stage)
            made.setdefault((box.what, box.name), box)
        for thing in (each for each in call.made if each.kind in _LINK):
            what = KINDS[thing.kind].noun
            name = KINDS[thing.kind].label(thing.names)[len(what) + 1 :]
            what += f" ({thing.admin})" if thing.admin != ADMIN else ""
            made.setdefault((what, name), Box(_LINK[thing.kind], what, name, call.stage))
    return tuple(made.values())


def picture(so_far: tuple[Box, ...], stage: str, *, gone: bool) -> Html:
    """The picture, with the things of ``stage`` marked as new; ``gone``: all were undone."""

    def drawn(box: Box) -> Html:
        state = "undone" if gone else "new" if box.stage == stage else ""
        return part("box", state=state, what=box.what, name=box.name)

    links = groupby(sorted(so_far, key=lambda box: box.link), lambda box: box.link)
    items = joined(part("link", boxes=joined(map(drawn, link))) for _, link in links)
    return part("chain", label="The chain, undone" if gone else "The chain so far", links=items)
