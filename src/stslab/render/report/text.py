"""A run's report as Markdown to hand in, and on a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from stslab.durations import counted, spoken
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import markdown_line, one_line
from stslab.runner.journal.standing import ClaimStanding, ClaimState, StageStanding, Standing
from stslab.runner.report import ABOUT, UNKNOWABLE, Report, ReportedFault, Verified

FAULT = "A fault to find and fix"
OPEN = (ClaimState.NOT_TRIED, ClaimState.NEVER_MADE)
_SHOWN_OF_HASH = 12


def as_markdown(report: Report) -> str:
    title, told = markdown_line(report.run.title), markdown_line(verdict(report))
    lines = [f"# {title}", "", f"**{told}**", "", ABOUT, "", *_table(("", ""), about_run(report))]
    if report.fault:
        lines += ["", f"## {FAULT}", "", *_table(("", ""), about_fault(report))]
    for stage in stages_of(report):
        lines += ["", f"## {markdown_line(stage.title)} (`{stage.id}`: {came_of(stage)})", ""]
        lines += [f"- {markdown_line(attempt)}" for attempt in attempts(stage)] + [""]
        claims = (
            (claim.says, mark(claim), asked(claim), claim.proof, claim.request_id)
            for claim in claims_of(report.standing, stage)
        )
        lines += _table(("claim", "verdict", "asked", "proof", "request"), claims)
    if report.predictions:
        lines += ["", "## Predicted", ""]
        rows = ((each.name, f"{each.right} of {each.of} right") for each in report.predictions)
        lines += _table(("about", "came true"), rows)
    called = "## The calls of the steps, and what they changed"
    lines += ["", called, "", *_table(CALLS, calls_of(report))]
    lines += ["", "## Undone", "", *_table(UNDONE, undone_of(report))]
    if report.remaining:
        lines += ["", "## Not undone", ""]
        lines += [f"- {markdown_line(thing)}" for thing in report.remaining]
    return "\n".join([*lines, ""])


# The headings of the two tables. Below, their rows.
CALLS = ("when", "as", "call", "changes", "for", "outcome", "took")
UNDONE = ("thing", "by", "when")


def calls_of(report: Report) -> Iterator[tuple[str, ...]]:
    for call in report.calls:
        changes = ", ".join(call.changes) or "nothing"
        took = "" if call.seconds is None else spoken(call.seconds)
        yield call.at, call.identity, call.call, changes, call.title, call.outcome, took


def undone_of(report: Report) -> Iterator[tuple[str, ...]]:
    yield from ((each.thing, ", ".join(each.calls), each.at) for each in report.removed)


def show_report(paper: Paper, report: Report) -> None:
    paper.prose(report.run.title, style="bold")
    paper.fields(about_run(report), indent=2)
    if report.fault:
        paper.prose(FAULT, style="bold", apart=True)
        paper.fields(about_fault(report), indent=2)
    for stage in stages_of(report):
        paper.prose(f"{stage.title} ({stage.id}: {came_of(stage)})", style="bold", apart=True)
        for attempt in attempts(stage):
            paper.prose(attempt, indent=2, style="dim")
        for claim in claims_of(report.standing, stage):
            _show_claim(paper, claim)
    paper.blank()
    if report.predictions:
        paper.prose("Predicted", style="bold")
    for concept in report.predictions:
        paper.prose(f"{concept.name}: {concept.right} of {concept.of} right", indent=2)
    if report.removed:
        paper.prose(f"Undone: {counted(len(report.removed), 'thing')}", style="bold")
    for removed in report.removed:
        paper.line("done", removed.thing, indent=2)
    for thing in report.remaining:
        paper.line("failed", f"{thing} is not undone", indent=2)
    paper.line("done" if is_good(report) else "warning", verdict(report))
    paper.prose(ABOUT, style="dim")


def show_verified(paper: Paper, report: Report | None, findings: Sequence[Verified]) -> None:
    if report:
        paper.prose(report.run.title, style="bold")
        paper.fields(about_run(report), indent=2)
        paper.prose(verdict(report), indent=2)
        paper.blank()
    paper.prose("What can be known", style="bold")
    for finding in findings:
        paper.line("done" if finding.right else "failed", finding.says, indent=2)
    paper.prose("What can't be known", style="bold")
    for unknown in UNKNOWABLE:
        paper.line("dot", unknown, indent=2)


def verdict(report: Report) -> str:
    """The whole run in a sentence."""
    left = f"{counted(len(report.remaining), 'thing')} not undone yet"
    if report.clean:
        left = "nothing is left in the account"
    elif report.run.state == "lost":
        left = "the embedded account is gone with everything in it"
    fault = report.fault and f"The fault is {'' if report.fault.fixed else 'not '}fixed"
    return f"{fault or report.standing.summary}; {left}."


def is_good(report: Report) -> bool:
    """Whether everything was proved, or the fault fixed, and nothing is left."""
    stands = report.standing
    done = report.fault.fixed if report.fault else stands.proved == len(stands.claims)
    return report.clean and done


def stages_of(report: Report) -> Sequence[StageStanding]:
    """The stages that the learner went through: those that set up a fault are not theirs."""
    return () if report.fault else report.standing.stages


def about_run(report: Report) -> list[tuple[str, str]]:
    """Who, when and where, as labels and values."""
    run = report.run
    pairs = (
        ("run", run.id),
        ("lab", f"{run.lab}, sha256 {run.sha256[:_SHOWN_OF_HASH]} with its included files"),
        ("learner", f"{report.learner} (self-reported)" if report.learner else ""),
        ("who", run.person),
        ("caller", run.caller),
        ("account", f"{run.account} ({run.target}, {run.region})"),
        ("began", run.started),
        ("ended", run.ended or "not yet"),
        ("took", "" if report.seconds is None else spoken(report.seconds)),
        ("state", str(run.state)),
        ("hints", str(report.hints) if report.hints and not report.fault else ""),
        ("records", f"{len(report.links)}, the last one sealed {report.links[-1].seal}"),
    )
    return [pair for pair in pairs if pair[1]]


def about_fault(report: Report) -> list[tuple[str, str]]:
    """The planted fault as labels and values; nothing if there was none."""
    fault = report.fault
    if fault is None:
        return []
    pairs = (
        ("by", f"stslab break {report.run.lab} {fault.asked}"),
        ("state", "" if fault.fixed else "not fixed yet; the report names it once it is"),
        ("reported", fault.title),
        ("it was", fault.where),
        ("result", result(fault)),
    )
    return [pair for pair in pairs if pair[1]]


def result(fault: ReportedFault) -> str:
    """A line to share that does not give the fault away; empty until it is fixed."""
    if not fault.fixed:
        return ""
    helps = ((fault.whys, "why"), (fault.hints, "hint"))
    taken = [counted(number, word) for number, word in helps if number]
    taken += ["solve"] if fault.solved else []
    parts = [f"fixed in {spoken(fault.seconds or 0.0)}"]
    parts += [counted(fault.tries, "try", "tries")] if fault.tries else []
    parts += [*(taken or ["no help"]), "opened too much" if fault.opened else "clean"]
    return ", ".join(parts)


def claims_of(stands: Standing, stage: StageStanding) -> Sequence[ClaimStanding]:
    return [claim for claim in stands.claims if claim.stage == stage.id]


def came_of(stage: StageStanding) -> str:
    times = [attempt.seconds for attempt in stage.attempts if attempt.seconds is not None]
    return f"{stage.state}, {spoken(times[-1])}" if times else str(stage.state)


def attempts(stage: StageStanding) -> Iterator[str]:
    several = len({attempt.lab for attempt in stage.attempts}) > 1
    for number, attempt in enumerate(stage.attempts, 1):
        lab = f", lab {attempt.lab[:_SHOWN_OF_HASH]}" if several else ""
        yield f"attempt {number}, {attempt.at}, {attempt.how}: {attempt.outcome}{lab}"


def _show_claim(paper: Paper, claim: ClaimStanding) -> None:
    sign = "done" if claim.proved else "pending" if claim.verdict in OPEN else "failed"
    paper.line(sign, claim.says, indent=2, aside=mark(claim))
    how = asked(claim) if claim.tries else ""
    for detail in filter(None, (how, one_line(claim.proof))):
        paper.prose(detail, indent=4, style="dim")


_MARKS = {
    "not proved": "NOT PROVED",
    "never made": "not counted",
    "changed": "NOT THE LAB'S OWN CLAIM",
}
_DENIALS = ("AccessDenied", "AccessDeniedException", "403", "")


def mark(claim: ClaimStanding) -> str:
    """The verdict in words. A refusal that the lab wants is a success."""
    if claim.verdict == "allowed" and ".Simulate" in claim.call:
        words = "proved"  # the simulation was allowed; what it simulated may well be denied
    elif claim.verdict != "denied":
        words = _MARKS.get(claim.verdict, str(claim.verdict))
    else:
        answer = "denied" if claim.code in _DENIALS else claim.code
        by = f" by the {' and the '.join(claim.gates)}" if claim.gates else ""
        unknown = "; AWS did not say which gate" if claim.by and not claim.gates else ""
        words = f"{answer}{by}, as it should be{unknown}"
    return f"{words} (tried {claim.tries} times)" if claim.tries > 1 else words


def asked(claim: ClaimStanding) -> str:
    return f"{claim.call} as {claim.identity}" if claim.call else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    told = [list(map(markdown_line, row)) for row in rows]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *told)]
    return lines if told else ["None."]
