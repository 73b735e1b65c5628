"""Draw a run's events on a terminal of any width, or in a pipe.

Each function draws the events whose kind is its name.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from stslab.render.lab import show_changes
from stslab.render.terminal.console import draws_over
from stslab.render.terminal.paper import Paper, RunPaper
from stslab.render.text.durations import counted, spoken
from stslab.render.text.safe import one_line, value_text, visible
from stslab.runner import events
from stslab.runner.events import Describe, Event

_RESULT = 4
_CLOCK = len("00:00:00 ")
_NO_NEWS = "Initiated"
_TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d")


def step_started(paper: RunPaper, event: events.StepStarted) -> None:
    """The step's title, its identity, and the command that does the same by hand."""
    paper.blank()
    number = f"{event.number}/{event.of}"
    paper.line(number, event.title, aside=f"as {event.call.identity}", style="bold blue")
    paper.checked_stage = ""
    paper.command(paper.describe(event.call))
    if event.why:
        paper.prose(event.why, indent=_RESULT, style="dim")


def step_skipped(paper: Paper, event: events.StepSkipped) -> None:
    paper.line("done", event.title, aside="done before", style="dim")


def step_adopted(paper: Paper, event: events.StepAdopted) -> None:
    paper.line("done", event.title, aside="done by hand")


def step_drifted(paper: RunPaper, event: events.StepDrifted) -> None:
    """A step's work that was changed since: the differences, and how to restore it."""
    paper.blank()
    paper.line("warning", event.what, aside=event.title)
    _differences(paper, event.differences)
    if event.again:
        paper.prose("It will be done again.", indent=2)
    elif event.fix:
        paper.prose("It is left as it is. To restore it:", indent=2)
        for call in event.fix:
            paper.command(paper.describe(call))


def step_differs(paper: Paper, event: events.StepDiffers) -> None:
    """A thing made by hand, and how it differs from what the step makes."""
    paper.line("warning", event.what, aside=event.title)
    _differences(paper, event.differences)


def _differences(paper: Paper, differences: tuple[events.Difference, ...]) -> None:
    for each in differences:
        paper.prose(f"{each.what}, in the lab (-) and in the account (+):", indent=_RESULT)
        for sign, style, texts in (("-", "red", each.wanted), ("+", "green", each.found)):
            for text in texts:
                paper.prose(text, indent=_RESULT, style=style, lead=sign)


def step_finished(paper: Paper, event: events.StepFinished) -> None:
    """How long the step took, and the parts of the answer that the lab shows."""
    paper.wait.ended()
    shown = list(event.shown)
    if event.profile:
        shown.append(("profile", f"{event.profile} (its secrets are in stslab's files only)"))
    paper.line("done", f"done in {spoken(event.seconds)}", indent=2)
    paper.fields(shown, indent=_RESULT)


def step_failed(paper: Paper, event: events.StepFailed) -> None:
    paper.wait.ended()
    operation = f"{event.call.service}:{event.call.operation}"
    paper.line("failed", f"{operation} failed: {event.code}", indent=2)
    paper.prose(event.message, indent=_RESULT)
    paper.meaning(event.code, indent=_RESULT)
    if event.request_id:
        paper.fields([("request id", event.request_id)], indent=_RESULT)
        paper.explanation(event.request_id, indent=_RESULT)


def waiting(paper: Paper, event: events.Waiting) -> None:
    text = (
        f"  {paper.symbols.waiting} {one_line(event.what)}: "
        f"try {event.tries}, {event.elapsed:.0f} s of {event.limit:.0f} s"
    )
    paper.wait.show(event.what, Text(text, style="magenta"), event.elapsed)


def stack_progress(paper: Paper, event: events.StackProgress) -> None:
    status = one_line(event.status)
    style = "red" if "FAILED" in status or "ROLLBACK" in status else "dim"
    what = f"{one_line(event.resource)} ({one_line(event.type).removeprefix('AWS::')})"
    clock = _TIME_OF_DAY.search(event.time)
    lead = clock[0] if clock else one_line(event.time)
    paper.prose(f"{status:<18} {what}", indent=_RESULT, style=style, lead=lead)
    if event.reason and not event.reason.endswith(_NO_NEWS):
        paper.prose(event.reason, indent=_RESULT + _CLOCK, style=style)


_TARGETS = {"sandbox": "the embedded account", "aws": "your AWS account"}
_HOW = {(False, False): "Run", (True, False): "Continuing run", (False, True): "Dry run"}


def run_started(paper: RunPaper, event: events.RunStarted) -> None:
    """The lab's title, the account, and the list of stages."""
    paper.dry = event.dry
    paper.explained = event.target.startswith("sandbox")
    where = _TARGETS.get(event.target, event.target)
    how = _HOW.get((event.resumed, event.dry), "Dry run")
    paper.put(Text(visible(event.title), style="bold"))
    paper.prose(f"{how} {event.run} on {where} ({event.account}, {event.region})", style="dim")
    paper.blank()
    for number, stage in enumerate(event.stages, 1):
        sign = paper.sign(stage.state)
        title = f"{number}. {stage.title}"
        paper.prose(title, indent=2, lead=sign.plain, style=str(sign.style))


def foreseen(paper: Paper, event: events.Foreseen) -> None:
    paper.blank()
    show_changes(paper, event)
    paper.blank()


def stage_started(paper: RunPaper, event: events.StageStarted) -> None:
    """A panel with the stage's introduction, and AWS's pages to read."""
    paper.titles[event.stage] = event.title
    paper.blank()
    title = f"{event.number}/{event.of} {event.title}"
    paper.framed(title, event.intro.strip() or event.title)
    for title, url in event.pages:
        paper.prose(f"Read: {title}", indent=2, style="dim")
        paper.whole(f"  {visible(url)}", style="dim")


def stage_finished(paper: RunPaper, event: events.StageFinished) -> None:
    """Only a stage that failed is named: its checks were drawn already."""
    paper.took[paper.titles.get(event.stage, event.stage)] = event.seconds
    if not event.held:
        paper.blank()
        paper.line("failed", f"The checkpoint of {event.stage} does not hold")


def run_finished(paper: RunPaper, event: events.RunFinished) -> None:
    """The table of proved checks, the time, and the number of calls."""
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
        paper.line("dot", thing, indent=2)


def notice(paper: Paper, event: events.Notice) -> None:
    if event.level == "warning":
        paper.line("warning", event.message)
    else:
        paper.prose(event.message)
    if event.hint:
        paper.prose(event.hint, indent=2, lead=paper.symbols.hint)


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
        yield paper.sign(known or "pending"), Text(one_line(claim)).append_text(aside), ""


_LONGEST_PROOF_LINES = 12
_REFUSALS = {"Denied": "denied", "Unauthorized": "denied", "NoSuch": "gone", "NotFound": "gone"}


def check_started(paper: RunPaper, event: events.CheckStarted) -> None:
    """The check that is being proved (on a terminal), or would be (in a dry run)."""
    if event.stage != paper.checked_stage:
        paper.checked_stage = event.stage
        paper.blank()
        paper.put(Text("Checkpoint", style="bold").append(f"  {event.stage}", style="not bold dim"))
    paper.checked_call = event.call
    if paper.dry:
        aside = f"as {event.call.identity}" if event.call else ""
        paper.line("pending", event.says, indent=2, aside=aside)
        if event.call:
            paper.command(paper.describe(event.call), indent=_RESULT)
    elif paper.over:
        text = f"  {paper.symbols.waiting} {one_line(event.says)}"
        paper.wait.show(event.says, Text(text, style="dim"), 0.0)


def check_finished(paper: RunPaper, event: events.CheckFinished) -> None:
    """The check, whether it holds, its call and the answer."""
    paper.wait.ended()
    if event.void or event.held_at:  # it neither holds nor fails
        when, by = event.held_at[:19], event.changed_by
        since = f"It held at {when}; stage {by} has changed that since."
        paper.line("pending", event.says, indent=2)
        paper.prose(f"{event.proof}: not counted" if event.void else since, indent=_RESULT)
        return
    call = paper.checked_call
    aside = f"as {call.identity}" if call else ""
    paper.line("done" if event.held else "failed", event.says, indent=2, aside=aside)
    if call:
        paper.command(paper.describe(call), indent=_RESULT)
    _proof(paper, event)
    if event.held and event.because:
        paper.prose(event.because, indent=_RESULT, style="dim")
    if not event.held:
        paper.prose(event.why or "It does not hold.", indent=_RESULT, style="red")
        if event.code:
            paper.meaning(event.code, indent=_RESULT)
            paper.explanation(event.request_id, indent=_RESULT)


def _proof(paper: Paper, event: events.CheckFinished) -> None:
    if event.held and event.denied:
        by = f", by the {' and the '.join(event.gates)}" if event.gates else ""
        word = next((word for part, word in _REFUSALS.items() if part in event.code), "refused")
        paper.prose(f"{word}, as it should be: {event.code}{by}", indent=_RESULT, style="green")
        paper.prose(event.proof, indent=_RESULT)
        return
    lines = value_text(event.proof).split("\n") if event.proof else []
    for line in lines[:_LONGEST_PROOF_LINES]:
        paper.prose(line, indent=_RESULT)
    if len(lines) > _LONGEST_PROOF_LINES:
        paper.prose(f"(and {len(lines) - _LONGEST_PROOF_LINES} more lines)", indent=_RESULT)


def undo_started(paper: Paper, event: events.UndoStarted) -> None:
    paper.blank()
    count = counted(len(event.things), "thing")
    paper.prose(f"Cleaning up run {event.run}: {count} to undo, newest first", style="bold")


def undo_finished(paper: Paper, event: events.UndoFinished) -> None:
    paper.wait.ended()
    failed = event.outcome is events.UndoOutcome.FAILED
    by = ", ".join(f"{call.service}.{call.operation}" for call in event.calls)
    aside = f"{event.outcome}, by {by}" if by else event.outcome
    paper.line("failed" if failed else "done", event.thing, indent=2, aside=aside)
    if failed and event.detail:
        paper.prose(event.detail, indent=4)


def thing_looked_up(paper: RunPaper, event: events.ThingLookedUp) -> None:
    """Whether a thing is gone. Only a leftover is drawn at once."""
    paper.looked.append(event)
    if not event.gone:
        paper.line("failed", f"{event.thing} is still there", indent=2)
        paper.prose(event.proof, indent=4)


def cleanup_finished(paper: RunPaper, event: events.CleanupFinished) -> None:
    """The table of removed things with proofs, or the leftovers and how to remove them."""
    looked, paper.looked = paper.looked, []
    paper.blank()
    if looked:
        rows = ((paper.sign("done" if each.gone else "failed"), Text(one_line(each.thing)),
                 Text(one_line(each.proof))) for each in looked)  # fmt: skip
        paper.table({"": 0, "Looked for": 3, "AWS answers now": 2}, rows)
        paper.blank()
    if event.remaining:
        _left(paper, event)
        return
    paper.line(
        "done",
        f"Nothing of run {event.run} is left: {counted(len(event.removed), 'thing')} removed, "
        f"{counted(len(looked), 'look-up')}, {spoken(event.seconds)}",
    )


def _left(paper: Paper, event: events.CleanupFinished) -> None:
    count = counted(len(event.remaining), "thing")
    how = " Remove by hand:" if any(command for _, command in event.remaining) else ""
    paper.line("failed", f"{count} of run {event.run} left.{how}")
    for thing, command in event.remaining:
        paper.prose(thing, indent=2)
        if command:
            paper.command(command, indent=4)


_DRAWN: Mapping[str, Callable[[RunPaper, Any], None]] = globals()
"""The functions above, by the kind of event that each draws."""


class TerminalRenderer:
    """Draws events on a console; ``describe`` returns the ``aws`` command of a call."""

    def __init__(self, console: Console, describe: Describe, *, over: bool | None = None) -> None:
        over = draws_over(console) if over is None else over
        self.paper = RunPaper(console, describe, over=over)

    def __call__(self, event: Event) -> None:
        with self.paper.console:  # one write for the whole event
            _DRAWN[event.kind](self.paper, event)

    def close(self) -> None:
        """Erase a waiting line that is still on the screen."""
        self.paper.wait.ended()
