"""HTML pages of the templates in ``page.html``, with text escaped; a run's report as one page."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template

import msgspec

from stslab.kinds.table import KINDS
from stslab.policy.explain import Node, retold
from stslab.render.report.text import (
    CALLS,
    FAULT,
    OPEN,
    UNDONE,
    about_fault,
    about_run,
    asked,
    attempts,
    calls_of,
    came_of,
    claims_of,
    mark,
    undone_of,
    verdict,
)
from stslab.render.text.durations import counted
from stslab.render.text.safe import visible
from stslab.runner.journal.records import Prediction
from stslab.runner.journal.standing import Claim, Verdict
from stslab.runner.ports import ADMIN
from stslab.runner.report import ABOUT, Report

SIGNS = {"good": "✔", "bad": "✘", "open": "○"}
_NODE_SIGNS = {True: "✔", False: "✘", None: "·"}
_PART = re.compile(r"<!-- part (\w+) -->\n")
Decision = Mapping[str, object]
Decisions = Mapping[str, Sequence[Decision]]
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
    """A table; the first cell of each row is its heading."""
    return part(
        "table",
        caption=caption,
        head=joined(part("head", text=text) for text in head),
        rows=joined(
            part("row", first=first, cells=joined(part("cell", text=text) for text in rest))
            for first, *rest in rows
        ),
    )


def section(id_: str, title: str, body: Html) -> Html:
    """A heading and its body; nothing if the body is empty."""
    return part("section", id=id_, title=title, body=body) if body else Html()


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    rows = joined(part("fact", label=label, value=value) for label, value in pairs)
    return part("facts", rows=rows)


def page(title: str, verdict: str, about: str, body: Html, *, good: bool, look: str = "") -> str:
    """The whole page; ``look`` may be wide."""
    state = "good" if good else ""
    head = {"title": title, "verdict": verdict, "about": about, "state": state, "look": look}
    return part("page", body=body, **head) + "\n"


@cache
def _parts() -> Mapping[str, Template]:
    text = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    _, *pieces = _PART.split(text)
    return dict(zip(pieces[::2], map(Template, pieces[1::2]), strict=True))


# -- the report of a run --------------------------------------------------------------------------


def page_of(report: Report, decisions: Decisions) -> str:
    """The page; a check's decisions are shown if ``decisions`` has its request."""
    stands = report.standing
    good = report.clean and stands.proved == len(stands.claims)
    items = (
        part("nav_item", id=f"stage-{each.id}", number=number, title=each.title,
             state=came_of(each))
        for number, each in enumerate(stands.stages, 1)
    )  # fmt: skip
    made = table("In the order in which they were made", CALLS, calls_of(report))
    calls = made if report.calls else Html()
    undone = [table("Newest first", UNDONE, undone_of(report))] if report.removed else []
    undone += [
        part("paragraph", look="", text=f"Not undone: {thing}") for thing in report.remaining
    ]
    body = [
        facts(about_run(report)),
        section("fault", FAULT, facts(about_fault(report)) if report.fault else Html()),
        section("predicted", "What was predicted", _predicted(report)),
        section("matrix", "Who could do what, as it was proved", _matrix(report)),
        section("stages", "Stage by stage", part("nav", items=joined(items))),
        *_stages(report, decisions),
        section("calls", "The calls of the steps, and what they changed", calls),
        section("undone", "What was undone", joined(undone)),
    ]
    return page(report.run.title, verdict(report), ABOUT, joined(filter(None, body)), good=good)


def _predicted(report: Report) -> Html:
    if not report.predicted:
        return Html()
    right = sum(each.right for each in report.predicted)
    score = f"{right} of {counted(len(report.predicted), 'prediction')} right, "
    text = part("paragraph", look="", text=f"{score}{counted(report.hints, 'hint')} taken.")
    rows = ((each.name, f"{each.right} of {each.of}") for each in report.predictions)
    return joined([text, table("By the subject of the question", ("about", "right"), rows)])


def _matrix(report: Report) -> Html:
    """A row for each caller and call, a column for each stage with checks on them."""
    # Calls that admin may make are left out: admin may do everything.
    claims = (claim for claim in report.standing.claims if claim.identity != ADMIN or claim.gates)
    tried = [claim for claim in claims if claim.proved and claim.call]
    last = {(claim.identity, claim.call, claim.stage): claim for claim in tried}
    stages = [each for each in report.standing.stages if any(c.stage == each.id for c in tried)]
    rows = sorted({(claim.identity, claim.call) for claim in tried})
    head = ("who calls what", *(stage.title for stage in stages))
    caption = "Each cell is a call that was made in that stage"
    cells = (
        (f"{who}: {call}", *(_cell(last.get((who, call, stage.id))) for stage in stages))
        for who, call in rows
    )
    return table(caption, head, cells) if rows else Html()


def _cell(claim: Claim | None) -> Html | str:
    if claim is None:
        return ""
    by = f" by the {' and the '.join(claim.gates)}" if claim.gates else ""
    allowed = claim.verdict is Verdict.ALLOWED
    state, text = ("good", "allowed") if allowed else ("bad", f"denied{by}")
    return part("verdict", state=state, sign=SIGNS[state], text=text)


def _stages(report: Report, decisions: Decisions) -> Iterator[Html]:
    made, so_far = boxes(report), tuple[Box, ...]()
    predicted = {(each.stage, each.number): each for each in report.predicted}
    cleanup = {stage.id for stage in report.run.outline if stage.cleanup}
    for stage in report.standing.stages:
        so_far += tuple(box for box in made if box.stage == stage.id)
        gone = stage.id in cleanup and report.clean
        lines = (f"{stage.id}: {came_of(stage)}", *attempts(stage))
        body = [part("paragraph", look="dim", text=line) for line in lines]
        if so_far and stage.attempts:
            body.append(picture(so_far, stage.id, gone=gone))
        claims = [
            _claim(claim, predicted.get((stage.id, number)), decisions)
            for number, claim in enumerate(claims_of(report.standing, stage))
        ]
        body += [part("claims", items=joined(claims))] if claims else []
        yield section(f"stage-{stage.id}", stage.title, joined(body))


def _claim(claim: Claim, predicted: Prediction | None, decisions: Decisions) -> Html:
    state = "good" if claim.proved else "open" if claim.verdict in OPEN else "bad"
    more = []
    if predicted:
        right = "right" if predicted.right else "wrong"
        more.append(part("paragraph", look="", text=f"Predicted: {predicted.said} ({right})"))
    if claim.tries and claim.call:
        more.append(part("code", text=asked(claim)))
    if claim.proof:
        more.append(part("paragraph", look="dim", text=claim.proof))
    for root in map(retold, decisions.get(claim.request_id, ())):
        gates = joined(_node(child, root.good) for child in root.children)
        more.append(part("decision", reason=root.text, gates=gates))
    texts = {"says": claim.says, "mark": mark(claim), "more": joined(more)}
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
        text=f"{_NODE_SIGNS[node.good]} {node.text}",
        look="decides" if decided else "",
        tag=part("tag") if decided else Html(),
        below=part("nodes", items=items) if node.children else Html(),
    )


def _decides(node: Node, outcome: bool) -> bool:
    """Whether a node below has the outcome."""
    return any(child.good is outcome or _decides(child, outcome) for child in node.children)


# -- the picture of the things that a run made ---------------------------------------------------

_LINKS = (
    "iam.user iam.group iam.oidc_provider iam.saml_provider",
    "iam.access_key",
    "iam.mfa_device",
    "iam.user_policy iam.group_policy iam.user_attachment iam.group_attachment iam.user_boundary",
    "sts.GetSessionToken sts.GetFederationToken",
    "iam.role",
    "iam.role_policy iam.role_attachment iam.role_boundary iam.policy",
    "sts.AssumeRole sts.AssumeRoleWithWebIdentity sts.AssumeRoleWithSAML",
    "s3.bucket",
    "s3.bucket_policy",
    "s3.object",
)
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
    made: list[Box] = []
    for call in (each for each in report.calls if each.outcome == "done"):
        if call.profile and call.call in _LINK:
            made.append(Box(_LINK[call.call], "session", call.profile, call.stage))
        for thing in (each for each in call.made if each.kind in _LINK):
            what = KINDS[thing.kind].noun
            name = KINDS[thing.kind].label(thing.names)[len(what) + 1 :]
            where = f" ({thing.admin})" if thing.admin != ADMIN else ""
            made.append(Box(_LINK[thing.kind], f"{what}{where}", name, call.stage))
    first = dict[tuple[str, str], Box]()
    for box in made:
        first.setdefault((box.what, box.name), box)
    return tuple(first.values())


def picture(so_far: tuple[Box, ...], stage: str, *, gone: bool) -> Html:
    """The picture, with the things of ``stage`` marked as new; ``gone``: all were undone."""
    links: dict[int, list[Html]] = {}
    for box in sorted(so_far, key=lambda box: box.link):
        state = "undone" if gone else "new" if box.stage == stage else ""
        html = part("box", state=state, what=box.what, name=box.name)
        links.setdefault(box.link, []).append(html)
    label = "The chain, undone" if gone else "The chain so far"
    items = joined(part("link", boxes=joined(link)) for link in links.values())
    return part("chain", label=label, links=items)
