"""A run's report as one self-contained page: for screen and paper, eyes and ears."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from stslab.kinds.table import KINDS
from stslab.policy.explain import Node, retold
from stslab.render.report.parts import SIGNS, Html, facts, joined, page, part, section, table
from stslab.render.report.text import (
    CALLS,
    FAULT,
    UNDONE,
    about_fault,
    about_run,
    asked,
    attempts,
    calls_of,
    came_of,
    mark,
    undone_of,
    verdict,
)
from stslab.render.text.durations import counted
from stslab.runner.journal.records import Prediction
from stslab.runner.journal.standing import Claim, Stage, Verdict
from stslab.runner.ports import ADMIN
from stslab.runner.report import ABOUT, Report

Decision = Mapping[str, object]
Decisions = Mapping[str, Sequence[Decision]]
"""What the embedded account's log has of a request, by its id."""

_OPEN = (Verdict.NOT_TRIED, Verdict.NEVER_MADE)


def page_of(report: Report, decisions: Decisions) -> str:
    """The page; ``decisions`` are shown where a claim's request is among them."""
    stands = report.standing
    good = report.clean and stands.proved == len(stands.claims)
    items = (
        part("nav_item", id=f"stage-{one.id}", number=number, title=one.title, state=came_of(one))
        for number, one in enumerate(stands.stages, 1)
    )
    made = table("In the order in which they were made", CALLS, calls_of(report))
    calls = made if report.calls else Html()
    done = table("Last made first", UNDONE, undone_of(report)) if report.removed else Html()
    left = (part("paragraph", look="", text=f"Not undone: {one}") for one in report.remaining)
    body = [
        facts(about_run(report)),
        section("fault", FAULT, facts(about_fault(report)) if report.fault else Html()),
        section("predicted", "What was predicted", _predicted(report)),
        section("matrix", "Who could do what, as it was proved", _matrix(report)),
        section("stages", "Stage by stage", part("nav", items=joined(items))),
        *_stages(report, decisions),
        section("calls", "The calls of the steps, and what they changed", calls),
        section("undone", "What was undone", joined(filter(None, (done, *left)))),
    ]
    return page(report.run.title, verdict(report), ABOUT, joined(filter(None, body)), good=good)


def _predicted(report: Report) -> Html:
    if not report.predicted:
        return Html()
    right = sum(one.right for one in report.predicted)
    says = f"{right} of {counted(len(report.predicted), 'prediction')} right, "
    told = part("paragraph", look="", text=f"{says}{counted(report.hints, 'hint')} taken.")
    rows = ((one.name, f"{one.right} of {one.of}") for one in report.predictions)
    return joined([told, table("By what the question was about", ("about", "right"), rows)])


def _matrix(report: Report) -> Html:
    """A row for each call and its caller, a column for each stage with claims about them."""
    # What somebody may do: admin may do everything.
    telling = (one for one in report.standing.claims if one.identity != ADMIN or one.gates)
    tried = [one for one in telling if one.proved and one.call]
    stages = [one for one in report.standing.stages if any(c.stage == one.id for c in tried)]
    rows = sorted({(one.identity, one.call) for one in tried})
    head = ("who calls what", *(one.title for one in stages))
    caption = "Each cell is a call that was really made in that stage"
    cells = (
        (f"{who}: {call}", *(_cell(tried, who, call, stage.id) for stage in stages))
        for who, call in rows
    )
    return table(caption, head, cells) if rows else Html()


def _cell(tried: Iterable[Claim], who: str, call: str, stage: str) -> Html | str:
    found = [one for one in tried if (one.identity, one.call, one.stage) == (who, call, stage)]
    if not found:
        return ""
    allowed = found[-1].verdict is Verdict.ALLOWED
    by = f" by the {' and the '.join(found[-1].gates)}" if found[-1].gates else ""
    state, text = ("good", "allowed") if allowed else ("bad", f"denied{by}")
    return part("verdict", state=state, sign=SIGNS[state], text=text)


def _stages(report: Report, decisions: Decisions) -> Iterator[Html]:
    made, so_far = boxes(report), tuple[Box, ...]()
    cleanup = {one.id for one in report.run.outline if one.cleanup}
    for stage in report.standing.stages:
        so_far += tuple(one for one in made if one.stage == stage.id)
        gone = stage.id in cleanup and report.clean
        drawn = picture(so_far, stage.id, gone=gone) if so_far and stage.attempts else Html()
        lines = (f"{stage.id}: {came_of(stage)}", *attempts(stage))
        told = (part("paragraph", look="dim", text=one) for one in lines)
        body = [*told, drawn, _claims(report, stage, decisions)]
        yield section(f"stage-{stage.id}", stage.title, joined(filter(None, body)))


def _claims(report: Report, stage: Stage, decisions: Decisions) -> Html:
    said = {(one.stage, one.number): one for one in report.predicted}
    claims = [one for one in report.standing.claims if one.stage == stage.id]
    items = (
        _claim(one, said.get((stage.id, number)), decisions) for number, one in enumerate(claims)
    )
    return part("claims", items=joined(items)) if claims else Html()


def _claim(claim: Claim, said: Prediction | None, decisions: Decisions) -> Html:
    state = "good" if claim.proved else "open" if claim.verdict in _OPEN else "bad"
    more = []
    if said:
        right = "right" if said.right else "not so"
        more.append(part("paragraph", look="", text=f"Predicted: {said.said} ({right})"))
    if claim.tries and claim.call:
        more.append(part("code", text=asked(claim)))
    if claim.proof:
        more.append(part("paragraph", look="dim", text=claim.proof))
    for root in map(retold, decisions.get(claim.request_id, ())):
        gates = joined(_node(one, root.good) for one in root.children)
        more.append(part("decision", reason=root.text, gates=gates))
    told = {"says": claim.says, "mark": mark(claim), "more": joined(more)}
    return part("claim", state=state, sign=SIGNS[state], **told)


def _node(node: Node, outcome: bool | None) -> Html:
    """A gate, policy, statement or condition. The deepest that says what was decided is marked.

    ``outcome`` is None below a gate that had no say in it.
    """
    outcome = outcome if node.good in (outcome, None) else None
    decided = outcome is not None and node.good is outcome and not _decides(node, outcome)
    items = joined(_node(one, outcome) for one in node.children)
    return part(
        "node",
        text=f"{_NODE_SIGNS[node.good]} {node.text}",
        look="decides" if decided else "",
        tag=part("tag") if decided else Html(),
        below=part("nodes", items=items) if node.children else Html(),
    )


_NODE_SIGNS = {True: "✔", False: "✘", None: "·"}


def _decides(node: Node, outcome: bool) -> bool:
    """Whether something below says what was decided."""
    return any(one.good is outcome or _decides(one, outcome) for one in node.children)


# -- the chain of what a run made --------------------------------------------------------------

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
"""The kinds of things, and the calls that give a session, in the order of the chain."""
_LINK: Mapping[str, int] = {kind: at for at, kinds in enumerate(_LINKS) for kind in kinds.split()}


class Box(msgspec.Struct, frozen=True):
    """Something that a run made: its place in the chain, and the stage that made it first."""

    link: int
    what: str
    name: str
    stage: str


def boxes(report: Report) -> tuple[Box, ...]:
    """Everything that is part of the chain, each once."""
    found = dict[tuple[str, str], Box]()
    for one in _made(report):
        found.setdefault((one.what, one.name), one)
    return tuple(one for one in found.values() if one.link >= 0)


def _made(report: Report) -> Iterator[Box]:
    for call in (one for one in report.calls if one.outcome == "done"):
        if call.profile and call.call in _LINK:
            yield Box(_LINK[call.call], "session", call.profile, call.stage)
        for thing in call.made:
            what, _, _ = KINDS[thing.kind].what.partition(" {")
            name = KINDS[thing.kind].label(thing.names)[len(what) + 1 :]
            where = f" ({thing.admin})" if thing.admin != ADMIN else ""
            yield Box(_LINK.get(thing.kind, -1), f"{what}{where}", name, call.stage)


def picture(so_far: tuple[Box, ...], stage: str, *, gone: bool) -> Html:
    """The chain, with what is ``stage``'s marked as new; ``gone``: everything was undone."""
    links: dict[int, list[Html]] = {}
    for one in sorted(so_far, key=lambda one: one.link):
        state = "undone" if gone else "new" if one.stage == stage else ""
        box = part("box", state=state, what=one.what, name=one.name)
        links.setdefault(one.link, []).append(box)
    label = "The chain, undone" if gone else "The chain so far"
    items = joined(part("link", boxes=joined(link)) for link in links.values())
    return part("chain", label=label, links=items)
