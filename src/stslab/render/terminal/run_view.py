"""Draws a run: its title and map, its stages and checks, its cleanup and its end.

Each function that is named as an event's kind draws that event.
"""

from collections.abc import Iterator

from rich.text import Text

from stslab.render.changes import show_changes
from stslab.render.terminal.paper import Paper, RunPaper
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line, value_text, visible
from stslab.runner import events

_TARGETS = {"sandbox": "the embedded account", "aws": "your AWS account"}
_HOW = {(False, False): "Run", (True, False): "Going on with run", (False, True): "Dry run"}


def run_started(paper: RunPaper, event: events.RunStarted) -> None:
    """The lab's title, where its calls go, and the map of its stages."""
    paper.dry = event.dry
    paper.explained = event.target.startswith("sandbox")
    where = _TARGETS.get(event.target, event.target)
    how = _HOW.get((event.resumed, event.dry), "Dry run")
    paper.put(Text(visible(event.title), style="bold"))
    paper.prose(f"{how} {event.run} on {where} ({event.account}, {event.region})", style="dim")
    paper.blank()
    for number, stage in enumerate(event.stages, 1):
        _mapped(paper, number, stage)


def foreseen(paper: Paper, event: events.Foreseen) -> None:
    paper.blank()
    show_changes(paper, event)
    paper.blank()


def stage_started(paper: RunPaper, event: events.StageStarted) -> None:
    """A panel with the stage's introduction, and below it the pages of AWS to read."""
    paper.titles[event.stage] = event.title
    paper.blank()
    title = f"{event.number}/{event.of} {event.title}"
    paper.framed(title, event.intro.strip() or event.title)
    for title, url in event.pages:
        paper.prose(f"Read: {title}", indent=2, style="dim")
        paper.whole(f"  {visible(url)}", style="dim")


def stage_finished(paper: RunPaper, event: events.StageFinished) -> None:
    """Nothing for a stage that holds: its checks have said so. A stage that failed is named."""
    paper.took[paper.titles.get(event.stage, event.stage)] = event.seconds
    if not event.held:
        paper.blank()
        paper.line(paper.symbols.failed, "red", f"The checkpoint of {event.stage} does not hold")


def run_finished(paper: RunPaper, event: events.RunFinished) -> None:
    """The table of what was proved, how long it took, and how many calls it made."""
    paper.blank()
    if event.claims:
        paper.table({"": 0, "What was proved": 1, "Took": 0}, _proofs(paper, event))
        paper.blank()
    paper.prose(
        f"{event.proved} of {counted(len(event.claims), 'claim')} proved, "
        f"{counted(event.calls, 'API call')}, {spoken(event.seconds)}",
        style="bold",
    )
    for words, stages in event.notes:
        paper.prose(f"{words}: {', '.join(stages)}", indent=2)
    if event.left:
        paper.prose(f"Still in the account: {counted(len(event.left), 'thing')}", style="bold")
    for thing, _ in event.left:
        paper.line(paper.symbols.dot, "", thing, indent=2)


def notice(paper: Paper, event: events.Notice) -> None:
    if event.level == "warning":
        paper.line(paper.symbols.warning, "yellow", event.message)
    else:
        paper.prose(event.message)
    if event.hint:
        paper.prose(event.hint, indent=2, lead=paper.symbols.hint)


def _mapped(paper: Paper, number: int, stage: events.StageShown) -> None:
    signs = {"done": (paper.symbols.done, "green"), "current": (paper.symbols.current, "bold")}
    sign, style = signs.get(stage.state, (paper.symbols.pending, "dim"))
    paper.prose(f"{number}. {stage.title}", indent=2, lead=sign, style=style)


_PROVED = {"allowed": "done", "denied": "done", "not proved": "failed", "changed": "failed"}


def _proofs(paper: RunPaper, event: events.RunFinished) -> Iterator[tuple[Text | str, ...]]:
    stage_before = None
    for stage, claim, verdict in event.claims:
        if stage != stage_before:
            took = spoken(paper.took[stage]) if stage in paper.took else ""
            yield "", Text(one_line(stage), style="bold"), took
            stage_before = stage
        known = _PROVED.get(verdict)
        aside = Text() if known else Text(f"  {verdict}", style="dim")
        yield _sign(paper, known), Text(one_line(claim)).append_text(aside), ""


def _sign(paper: Paper, came_of: str | None) -> Text:
    if came_of == "done":
        return Text(paper.symbols.done, "green")
    return Text(paper.symbols.failed, "red") if came_of else Text(paper.symbols.pending, "dim")


_PROOF = 4
_LONGEST_PROOF_LINES = 12
_REFUSALS = {"Denied": "denied", "Unauthorized": "denied", "NoSuch": "gone", "NotFound": "gone"}


def check_started(paper: RunPaper, event: events.CheckStarted) -> None:
    """On a terminal the claim stands there while it is being proved.

    In a dry run: the claim that would be proved, and how it would be asked.
    """
    if event.stage != paper.checked_stage:
        paper.checked_stage = event.stage
        paper.blank()
        paper.put(Text("Checkpoint", style="bold").append(f"  {event.stage}", style="not bold dim"))
    paper.checked_call = event.call
    if paper.dry:
        aside = f"as {event.call.identity}" if event.call else ""
        paper.line(paper.symbols.pending, "dim", event.says, indent=2, aside=aside)
        if event.call:
            paper.command(paper.describe(event.call), indent=_PROOF)
    elif paper.over:
        said = f"  {paper.symbols.waiting} {one_line(event.says)}"
        paper.wait.show(event.says, Text(said, style="dim"), 0.0)


def check_finished(paper: RunPaper, event: events.CheckFinished) -> None:
    """The claim, whether it holds, how it was asked, and what answered."""
    paper.wait.ended()
    if event.void or event.held_at:
        paper.line(paper.symbols.pending, "dim", event.says, indent=2)
        paper.prose(_no_verdict(event), indent=_PROOF)
        return
    call = paper.checked_call
    good = (paper.symbols.done, "green") if event.held else (paper.symbols.failed, "red")
    paper.line(*good, event.says, indent=2, aside=f"as {call.identity}" if call else "")
    if call:
        paper.command(paper.describe(call), indent=_PROOF)
    _proof(paper, event)
    if event.held and event.because:
        paper.prose(event.because, indent=_PROOF, style="dim")
    if not event.held:
        paper.prose(event.why or "It does not hold.", indent=_PROOF, style="red")
        if event.code:
            paper.meaning(event.code, indent=_PROOF)
            paper.explanation(event.request_id, indent=_PROOF)


def _no_verdict(event: events.CheckFinished) -> str:
    """Why a claim neither holds nor fails."""
    if event.void:
        return f"{event.proof}: not counted"
    return f"It held at {event.held_at[:19]}; the stage {event.changed_by} has changed that since."


def _proof(paper: Paper, event: events.CheckFinished) -> None:
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


def undo_started(paper: Paper, event: events.UndoStarted) -> None:
    paper.blank()
    count = counted(len(event.things), "thing")
    paper.prose(f"Cleaning up run {event.run}: {count} to undo, last made first", style="bold")


def undo_finished(paper: Paper, event: events.UndoFinished) -> None:
    paper.wait.ended()
    failed = event.outcome is events.UndoOutcome.FAILED
    sign = paper.symbols.failed if failed else paper.symbols.done
    by = ", ".join(f"{call.service}.{call.operation}" for call in event.calls)
    aside = f"{event.outcome}, by {by}" if by else event.outcome
    paper.line(sign, "red" if failed else "green", event.thing, indent=2, aside=aside)
    if failed and event.detail:
        paper.prose(event.detail, indent=4)


def thing_looked_up(paper: RunPaper, event: events.ThingLookedUp) -> None:
    """What the look for a thing that should be gone has found. Only a leftover is news."""
    paper.looked.append(event)
    if not event.gone:
        paper.line(paper.symbols.failed, "red", f"{event.thing} is still there", indent=2)
        paper.prose(event.proof, indent=4)


def cleanup_finished(paper: RunPaper, event: events.CleanupFinished) -> None:
    """The table of what is gone with the proof of each, or what is left and how to remove it."""
    looked, paper.looked = paper.looked, []
    paper.blank()
    if looked:
        paper.table({"": 0, "Looked for": 3, "Answer": 2}, _looked(paper, looked))
        paper.blank()
    if event.remaining:
        _left(paper, event)
        return
    paper.line(
        paper.symbols.done,
        "green",
        f"Nothing of run {event.run} is left: {counted(len(event.removed), 'thing')} removed, "
        f"{counted(len(looked), 'look-up')}, {spoken(event.seconds)}",
    )


def _looked(paper: Paper, looked: list[events.ThingLookedUp]) -> Iterator[tuple[Text, ...]]:
    for one in looked:
        sign = _sign(paper, "done" if one.gone else "failed")
        yield sign, Text(one_line(one.thing)), Text(one_line(one.proof))


def _left(paper: Paper, event: events.CleanupFinished) -> None:
    count = counted(len(event.remaining), "thing")
    how = " Remove by hand:" if any(command for _, command in event.remaining) else ""
    paper.line(paper.symbols.failed, "red", f"{count} of run {event.run} left.{how}")
    for thing, command in event.remaining:
        paper.prose(thing, indent=2)
        if command:
            paper.command(command, indent=4)
