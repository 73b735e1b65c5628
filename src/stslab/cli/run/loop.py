"""The lesson's loop: a command line for each step, and a question before each check.

In the guided lesson the command is filled in; by hand the line is empty, and hints fill it in. An
unchanged command runs as a step of the run, with its journal. Any other line runs in the
learner's shell, and the lesson then looks at its effect.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from stslab.cli.accounts import OpenAccount
from stslab.cli.failures import Interrupted, for_same_run
from stslab.cli.progress import labs_to_do, progress
from stslab.cli.run.at_prompt import AtPrompt
from stslab.cli.run.exercises import Exercise, StepExercise, TasksExercise
from stslab.cli.run.here import TEXTS, Here, no_command
from stslab.cli.run.prompt import Prompt, Quit, Skip, Typed
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.cli.workspace import Workspace
from stslab.errors import CheckFailed, RunError, StslabError
from stslab.lab.embedded import SERVICE as EMBEDDED
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lesson import access, evidence, questions
from stslab.lesson.verdict import UNKNOWN
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Scene
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.paper import draws_over
from stslab.runner.events import Event, Notice, RunFinished
from stslab.runner.journal.records import UNFINISHED, CheckRecord, How, Prediction, Skipped
from stslab.runner.journal.standing import by_concept
from stslab.runner.run.plan import stage_of
from stslab.structures import beside


class Loop(AtPrompt):
    """One walk through a lab. On a real account a command can't be changed; Enter runs it."""

    def __init__(
        self, workspace: Workspace, opened: OpenAccount, lab: Lab, how: How, *, predict: bool = True
    ) -> None:
        console = workspace.paper.console
        self._plain = not draws_over(console)
        here = Here(workspace, opened, opened.runner(lab, workspace.journal, self.hear, how))
        screen = Screen(console, here.command, clears=not self._plain)
        prompt = Prompt(console, self.status, plain=self._plain)
        super().__init__(here, screen, prompt, predict=predict)
        if how is How.HAND:
            self.hand = here.hand()
        self.wrong: list[scenes.Answered] = []  # the wrong predictions
        self.who = "admin"
        self.gone: tuple[str, ...] = ()  # what cleanup proved to be gone

    def status(self) -> str:
        own = self.exercise.status() if self.exercise else ""
        return own or self.here.status(self.stage, self.who, plain=self._plain)

    def hear(self, event: Event) -> None:
        if self.hand is None:
            self.screen(event)
        elif isinstance(event, Notice):
            self.screen.say(f"{event.message} {event.hint}".strip())
        else:
            self.hand.hear(event)
        self.heard.hear(event)

    def learn(self, stages: Sequence[Stage]) -> None:
        """Go through these stages, guided or by hand; UndoIncomplete if something is left."""
        self.runner.start_or_resume()
        try:
            self._go(stages, resumed=bool(self.runner.past.how))
        except Quit:
            if self.runner.past.how and self.runner.run.state in UNFINISHED:  # a stage was begun
                say_how_to_go_on(self.here.workspace.paper)
            return
        except KeyboardInterrupt:
            if self.runner.past.how:
                raise
            raise Interrupted("Stopped. Nothing was begun.") from None
        finished = end(self.runner, stages, self.here.workspace.paper)
        if finished.outcome != "open":
            with suppress(Quit, KeyboardInterrupt):  # nothing is left to go on with, or to undo
                self._ended(finished)

    def _go(self, stages: Sequence[Stage], *, resumed: bool) -> None:
        """Go through these stages, except those that are done; Quit if the learner leaves.

        Stages that the first one needs are done first, without questions.
        """
        done = self.runner.stages_done
        first = self._welcome(resumed=resumed)
        numbers = {stage.id: at for at, stage in enumerate(self.lab.stages)}
        known = {stage.id for stage in stages if first and numbers[stage.id] < numbers[first.id]}
        known |= {*self.runner.missing_for(stages[0].id)}  # with --from
        for stage in self.lab.stages:
            if stage.id in known and stage.id not in done:
                self.screen.say(f"{stage.title} ...")
                self.runner.run_stage(stage.id)
                self.heard.take()
            elif stage in stages and stage.id not in done:
                try:
                    self._until_done(stage)
                except Skip:
                    self.heard.take()  # it was about this stage
                    self.runner.note(Skipped(stage.id))
                    said = f"Skipped: stage {numbers[stage.id] + 1}, {stage.title}."
                    if any(stage.id in self.runner.missing_for(each.id) for each in stages):
                        said += " Later stages need it."
                    self.heard.lines.append((False, said))

    def _welcome(self, *, resumed: bool) -> Stage | None:
        """Wait for the learner to begin. Return the stage to begin with, if they name one."""
        usual = TEXTS["advice"] if self.here.embedded and not resumed else ""
        advice = TEXTS["by hand"] if self.hand else usual
        if not self.here.workspace.home.enter_lesson(self.runner.run.id):
            advice = TEXTS["elsewhere"]
        of, middle = len(self.lab.stages), len(self.lab.stages) // 2 + 1
        welcome = partial(
            scenes.welcome,
            stages=self.runner.map(),
            where=self.here.place,
            summary=self.lab.summary or "",
            resumed=resumed,
            advice=for_same_run(advice).format(middle, self.lab.path.parent.resolve()),
        )
        scene = Scene(self.lab.title, welcome)
        self.show(scene)
        while True:
            with suppress(Skip):  # there is nothing to skip yet
                entered = self.entered(scene, "goes on" if resumed else "begins", "begin")
                stage = self.lab.stage(entered.argument)
                if stage or not entered.word:
                    return stage
                self.screen.say(f"The stages are 1 to {of}, as in: begin {middle}")

    def _until_done(self, stage: Stage) -> None:
        """Do a stage. After an error, the learner may try again or skip it."""
        while True:
            self.exercise = None
            self.heard.failing.clear()
            try:
                self._stage(stage)
            except (RunError, CheckFailed) as error:
                needed = [stage_of(self.lab, one) for one in self.runner.missing_for(stage.id)]
                self._stuck(stage, error, needed)
                for each in needed:
                    self._until_done(each)
            else:
                return

    def _stuck(self, stage: Stage, error: RunError | CheckFailed, needed: list[Stage]) -> None:
        """Show what stopped a stage. If its checkpoint failed, the learner may fix that there."""
        message, hint, does = error.message, error.hint, "tries again"
        if needed:
            titles = "; ".join(each.title for each in needed)
            message, hint = f"It needs these stages, which are not done yet: {titles}.", ""
            does = "does that first"
        claims = {**self.heard.failing} if isinstance(error, CheckFailed) else {}
        before = self.heard.take()
        fixes = bool(claims) and self.here.embedded and not (needed or stage.cleanup)
        if claims:  # which `before` has too
            before, message = None, "The checkpoint of this stage does not hold:"
        hint = TEXTS["fix"] if fixes else hint
        stuck = partial(scenes.stuck, message=message, hint=hint, claims=claims)
        scene = Scene(stage.title, stuck, before=before)
        if fixes:
            mine = {(each.cell, each.identity) for each in stage.changes}
            met = (cell.verdict for cell in self.table() if cell.key in mine)
            self.verdict, hand = next(met, UNKNOWN), self.hand or self.here.hand()
            self.work(TasksExercise(self.here, hand, stage, failed=scene))
        else:
            self.enter(scene, does)

    def _ended(self, finished: RunFinished) -> None:
        self.over, self.who = True, "admin"
        points = partial(scenes.points, lines=self.lab.remember)
        before = Scene("What to remember", points) if self.lab.remember else None
        title = "Who could do what during the lab, and through which caller"
        links = partial(scenes.chain, links=self._chain(ever=True))
        self.enter(Scene(title, links, before=before), "goes on")
        onward = [*beside(__file__, "texts.yaml")["onward"].items()]
        others = onward[1:] if self.hand else onward if self.here.embedded else onward[2:]
        following = [("stslab run next", f"the next lab: {lab.title}") for lab in labs_to_do()[:1]]
        draws = partial(
            scenes.end,
            finished=finished,
            concepts=by_concept(self.runner.past.every(Prediction)),
            gone=self.gone,
            onward=[(for_same_run(one), effect) for one, effect in (*others, *following)],
        )
        scene = Scene(f"Done. {finished.proved} of {len(finished.claims)} claims proved.", draws)
        self.show(scene)
        does = "ends, `again` repeats what went wrong"
        while self.wrong and self.entered(scene, does, "again").word:
            for answered in tuple(self.wrong):  # asked once more, which does not count
                said = self.answer(replace(answered.asking, before=None))
                if said is None:
                    continue
                self.enter(replace(answered, said=said), "goes on")
                if said == answered.asking.question.right:
                    self.wrong.remove(answered)

    # Stages and steps

    def _stage(self, stage: Stage) -> None:
        self.stage = stage
        place = f"{self.lab.stages.index(stage) + 1}/{len(self.lab.stages)}"
        things = self.runner.to_undo() if stage.cleanup else ()
        story = partial(scenes.story, text=stage.intro, things=things)
        intro = Scene(stage.title, story, place, before=self.heard.take())
        if stage.cleanup:
            self.enter(intro, "removes it all")
            self.runner.begin_stage(stage.id)
            records = self.runner.clean_up(stage)
            self.runner.end_stage(stage, records)
            self.gone = tuple(each.says for each in records if each.held and not each.void)
            return
        ready = not self.hand and not self.runner.missing_for(stage.id)
        shares_screen = ready and stage.steps and not self._is_silent(stage, 0)
        if not shares_screen:  # with the first step
            self.enter(intro, "goes on")
        self._restore(stage)
        self.runner.begin_stage(stage.id)
        before = self.table()
        if self.hand and stage.steps:
            self.work(TasksExercise(self.here, self.hand, stage, f"{place}, by hand"))
            self.heard.take()
        else:
            for at, step in enumerate(stage.steps):
                self._step(stage, at, step, intro if shares_screen and at == 0 else None)
        self.asks, self.who = self.to_be_asked(stage, 0), ""  # each check has a caller of its own
        records = tuple(self._check(stage, at, check) for at, check in enumerate(stage.checkpoint))
        self.who = "admin"
        self.runner.end_stage(stage, records)
        self._show_changes(stage, before)

    def _restore(self, stage: Stage) -> None:
        """Show what was changed since, and repeat it after Enter."""
        drifted = self.runner.drift(stage.id)
        if drifted:
            does = "does that again" if any(event.again for event in drifted) else "goes on"
            shown = partial(scenes.drifted, steps=drifted, describe=self.here.command)
            self.enter(Scene(stage.title, shown), does)
            self.runner.restore(stage.id)

    def _show_changes(self, stage: Stage, before: access.Cells) -> None:
        after = self.table()
        changed = access.changed(before, after)
        if changed:
            matrix = partial(
                scenes.matrix, cells=after, changed=changed, links=self._chain(), asked=self.asks
            )
            title = f"Who can do what, after stage {self.lab.stages.index(stage) + 1}"
            self.enter(Scene(title, matrix, before=self.heard.take()), "goes on")

    def _chain(self, *, ever: bool = False) -> list[access.ChainLink]:
        done, known = self.runner.stages_done, self.runner.scope()
        return access.chain(self.lab, done, known, self.here.names(), ever=ever, asked=self.asks)

    def _step(self, stage: Stage, at: int, step: Step, intro: Scene | None) -> None:
        if self._is_silent(stage, at):
            self.runner.do(stage, at)
            return
        call = evidence.call_of(step, self.runner.scope_to_show())
        if step.call:
            self.verdict = self.decide(call)
        shown = [each for each in stage.steps if not _only_looks(each)]
        place = f"step {shown.index(step) + 1} of {len(shown)}" if len(shown) > 1 else ""
        documents = evidence.renamed(evidence.documents_of(call), self.here.names())
        draws = partial(scenes.step, why=step.why or "", documents=documents)
        before = self.heard.take()
        exercise = StepExercise(self.here, stage, at, Scene(step.title, draws, place, before))
        exercise.fill_in(call)
        both = replace(exercise.shown, before=intro)
        if intro and (before or not self.screen.fits(both, f"{exercise.who} $ {exercise.command}")):
            self.enter(intro, "goes on")
        elif intro:
            exercise.shown = both
        self.work(exercise)
        if step.profile:
            self._show_first_session(step.profile.name)

    def _show_first_session(self, profile: str) -> None:
        """Show what a session consists of, to a learner who meets the first one."""
        known = self.runner.scope()["profiles"]
        sessions = [name for name, held in known.items() if held["expiration"]]
        if sessions != [profile] or any(lab.finished for lab in progress().values()):
            return
        self.heard.shown.clear()
        held = known[profile]
        minutes = self.here.minutes_to(held["expiration"])
        received = partial(scenes.session, profile=profile, held=held, minutes=minutes)
        self.enter(Scene("What came back", received, before=self.heard.take()), "goes on")

    def _is_silent(self, stage: Stage, at: int) -> bool:
        """Whether a step has no screen: it makes nothing, or is done and unchanged."""
        return _only_looks(stage.steps[at]) or self.runner.steps.stands(stage, at)

    def work(self, exercise: Exercise) -> None:
        """Read one command line after another until the exercise is done."""
        if exercise.done and not exercise.enter:
            self.enter(exercise.scene(), "goes on")
            return
        self.exercise = exercise
        self.here.take_turn()
        self.screen.command = lambda: f"{exercise.who} $ {exercise.command}"  # `why` may fill it in
        self.show(exercise.scene())
        if exercise.command:
            self.prompt.drop_typed_ahead()  # no command runs before the learner has seen it
        typed = ""
        while True:
            self.line, self.who = exercise.elsewhere, exercise.who
            entered = self.read(partial(self._entry, exercise, typed))
            typed = entered.line if entered.changed else ""
            if exercise.enter and not (entered.word or entered.line):
                return
            if entered.word == "hint":
                if exercise.several:
                    self.screen.say(f"The task: {exercise.title}")
                self.screen.below(exercise.hint)
            elif entered.word and entered.word != "solve":
                self.word(entered.word, exercise.scene())
            elif not entered.changed and (why_not := no_command(entered.line)):
                self.screen.say(why_not)
            elif self._act(exercise, entered) or self._looked(exercise):
                return

    def _entry(self, exercise: Exercise, typed: str) -> Typed:
        if exercise.enter:
            return self.prompt.enter(exercise.enter, runs=True)
        if not self.here.embedded:
            return self.prompt.run(self.who, exercise.command)
        watch = self.here.happened if exercise.by_hand else None
        return self.prompt.command(self.who, exercise.command, typed, watch)

    def _act(self, exercise: Exercise, entered: Typed) -> bool:
        """Do what was entered. Return whether it certainly completed the exercise."""
        if entered.changed:
            return False
        if entered.unchanged or entered.word == "solve" or exercise.takes(entered.line):
            try:
                return exercise.run()
            except StslabError as error:
                if not exercise.by_hand:
                    raise
                self.screen.say(error.message)
                return False
        with self.waiting():
            advice = self.here.shell(entered.line, exercise.who)
        if advice:
            self.screen.say(advice)
        return False

    def _looked(self, exercise: Exercise) -> bool:
        """Show what has changed in the account. Return whether the exercise has ended."""
        self.here.happened()  # first, so that changes during the look are noticed next time
        self.screen.below(exercise.news)
        if exercise.enter or not exercise.done:
            return False
        self.entered(exercise.scene(), "goes on")
        return True

    # Checks

    def _check(self, stage: Stage, at: int, check: Check) -> CheckRecord:
        asking = self.asking(stage, at, check)
        said = self.answer(asking) if asking else None
        self.asks = self.to_be_asked(stage, at + 1)
        record = self.runner.prove(stage, at)
        if asking is None:
            self.heard.lines.append((record.held, record.says))
            return record
        right = said == asking.question.right
        if said is not None:
            answer = asking.question.choice(said)
            words = answer.text if answer else questions.DONT_KNOW
            self.runner.note(Prediction(stage.id, at, check.ask or stage.title, words, right))
        message = f"{record.code}: {record.proof}" if record.code else record.proof
        answered = scenes.Answered(
            title=asking.title,
            asking=asking,
            said=said or 0,
            verdict=self.verdict,
            held=record.held,
            message=message,
            because=check.because or "",
            refusal=message if record.denied else "",
            answer=scenes.in_brief(self.runner.checks.answer),
        )
        if said is not None and not right:
            self.wrong.append(answered)
        self.enter(answered, "goes on")
        return record


def _only_looks(step: "Step") -> bool:
    return step.undo is None and not step.profile and step.service != EMBEDDED
