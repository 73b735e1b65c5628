"""Draws steps: the title, who calls, the equivalent command, and what came of it.

Each function that is named as an event's kind draws that event.
"""

import re

from rich.text import Text

from stslab.render.terminal.paper import Paper, RunPaper
from stslab.render.text.durations import spoken
from stslab.render.text.safe import one_line
from stslab.runner import events

_RESULT = 4
_CLOCK = len("00:00:00 ")
_NO_NEWS = "Initiated"
_TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d")


def step_started(paper: RunPaper, event: events.StepStarted) -> None:
    """What is about to be done, by which identity, and the command that does the same by hand."""
    paper.blank()
    number = f"{event.number}/{event.of}"
    paper.line(number, "bold blue", event.title, aside=f"as {event.call.identity}")
    paper.checked_stage = ""
    paper.command(paper.describe(event.call))
    if event.why:
        paper.prose(event.why, indent=_RESULT, style="dim")


def step_skipped(paper: Paper, event: events.StepSkipped) -> None:
    paper.line(paper.symbols.done, "dim", event.title, aside="done before")


def step_adopted(paper: Paper, event: events.StepAdopted) -> None:
    paper.line(paper.symbols.done, "green", event.title, aside="done by hand")


def step_drifted(paper: RunPaper, event: events.StepDrifted) -> None:
    """What came of a step and is no longer so: what differs, and what happens or may be done."""
    paper.blank()
    paper.line(paper.symbols.warning, "yellow", event.what, aside=event.title)
    _differences(paper, event.differences)
    if event.again:
        paper.prose("It will be done again.", indent=2)
    elif event.fix:
        paper.prose("It is left as it is. To put it back:", indent=2)
        for call in event.fix:
            paper.command(paper.describe(call))


def step_differs(paper: Paper, event: events.StepDiffers) -> None:
    """What was made by hand, and in what it is not what the step makes."""
    paper.line(paper.symbols.warning, "yellow", event.what, aside=event.title)
    _differences(paper, event.differences)


def _differences(paper: Paper, differences: tuple[events.Difference, ...]) -> None:
    for one in differences:
        paper.prose(f"{one.what}, in the lab (-) and in the account (+):", indent=_RESULT)
        for sign, style, texts in (("-", "red", one.wanted), ("+", "green", one.found)):
            for text in texts:
                paper.prose(text, indent=_RESULT, style=style, lead=sign)


def step_finished(paper: Paper, event: events.StepFinished) -> None:
    """The few lines of the answer that matter."""
    paper.wait.ended()
    shown = list(event.shown)
    if event.profile:
        shown.append(("profile", f"{event.profile} (its secrets are in stslab's own files)"))
    paper.line(paper.symbols.done, "green", f"done in {spoken(event.seconds)}", indent=2)
    paper.fields(shown, indent=_RESULT)


def step_failed(paper: Paper, event: events.StepFailed) -> None:
    """What AWS said where the lab needs the call to succeed."""
    paper.wait.ended()
    operation = f"{event.call.service}:{event.call.operation}"
    paper.line(paper.symbols.failed, "red", f"{operation} failed: {event.code}", indent=2)
    paper.prose(event.message, indent=_RESULT)
    paper.meaning(event.code, indent=_RESULT)
    if event.request_id:
        paper.fields([("request id", event.request_id)], indent=_RESULT)
        paper.explanation(event.request_id, indent=_RESULT)


def waiting(paper: Paper, event: events.Waiting) -> None:
    said = (
        f"  {paper.symbols.waiting} {one_line(event.what)}: "
        f"try {event.tries}, {event.elapsed:.0f} s of {event.limit:.0f} s"
    )
    paper.wait.show(event.what, Text(said, style="yellow"), event.elapsed)


def stack_progress(paper: Paper, event: events.StackProgress) -> None:
    status = one_line(event.status)
    style = "red" if "FAILED" in status or "ROLLBACK" in status else "dim"
    what = f"{one_line(event.resource)} ({one_line(event.type).removeprefix('AWS::')})"
    paper.prose(f"{status:<18} {what}", indent=_RESULT, style=style, lead=_clock(event.time))
    if event.reason and not event.reason.endswith(_NO_NEWS):
        paper.prose(event.reason, indent=_RESULT + _CLOCK, style=style)


def _clock(time: str) -> str:
    """The time of day in a date and time."""
    found = _TIME_OF_DAY.search(time)
    return found[0] if found else one_line(time)
