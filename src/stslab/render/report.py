"""A run's report: as Markdown to hand in, and on a terminal."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console

from stslab.render.terminal.paper import Paper
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line

if TYPE_CHECKING:
    from stslab.runner.report import ClaimTold, Report

_DENIALS = ("AccessDenied", "AccessDeniedException", "403", "")
_CELL = str.maketrans({"|": "\\|", "<": "&lt;", "`": "'"})


def as_markdown(report: "Report") -> str:
    """The report as a Markdown page."""
    lines = [f"# {report.run.title}", "", _verdict(report), ""]
    lines += _table(("", ""), facts(report))
    for stage, claims in groupby(report.claims, key=lambda claim: (claim.stage, claim.title)):
        lines += ["", f"## {_cell(stage[1])} (`{stage[0]}`{_time(report, stage[0])})", ""]
        lines += _table(("claim", "verdict", "proof", "request"), map(_claim_row, claims))
    lines += ["", "## The calls of the steps, and what they changed", ""]
    lines += _table(
        ("when", "as", "call", "changes", "for", "outcome", "took"),
        (
            (
                one.at,
                one.identity,
                one.call,
                ", ".join(one.changes) or "nothing",
                one.title,
                one.outcome,
                _spoken(one.seconds),
            )
            for one in report.calls
        ),
    )
    lines += ["", "## Taken back", ""]
    removed = ((one.thing, ", ".join(one.calls), one.at) for one in report.removed)
    lines += _table(("thing", "by", "when"), removed)
    lines += [*_left(report), ""]
    return "\n".join(lines)


def show_report(console: Console, report: "Report") -> None:
    """The report, for a person at a terminal."""
    paper = Paper(console)
    paper.prose(report.run.title, style="bold")
    paper.fields(list(facts(report)), indent=2)
    for stage, claims in groupby(report.claims, key=lambda claim: (claim.stage, claim.title)):
        paper.blank()
        paper.prose(f"{stage[1]} ({stage[0]}{_time(report, stage[0])})", style="bold")
        for claim in claims:
            _show_claim(paper, claim)
    paper.blank()
    if report.removed:
        paper.prose(f"Taken back: {counted(len(report.removed), 'thing')}", style="bold")
    for one in report.removed:
        paper.line(paper.symbols.done, "green", one.thing, indent=2)
    for thing in report.remaining:
        paper.line(paper.symbols.failed, "red", f"{thing} is not taken back", indent=2)
    good = report.clean and report.proved == len(report.claims)
    sign = paper.symbols.done if good else paper.symbols.warning
    paper.line(sign, "green" if good else "yellow", _verdict(report))


def facts(report: "Report") -> Iterator[tuple[str, str]]:
    """Who, when and where, as labels and values."""
    run = report.run
    where = f"{run.account} ({run.target}, {run.region})"
    pairs = (
        ("run", run.id),
        ("lab", f"{run.lab}, sha256 {run.sha256[:12]}"),
        ("who", run.person),
        ("caller", run.caller),
        ("account", where),
        ("began", run.started),
        ("ended", run.ended or "not yet"),
        ("took", _spoken(report.seconds)),
        ("state", str(run.state)),
    )
    yield from ((label, value) for label, value in pairs if value)


def _verdict(report: "Report") -> str:
    proved = f"{report.proved} of {counted(len(report.claims), 'claim')} proved"
    if report.clean:
        return f"{proved}; nothing is left in the account."
    if report.run.state == "lost":
        return f"{proved}; the embedded account is gone, and all in it."
    return f"{proved}; {counted(len(report.remaining), 'thing')} not taken back yet."


def _show_claim(paper: Paper, claim: "ClaimTold") -> None:
    held = claim.verdict != "not proved"
    sign = paper.symbols.done if held else paper.symbols.failed
    paper.line(sign, "green" if held else "red", claim.says, indent=2, aside=_mark(claim))
    if claim.proof:
        paper.prose(one_line(claim.proof), indent=4, style="dim")


def _mark(claim: "ClaimTold") -> str:
    """The verdict in words: a refusal that the lab wants is a success."""
    if claim.verdict == "denied":
        answer = "denied" if claim.code in _DENIALS else claim.code
        return f"{answer}, as it should be"
    return "allowed" if claim.verdict == "allowed" else "NOT PROVED"


def _claim_row(claim: "ClaimTold") -> tuple[str, ...]:
    return claim.says, _mark(claim), claim.proof, claim.request_id


def _left(report: "Report") -> list[str]:
    if not report.remaining:
        return []
    return ["", "## Not taken back", "", *(f"- {_cell(thing)}" for thing in report.remaining)]


def _time(report: "Report", stage: str) -> str:
    times = [one.seconds for one in report.stages if one.stage == stage]
    return f", {spoken(times[0])}" if times else ""


def _spoken(seconds: float | None) -> str:
    return "" if seconds is None else spoken(seconds)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [_row(head), _row(tuple("---" for _ in head))]
    lines += [_row(tuple(map(_cell, row))) for row in rows]
    return lines if len(lines) > 2 else ["None."]  # noqa: PLR2004 - the head's own lines


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return one_line(text).translate(_CELL)
