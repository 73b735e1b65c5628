"""Draws checks: each claim with its proof, a denial as the expected success that it is."""

from rich.text import Text

from stslab.render.interface import Describe
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import one_line, value_text
from stslab.runner.events import CallShown, CheckFinished, CheckStarted

_PROOF = 4
_LONGEST_PROOF_LINES = 12
_REFUSALS = {"Denied": "denied", "Unauthorized": "denied", "NoSuch": "gone", "NotFound": "gone"}


def checkpoint(paper: Paper, stage: str) -> None:
    """The heading above a stage's claims."""
    paper.blank()
    paper.put(Text("Checkpoint", style="bold").append(f"  {stage}", style="not bold dim"))


def check_started(paper: Paper, event: CheckStarted) -> None:
    """On a terminal the claim stands there while it is being proved."""
    if paper.over:
        said = f"  {paper.symbols.waiting} {one_line(event.says)}"
        paper.wait.show(event.says, Text(said, style="dim"), 0.0)


def check_planned(paper: Paper, event: CheckStarted, describe: Describe) -> None:
    """In a dry run: the claim that would be proved, and how it would be asked."""
    aside = f"as {event.call.identity}" if event.call else ""
    paper.line(paper.symbols.pending, "dim", event.says, indent=2, aside=aside)
    if event.call:
        paper.command(describe(event.call), indent=_PROOF)


def check_finished(
    paper: Paper, event: CheckFinished, call: CallShown | None, describe: Describe
) -> None:
    """The claim, whether it holds, how it was asked, and what answered."""
    paper.wait.ended()
    if event.void or event.held_at:
        paper.line(paper.symbols.pending, "dim", event.says, indent=2)
        paper.prose(_no_verdict(event), indent=_PROOF)
        return
    _verdict(paper, event, f"as {call.identity}" if call else "")
    if call:
        paper.command(describe(call), indent=_PROOF)
    _proof(paper, event)
    if event.held and event.because:
        paper.prose(event.because, indent=_PROOF, style="dim")
    if not event.held:
        _what_now(paper, event)


def _no_verdict(event: CheckFinished) -> str:
    """Why a claim neither holds nor fails."""
    if event.void:
        return f"{event.proof}: not counted"
    return f"It held at {event.held_at[:19]}; the stage {event.changed_by} has changed that since."


def _verdict(paper: Paper, event: CheckFinished, aside: str) -> None:
    if event.held:
        paper.line(paper.symbols.done, "green", event.says, indent=2, aside=aside)
    else:
        paper.line(paper.symbols.failed, "red", event.says, indent=2, aside=aside)


def _proof(paper: Paper, event: CheckFinished) -> None:
    if event.held and event.denied:
        by = f", by the {' and the '.join(event.gates)}" if event.gates else ""
        paper.prose(f"{_refusal(event.code)}: {event.code}{by}", indent=_PROOF, style="green")
        paper.prose(event.proof, indent=_PROOF)
        return
    lines = value_text(event.proof).split("\n") if event.proof else []
    for line in lines[:_LONGEST_PROOF_LINES]:
        paper.prose(line, indent=_PROOF)
    if len(lines) > _LONGEST_PROOF_LINES:
        paper.prose(f"(and {len(lines) - _LONGEST_PROOF_LINES} lines more)", indent=_PROOF)


def _refusal(code: str) -> str:
    """What an expected error code means for the claim."""
    for part, meaning in _REFUSALS.items():
        if part in code:
            return f"{meaning}, as it should be"
    return "refused, as it should be"


def _what_now(paper: Paper, event: CheckFinished) -> None:
    paper.prose(event.why or "It does not hold.", indent=_PROOF, style="red")
    if event.code:
        paper.explanation(event.request_id, indent=_PROOF)
