"""Draw a run's events on a terminal of any width, or in a pipe."""

import re
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from stslab.durations import counted, spoken
from stslab.render.terminal.lab import show_changes
from stslab.render.terminal.paper import Paper, draws_over
from stslab.render.text.safe import one_line, value_text, visible
from stslab.runner import events
from stslab.runner.events import Describe, Event
from stslab.runner.ports import Call

_RESULT = 4
_SHOWN_OF_ID = 8  # characters: enough for `stslab why`

_TARGETS = {"sandbox": "the embedded account", "aws": "your AWS account"}
_PROVED = {"allowed": "done", "denied": "done", "not proved": "failed", "changed": "failed"}
_LONGEST_PROOF_LINES = 12
_REFUSALS = {"Denied": "denied", "Unauthorized": "denied", "NoSuch": "gone", "NotFound": "gone"}


class TerminalRenderer(Paper):
    """Draws the events of a run. Each method draws the events whose kind is its name."""

    def __init__(self, console: Console, describe: Describe, *, over: bool | None = None) -> None:
        super().__init__(console, over=draws_over(console) if over is None else over)
        self.describe = describe  # returns the ``aws`` command of a call
        self.dry = False
        self.explained = False  # whether `stslab why` can explain the account's decisions
        self.titles: dict[str, str] = {}  # of the stages, by id
        self.took: dict[str, float] = {}  # seconds, by the title of a finished stage
        self.checked_stage = ""
        self.checked_call: Call | None = None
        self.looked: list[events.ThingLookedUp] = []

    def __call__(self, event: Event) -> None:
        with self.console:  # one write for the whole event
            getattr(self, event.kind)(event)

    close = Paper.wait_ended

    def step_started(self, event: events.StepStarted) -> None:
        self.blank()
        number = f"{event.number}/{event.of}"
        self.line(number, event.title, aside=f"as {event.call.identity}", style="bold blue")
        self.checked_stage = ""
        self.command(self.describe(event.call))
        if event.why:
            self.prose(event.why, indent=_RESULT, style="dim")

    def step_skipped(self, event: events.StepSkipped) -> None:
        self.line("done", event.title, aside="done before", style="dim")

    def step_adopted(self, event: events.StepAdopted) -> None:
        self.line("done", event.title, aside="done by hand")

    def step_drifted(self, event: events.StepDrifted) -> None:
        draw_drift(self, event, self.describe)

    def step_differs(self, event: events.StepDiffers) -> None:
        self.line("warning", f"{event.title}: {event.what}")
        _differences(self, event.differences)

    def step_finished(self, event: events.StepFinished) -> None:
        self.wait_ended()
        shown = list(event.shown)
        if event.profile:
            shown.append(("profile", f"{event.profile} (its secrets are in stslab's files only)"))
        self.line("done", f"done in {spoken(event.seconds)}", indent=2)
        self.fields(shown, indent=_RESULT)

    def step_failed(self, event: events.StepFailed) -> None:
        self.wait_ended()
        called = f"{event.call.service}:{event.call.operation}"
        self.line("failed", f"{called} failed: {event.code}", indent=2)
        self.prose(event.message, indent=_RESULT)
        self.meaning(event.code, indent=_RESULT)
        if event.request_id:
            self.fields([("request id", event.request_id)], indent=_RESULT)
            self._explanation(event.request_id)

    def _explanation(self, request_id: str) -> None:
        if self.explained and request_id:
            command = f"stslab why {one_line(request_id)[:_SHOWN_OF_ID]}"
            self.prose(f"{command} explains how it was decided", indent=_RESULT, style="dim")

    def waiting(self, event: events.Waiting) -> None:
        tries = f": try {event.tries}, {event.elapsed:.0f} s of {event.limit:.0f} s"
        self.waits(event.what, event.elapsed, tries)

    def stack_progress(self, event: events.StackProgress) -> None:
        status = one_line(event.status)
        clock = re.search(r"\d\d:\d\d:\d\d", event.time)
        style = "red" if "FAILED" in status or "ROLLBACK" in status else "dim"
        what = f"{one_line(event.resource)} ({one_line(event.type).removeprefix('AWS::')})"
        lead = clock[0] if clock else one_line(event.time)
        self.prose(f"{status:<18} {what}", indent=_RESULT, style=style, lead=lead)
        if event.reason and not event.reason.endswith("Initiated"):
            self.prose(event.reason, indent=_RESULT + len("00:00:00 "), style=style)

    def run_started(self, event: events.RunStarted) -> None:
        self.dry = event.dry
        self.explained = event.target.startswith("sandbox")
        where = _TARGETS.get(event.target, event.target)
        how = "Dry run" if event.dry else "Continuing run" if event.resumed else "Run"
        self.put(Text(visible(event.title), style="bold"))
        self.prose(f"{how} {event.run} on {where} ({event.account}, {event.region})", style="dim")
        self.blank()
        for number, stage in enumerate(event.stages, 1):
            sign, title = self.sign(stage.state), f"{number}. {stage.title}"
            self.prose(title, indent=2, lead=sign.plain, style=str(sign.style))

    def foreseen(self, event: events.Foreseen) -> None:
        self.blank()
        show_changes(self, event)
        self.blank()

    def stage_started(self, event: events.StageStarted) -> None:
        self.titles[event.stage] = event.title
        self.blank()
        title = f"{event.number}/{event.of} {event.title}"
        self.framed(title, event.intro.strip() or event.title)
        for title, url in event.pages:
            self.prose(f"Read: {title}", indent=2, style="dim")
            self.whole(f"  {visible(url)}", style="dim")

    def stage_finished(self, event: events.StageFinished) -> None:
        """Only a stage that failed is named: its checks were drawn already."""
        self.took[self.titles.get(event.stage, event.stage)] = event.seconds
        if not event.held:
            self.blank()
            self.line("failed", f"The checkpoint of {event.stage} does not hold")

    def run_finished(self, event: events.RunFinished) -> None:
        if event.claims:
            self.blank()
            self.table({"": 0, "What was proved": 1, "Took": 0}, self._proofs(event))
        self.prose(
            f"{event.proved} of {counted(len(event.claims), 'claim')} proved, "
            f"{counted(event.calls, 'API call')}, {spoken(event.seconds)}",
            style="bold",
            apart=True,
        )
        for words, stages in event.notes:
            self.prose(f"{words}: {', '.join(stages)}", indent=2)
        if event.left:
            self.prose(f"Still in the account: {counted(len(event.left), 'thing')}", style="bold")
        for thing, _ in event.left:
            self.line("dot", thing, indent=2)

    def notice(self, event: events.Notice) -> None:
        if event.level == "warning":
            self.line("warning", event.message)
        else:
            self.prose(event.message)
        if event.hint:
            self.prose(event.hint, indent=2, lead=self.symbols.hint)

    def _proofs(self, event: events.RunFinished) -> Iterator[tuple[Text | str, ...]]:
        stage_before = None
        for stage, claim, verdict in event.claims:
            if stage != stage_before:
                took = spoken(self.took[stage]) if stage in self.took else ""
                yield "", Text(one_line(stage), style="bold"), took
                stage_before = stage
            known = _PROVED.get(verdict)
            aside = Text() if known else Text(f"  {verdict}", style="dim")
            yield self.sign(known or "pending"), Text(one_line(claim)).append_text(aside), ""

    def check_started(self, event: events.CheckStarted) -> None:
        """The check that is being proved (on a terminal), or would be (in a dry run)."""
        if event.stage != self.checked_stage:
            self.checked_stage = event.stage
            self.blank()
            heading = Text("Checkpoint", style="bold")
            self.put(heading.append(f"  {event.stage}", style="not bold dim"))
        self.checked_call = event.call
        if self.dry:
            aside = f"as {event.call.identity}" if event.call else ""
            self.line("pending", event.says, indent=2, aside=aside)
            if event.call:
                self.command(self.describe(event.call), indent=_RESULT)
        elif self.over:
            self.waits(event.says, 0.0)

    def check_finished(self, event: events.CheckFinished) -> None:
        self.wait_ended()
        if event.void or event.held_at:  # it neither holds nor fails
            when, by = event.held_at[:19], event.changed_by
            since = f"It held at {when}; stage {by} has changed that since."
            self.line("pending", event.says, indent=2)
            self.prose(f"{event.proof}: not counted" if event.void else since, indent=_RESULT)
            return
        call = self.checked_call
        aside = f"as {call.identity}" if call else ""
        self.line("done" if event.held else "failed", event.says, indent=2, aside=aside)
        if call:
            self.command(self.describe(call), indent=_RESULT)
        self._proof(event)
        if event.held and event.because:
            self.prose(event.because, indent=_RESULT, style="dim")
        if not event.held:
            self.prose(event.why or "It does not hold.", indent=_RESULT, style="red")
            if event.code:
                self.meaning(event.code, indent=_RESULT)
                self._explanation(event.request_id)

    def _proof(self, event: events.CheckFinished) -> None:
        if event.held and event.denied:
            by = f", by the {' and the '.join(event.gates)}" if event.gates else ""
            word = next((word for part, word in _REFUSALS.items() if part in event.code), "refused")
            self.prose(f"{word}, as it should be: {event.code}{by}", indent=_RESULT, style="green")
            self.prose(event.proof, indent=_RESULT)
            return
        lines = value_text(event.proof).split("\n") if event.proof else []
        for line in lines[:_LONGEST_PROOF_LINES]:
            self.prose(line, indent=_RESULT)
        if len(lines) > _LONGEST_PROOF_LINES:
            self.prose(f"(and {len(lines) - _LONGEST_PROOF_LINES} more lines)", indent=_RESULT)

    def undo_started(self, event: events.UndoStarted) -> None:
        self.prose(f"Cleaning up run {event.run}, newest first", style="bold", apart=True)

    def undo_finished(self, event: events.UndoFinished) -> None:
        self.wait_ended()
        failed = event.outcome is events.UndoOutcome.FAILED
        by = ", ".join(call.name for call in event.calls)
        aside = f"{event.outcome}, by {by}" if by else event.outcome
        self.line("failed" if failed else "done", event.thing, indent=2, aside=aside)
        if failed and event.detail:
            self.prose(event.detail, indent=4)

    def thing_looked_up(self, event: events.ThingLookedUp) -> None:
        """Whether a thing is gone. Only a leftover is drawn at once."""
        self.looked.append(event)
        if not event.gone:
            self.line("failed", f"{event.thing} is still there", indent=2)
            self.prose(event.proof, indent=4)

    def cleanup_finished(self, event: events.CleanupFinished) -> None:
        """The table of removed things with proofs, or the leftovers and how to remove them."""
        looked, self.looked = self.looked, []
        self.blank()
        if looked:
            rows = ((self.sign("done" if each.gone else "failed"), Text(one_line(each.thing)),
                     Text(one_line(each.proof))) for each in looked)  # fmt: skip
            self.table({"": 0, "Looked for": 3, "AWS answers now": 2}, rows)
            self.blank()
        if not event.remaining:
            removed, took = counted(len(event.removed), "thing"), spoken(event.seconds)
            what = f"{removed} removed" if event.removed else "there was nothing to remove"
            self.line("done", f"Nothing of run {event.run} is left: {what}, {took}")
            return
        count = counted(len(event.remaining), "thing")
        how = " Remove by hand:" if any(command for _, command in event.remaining) else ""
        self.line("failed", f"{count} of run {event.run} left.{how}")
        for thing, command in event.remaining:
            self.prose(thing, indent=2)
            if command:
                self.command(command, indent=4)


def draw_drift(paper: Paper, event: events.StepDrifted, describe: Describe) -> None:
    """A step's work that was changed since: the differences, and how to restore it."""
    paper.blank()
    paper.line("warning", f"{event.title}: {event.what}")
    _differences(paper, event.differences)
    if event.again:
        paper.prose("It will be done again.", indent=2)
    elif event.fix:
        paper.prose("It is left as it is. To restore it:", indent=2)
        for call in event.fix:
            paper.command(describe(call))


def _differences(paper: Paper, differences: tuple[events.Difference, ...]) -> None:
    for each in differences:
        paper.prose(f"{each.what}, in the lab (-) and in the account (+):", indent=_RESULT)
        for sign, style, texts in (("-", "red", each.wanted), ("+", "green", each.found)):
            for text in texts:
                paper.prose(text, indent=_RESULT, style=style, lead=sign)
