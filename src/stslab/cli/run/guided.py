"""The guided lesson: at each step a command line that is filled in, before each check a question.

What is entered unchanged runs as a step of the run, with its journal. Anything else runs in the
learner's shell, and the lesson looks at what came of it.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stslab.cli.run.prompt import draw_help
from stslab.errors import CheckFailed, RunError, StslabError
from stslab.lab.references import resolve
from stslab.lesson import access, fallback, questions, scenes
from stslab.lesson.documents import documents_of
from stslab.lesson.ports import UNKNOWN, Verdict
from stslab.runner.events import (
    CallShown,
    Event,
    RunFinished,
    StepAdopted,
    StepFailed,
    StepFinished,
    StepSkipped,
)
from stslab.runner.journal.records import Prediction
from stslab.runner.journal.score import by_concept
from stslab.runner.run.plan import stage_of

if TYPE_CHECKING:
    from stslab.cli.run.prompt import Entered, Prompt
    from stslab.lab.model import Check, Lab, Stage, Step
    from stslab.lesson.ports import Decide
    from stslab.render.lesson.screen import Screen
    from stslab.render.terminal.paper import Paper
    from stslab.runner.journal.records import CheckRecord
    from stslab.runner.run.run import Runner


class Skip(Exception):  # noqa: N818 - the learner's choice
    """The learner leaves the rest of a stage out."""


class Quit(Exception):  # noqa: N818 - the learner stops; nobody made an error
    """The learner leaves; the run goes on later."""


@dataclass
class Heard:
    """What the runner told since the last scene."""

    lines: list[tuple[bool, str]] = field(default_factory=list)
    shown: list[tuple[str, Any]] = field(default_factory=list)
    by_hand: bool = False

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, StepFinished):
            self.lines.append((True, f"{event.title}{' (by hand)' if self.by_hand else ''}"))
            self.shown += event.shown
            self.by_hand = False
        elif isinstance(event, StepAdopted):
            self.by_hand = True
        elif isinstance(event, StepSkipped):
            self.lines.append((True, f"{event.title} (done before)"))
        elif isinstance(event, StepFailed):
            self.lines.append((False, f"{event.title}: {event.code}. {event.message}"))

    def take(self) -> scenes.Done | None:
        """What there is to show, which is forgotten."""
        told = scenes.Done(tuple(self.lines), tuple(self.shown)) if self.lines else None
        self.lines, self.shown = [], []
        return told


@dataclass
class Guided:
    """One walk through a lab, with a learner at the terminal.

    ``command`` gives a call's command for who runs it, ``environ`` the variables of the shell.
    ``words`` draw what the words show that are about the account. ``editable``: a command may be
    changed; on a real account Enter runs it, and nothing else does.
    """

    lab: "Lab"
    runner: "Runner"
    screen: "Screen"
    prompt: "Prompt"
    decide: "Decide"
    command: Callable[[CallShown, str], str]
    environ: Callable[[], Mapping[str, str]]
    words: Mapping[str, Callable[["Paper"], None]]
    place: str
    editable: bool = True
    heard: Heard = field(default_factory=Heard)
    stage: "Stage | None" = None
    verdict: Verdict = UNKNOWN
    line: str = ""

    def hear(self, event: Event) -> None:
        """Take in what the runner tells."""
        self.screen(event)
        self.heard.hear(event)

    def go(self, stages: "Sequence[Stage]", done: Sequence[str], *, resumed: bool) -> None:
        """Go through these stages; those that are done are left out.

        Raises:
            Quit: the learner leaves.
            UndoIncomplete: something is left in the account.
        """
        self._enter(
            scenes.Welcome(
                self.lab.title, self.lab.summary or "", self.runner.map, self.place, resumed
            ),
            "goes on" if resumed else "begins",
        )
        for stage in stages:
            if stage.id not in done:
                self._until_done_or_skipped(stage)

    def _until_done_or_skipped(self, stage: "Stage") -> None:
        try:
            self._until_done(stage)
        except Skip:
            self.runner.skip(stage.id)

    def _until_done(self, stage: "Stage") -> None:
        """Do a stage; where something stops it, the learner may try again or leave it out."""
        while True:
            try:
                self._stage(stage)
            except (RunError, CheckFailed) as error:
                missing = self.runner.missing_for(stage.id)
                hint = "" if missing else error.hint
                stuck = scenes.Stuck(stage.title, error.message, hint, self.heard.take())
                self._enter(stuck, "does that first" if missing else "tries again")
                for one in missing:
                    self._until_done(stage_of(self.lab, one))
            else:
                return

    def ended(self, told: RunFinished, minutes: float) -> None:
        """The last screen."""
        scene = scenes.Ended(
            title=self.lab.title,
            proved=told.proved,
            claims=len(told.claims),
            notes=told.notes,
            concepts=by_concept(self.runner.predictions()),
            left=len(told.left),
            minutes=minutes,
        )
        self.screen.show(scene)

    # Stages and steps

    def _stage(self, stage: "Stage") -> None:
        self.stage = stage
        if stage.cleanup:
            self._clean_up(stage)
            return
        number, of = self._number(stage)
        self._enter(scenes.Introduction(stage.title, stage.intro, number, of), "goes on")
        self._look(stage)
        self.runner.begin_stage(stage.id)
        before = self._table()
        for at, step in enumerate(stage.steps):
            self._step(stage, at, step)
        records = tuple(self._check(stage, at, check) for at, check in enumerate(stage.checkpoint))
        self.runner.end_stage(stage, records, 0.0)
        after = self._table()
        changed = access.changed(before, after)
        if changed:
            title = f"Who can do what, after stage {number}"
            self._enter(scenes.Matrix(title, after, changed, self.heard.take()), "goes on")

    def _look(self, stage: "Stage") -> None:
        """What this stage needs and was done: what is gone is done again, after Enter."""
        drifted = self.runner.drift(stage.id)
        if drifted:
            does = "does that again" if any(one.again for one in drifted) else "goes on"
            self._enter(scenes.Drifted(stage.title, drifted), does)
            self.runner.restore(stage.id)

    def _number(self, stage: "Stage") -> tuple[int, int]:
        return self.lab.stages.index(stage) + 1, len(self.lab.stages)

    def _table(self) -> tuple[access.CellState, ...]:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)

    def _step(self, stage: "Stage", at: int, step: "Step") -> None:
        if step.undo is None and step.profile is None:  # it only looks: no screen of its own
            self.runner.do(stage, at)
            return
        call = self._call(step)
        number, of = self._number(stage)
        place = f"{number}/{of}, step {at + 1} of {len(stage.steps)}"
        before = self.heard.take()
        scene = scenes.Doing(step.title, step.why or "", place, documents_of(call), before)
        self.line = line = self.command(call, step.identity)
        self.screen.show(scene)
        ask = self.prompt.command if self.editable else self.prompt.run
        while True:
            entered = self._read(lambda: ask(step.identity, line))
            if entered.unchanged:
                self.runner.do(stage, at)
                return
            if entered.word:
                self._word(entered.word, scene)
            elif entered.line:
                self._shell(entered.line, step.identity)
                if self.runner.adopt(stage, at):
                    self.screen.say("That is what the step makes: it is done, by hand.")
                    self._read(lambda: self.prompt.enter("goes on"))
                    return

    def _call(self, part: "Step | Check") -> CallShown:
        params = resolve(part.params, self.runner.scope())
        return CallShown(part.identity, part.service, part.operation, params)

    def _shell(self, line: str, who: str) -> None:
        environ = {**self.environ(), "AWS_PROFILE": who}
        subprocess.run(line, shell=True, env=environ, check=False)  # noqa: S602 - the learner's own line

    def _clean_up(self, stage: "Stage") -> None:
        scene = scenes.CleaningUp(
            stage.title, stage.intro, self.runner.to_undo(), *self._number(stage)
        )
        self._enter(scene, "removes it all")
        self.runner.begin_stage(stage.id)
        records = self.runner.clean_up(stage)
        self.runner.end_stage(stage, records, 0.0)

    # Checks

    def _check(self, stage: "Stage", at: int, check: "Check") -> "CheckRecord":
        verdict = self._verdict(check) if check.ask is not None and check.call else None
        target = questions.target(check)
        asked = questions.question(verdict, check.identity, target) if verdict else None
        if verdict is None or asked is None:
            record = self.runner.prove(stage, at)
            self.heard.lines.append((record.held, record.says))
            return record
        title = questions.asked(self.lab, check)
        said = self._predicted(check, title, asked, verdict)
        record = self.runner.prove(stage, at)
        if said is not None:
            answer = asked.answer(said)
            words = answer.text if answer else "I don't know"
            concept = check.ask or stage.title
            self.runner.predicted(Prediction(stage.id, at, concept, words, said == asked.right))
        answered = scenes.Answered(
            title=title,
            who=check.identity,
            target=target,
            question=asked,
            said=said or 0,
            verdict=verdict,
            held=record.held,
            message=record.proof,
            because=check.because or "",
        )
        self._enter(answered, "goes on")
        return record

    def _verdict(self, check: "Check") -> Verdict:
        params = resolve(check.params, self.runner.scope())
        found = self.decide(check.identity, check.service, check.operation, params)
        self.verdict = fallback.verdict_of(check) if found.allowed is None else found
        return self.verdict

    def _predicted(
        self, check: "Check", title: str, asked: questions.Question, verdict: Verdict
    ) -> int | None:
        """The digit that the learner gives; None where they leave the question out."""
        every = [one for each in self.lab.stages for one in each.checkpoint if one.ask is not None]
        scene = scenes.Asking(
            title=title,
            call=self._call(check),
            question=asked,
            evidence=verdict,
            target=questions.target(check),
            number=1 + next(at for at, one in enumerate(every) if one is check),
            of=len(every),
            before=self.heard.take(),
        )
        digits = [questions.UNSURE, *(one.digit for one in asked.answers)]
        self.screen.show(scene)
        while True:
            entered = self._read(lambda: self.prompt.digit(digits))
            if entered.word == "skip":
                return None
            if entered.line:
                return int(entered.line)
            self._word(entered.word, scene)

    # The prompt

    def _enter(self, scene: Any, does: str) -> None:
        """Show a scene and wait for Enter."""
        self.screen.show(scene)
        while True:
            entered = self._read(lambda: self.prompt.enter(does))
            if not entered.word:
                return
            self._word(entered.word, scene)

    def _read(self, read: "Callable[[], Entered]") -> "Entered":
        entered = read()
        if entered.end or entered.word == "quit":
            raise Quit
        return entered

    def _word(self, word: str, scene: Any) -> None:
        """Do what a word says; the scene stays the one that is waited at.

        Raises:
            Skip: the rest of the stage is to be left out.
        """
        if word == "skip":
            raise Skip
        shown = self._scene_of(word, scene)
        try:
            if shown is not None:
                self.screen.show(shown, self._more)
            elif word in self.words:
                self.screen.page(self.words[word], self._more)
            elif word == "help":
                self.screen.page(draw_help, self._more)
            elif word == "copy":
                self.screen.copy(self.line)
            else:
                text = "The command is on the line: Enter runs it, and you may change it first."
                self.screen.say(text)
        except StslabError as error:
            self.screen.say(error.message)

    def _scene_of(self, word: str, scene: Any) -> Any:
        """The scene that a word shows; None for the others."""
        if word == "back":
            return scene
        if word == "status":
            return scenes.Welcome(self.lab.title, "", self.runner.map, self.place, resumed=True)
        if word == "access":
            return scenes.Matrix("Who can do what", self._table(), frozenset())
        if word == "policies":
            return scenes.Documents("The policies that have a say", self.verdict)
        if word == "more" and self.stage is not None:
            pages = tuple((page.title, page.url) for page in self.stage.pages)
            text = self.stage.explain or self.stage.intro
            return scenes.Longer(self.stage.title, text, pages)
        return None

    def _more(self) -> bool:
        return not self._read(lambda: self.prompt.enter("shows more")).word
