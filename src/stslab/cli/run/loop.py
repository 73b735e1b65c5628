"""The lesson's loop: a command line for each step, and a question before each check.

In the guided lesson the command is filled in; by hand the line is empty, and hints fill it in. An
unchanged command runs as a step of the run, with its journal. Any other line runs in the
learner's shell, and the lesson then looks at its effect.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from stslab.cli.accounts import Open
from stslab.cli.failures import with_flags
from stslab.cli.run.exercises import Exercise, StepExercise, TasksExercise
from stslab.cli.run.here import Here
from stslab.cli.run.prompt import AtPrompt, Entered, Prompt, Quit, Skip
from stslab.cli.run.walk import end, say_how_to_go_on
from stslab.cli.workspace import Workspace, labs_to_do, progress
from stslab.errors import CheckFailed, RunError, StslabError
from stslab.lab.model import Check, Lab, Stage, Step
from stslab.lab.references import resolve
from stslab.lesson import access, evidence, questions
from stslab.lesson.access import Link, chain
from stslab.lesson.byhand import ByHand
from stslab.lesson.verdict import Verdict, expected
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Scene
from stslab.render.lesson.screen import Heard, Screen
from stslab.render.terminal.paper import draws_over
from stslab.runner.events import Event, Notice, RunFinished
from stslab.runner.journal.records import CheckRecord, How, Prediction, Skipped
from stslab.runner.journal.standing import by_concept
from stslab.runner.run.plan import stage_of

_ADVICE = (
    "Do you know the first part? `begin {0}` does it for you and begins with stage {0}."
    " By hand, with tasks instead of commands: stslab run --practice"
)
_ELSEWHERE = (
    "This run is open in another terminal too: leave one of them with `quit`. A second terminal"
    " can follow a run: stslab watch"
)
_ADVICE_BY_HAND = (
    "By hand: each stage gives you tasks and an empty line. Do them with the aws command, here or"
    " in another terminal. Their files are in {1}. `hint` and `solve` help; `help` lists all words."
)
_NEXT = (
    ("stslab run --practice", "the same by hand"),
    ("stslab break", "something is broken in it: find it, and fix it"),
    ("stslab report", "what you did, predicted and proved"),
)


@dataclass(kw_only=True)
class Loop(AtPrompt):
    """One walk through a lab. On a real account a command can't be changed; Enter runs it."""

    hand: ByHand | None = None  # if the stages are done by hand
    follows: bool = False  # shows changes from another terminal while the learner types
    predict: bool = True
    heard: Heard = field(default_factory=Heard)
    wrong: list[tuple[scenes.Asking, scenes.Answered]] = field(default_factory=list)
    who: str = "admin"
    gone: tuple[str, ...] = ()
    skipped: scenes.Done | None = None

    def hear(self, event: Event) -> None:
        if self.hand is None:
            self.screen(event)
        elif isinstance(event, Notice):
            self.screen.say(f"{event.message} {event.hint}".strip())
        else:
            self.hand.hear(event)
        self.heard.hear(event)

    def go(self, stages: Sequence[Stage], done: Sequence[str], *, resumed: bool) -> None:
        """Go through these stages, except those that are done; Quit if the learner leaves.

        Stages that the first one needs are done first, without questions.
        """
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
                    self.runner.note(Skipped(stage.id))
                    later = any(stage.id in self.runner.missing_for(each.id) for each in stages)
                    said = f"Skipped: stage {numbers[stage.id] + 1}, {stage.title}."
                    if later:
                        said += " Later stages need it."
                    self.skipped = scenes.Done(((False, said),))

    def _welcome(self, *, resumed: bool) -> Stage | None:
        """Wait for the learner to begin. Return the stage to begin with, if they name one."""
        advice = _ADVICE if self.here.embedded and not resumed else ""
        if self.hand:
            advice = _ADVICE_BY_HAND
        if self.here.workspace.home.is_elsewhere(self.runner.run.id):
            advice = _ELSEWHERE
        middle = len(self.lab.stages) // 2 + 1
        welcome = partial(
            scenes.welcome,
            stages=self.runner.map(),
            where=self.here.place,
            summary=self.lab.summary or "",
            resumed=resumed,
            advice=with_flags(advice).format(middle, self.lab.path.parent),
        )
        scene = Scene(self.lab.title, welcome)
        does = "goes on" if resumed else "begins"
        self.show(scene)
        numbers = {str(at): stage for at, stage in enumerate(self.lab.stages, 1)}
        while True:
            with suppress(Skip):  # there is nothing to skip yet
                entered = self.entered(scene, does, "begin")
                stage = numbers.get(entered.argument) or self.lab.stage(entered.argument)
                if stage or not entered.word:
                    return stage
                self.screen.say(f"The stages are 1 to {len(numbers)}, as in: begin {middle}")

    def _until_done(self, stage: Stage) -> None:
        """Do a stage. After an error, the learner may try again or skip it."""
        while True:
            try:
                self._stage(stage)
            except (RunError, CheckFailed) as error:
                missing = self.runner.missing_for(stage.id)
                message, hint, does = error.message, error.hint, "tries again"
                needed = [stage_of(self.lab, one) for one in missing]
                if needed:
                    titles = "; ".join(each.title for each in needed)
                    message, hint = f"It needs these stages, which are not done yet: {titles}.", ""
                    does = "does that first"
                stuck = partial(scenes.stuck, message=message, hint=hint)
                self.enter(Scene(stage.title, stuck, before=self.heard.take()), does)
                for each in needed:
                    self._until_done(each)
            else:
                return

    def ended(self, finished: RunFinished) -> None:
        self.over, self.who = True, "admin"
        points = partial(scenes.points, lines=self.lab.remember)
        before = Scene("What to remember", points) if self.lab.remember else None
        title = "Who could do what during the lab, and through which caller"
        links = partial(scenes.chain, links=self._chain(ever=True))
        self.enter(Scene(title, links, before=before), "goes on")
        others = _NEXT[1:] if self.hand else _NEXT if self.here.embedded else _NEXT[2:]
        onward = [("stslab run next", f"the next lab: {lab.title}") for lab in labs_to_do()[:1]]
        draws = partial(
            scenes.end,
            finished=finished,
            concepts=by_concept(self.runner.past.predictions()),
            gone=self.gone,
            onward=[*((with_flags(command), effect) for command, effect in others), *onward],
        )
        scene = Scene(f"Done. {finished.proved} of {len(finished.claims)} claims proved.", draws)
        self.show(scene)
        does = "ends, `again` repeats what went wrong"
        while self.wrong and self.entered(scene, does, "again").word:
            for asking, answered in tuple(self.wrong):  # asked once more, which does not count
                said = self._answer(replace(asking, before=None))
                if said is None:
                    continue
                self.enter(replace(answered, said=said), "goes on")
                if said == asking.question.right:
                    self.wrong.remove((asking, answered))

    # Stages and steps

    def _stage(self, stage: Stage) -> None:
        self.stage = stage
        number = self.lab.stages.index(stage) + 1
        place = f"{number}/{len(self.lab.stages)}"
        things = self.runner.to_undo() if stage.cleanup else ()
        skipped, self.skipped = self.skipped, None
        story = partial(scenes.story, text=stage.intro, things=things)
        intro = Scene(stage.title, story, place, skipped)
        if stage.cleanup:
            self.enter(intro, "removes it all")
            self.runner.begin_stage(stage.id)
            records = self.runner.clean_up(stage)
            self.runner.end_stage(stage, records)
            self.gone = tuple(record.says for record in records if record.held and not record.void)
            return
        first = None if self.hand or self.runner.missing_for(stage.id) else stage.steps[:1]
        alone = not first or self._unasked(stage, 0)
        if alone:
            self.enter(intro, "goes on")
        drifted = self.runner.drift(stage.id)
        if drifted:  # what was changed is repeated after Enter
            does = "does that again" if any(event.again for event in drifted) else "goes on"
            shown = partial(scenes.drifted, steps=drifted, describe=self.here.command)
            self.enter(Scene(stage.title, shown), does)
            self.runner.restore(stage.id)
        self.runner.begin_stage(stage.id)
        before = self.table()
        if self.hand and stage.steps:
            self.work(TasksExercise(self.here, self.hand, stage, f"{place}, by hand"))
            self.heard.take()
        else:
            for at, step in enumerate(stage.steps):
                self._step(stage, at, step, None if alone or at else intro)
        self.asks = self._to_be_asked(stage, 0)
        records = tuple(self._check(stage, at, check) for at, check in enumerate(stage.checkpoint))
        self.runner.end_stage(stage, records)
        after = self.table()
        changed = access.changed(before, after)
        if changed:
            matrix = partial(
                scenes.matrix, cells=after, changed=changed, links=self._chain(), asked=self.asks
            )
            title = f"Who can do what, after stage {number}"
            self.enter(Scene(title, matrix, before=self.heard.take()), "goes on")

    def _chain(self, *, ever: bool = False) -> list[Link]:
        done, known = self.runner.stages_done, self.runner.scope()
        return chain(self.lab, done, known, self.here.names(), ever=ever, asked=self.asks)

    def _step(self, stage: Stage, at: int, step: Step, intro: Scene | None) -> None:
        if self._unasked(stage, at):
            self.runner.do(stage, at)
            return
        call = evidence.call_of(step, self.runner.scope_to_show())
        line = self.here.command(call, step.identity)
        if step.call:
            self.verdict = self.decide(call.identity, call.service, call.operation, call.params)
        shown = [each for each in stage.steps if not _only_looks(each)]
        place = f"step {shown.index(step) + 1} of {len(shown)}" if len(shown) > 1 else ""
        documents = evidence.renamed(evidence.documents_of(call), self.here.names())
        draws = partial(scenes.step, why=step.why or "", documents=documents)
        before = self.heard.take()
        scene = Scene(step.title, draws, place, before)
        both = replace(scene, before=intro)
        if intro and (before or not self.screen.fits(both, f"{step.identity} $ {line}")):
            self.enter(intro, "goes on")
        elif intro:
            scene = both
        self.work(StepExercise(self.runner, stage, at, scene, line, step.identity))
        known = self.runner.scope()["profiles"]
        sessions = [name for name, profile in known.items() if profile["expiration"]]
        first = step.profile and sessions == [step.profile.name]
        if step.profile and first and not any(lab.finished for lab in progress().values()):
            session = known[step.profile.name]
            self.heard.shown.clear()
            ends = str(session["expiration"])
            received = partial(
                scenes.session,
                key=session["access_key_id"],
                ends=ends,
                minutes=self.here.minutes_to(ends),
                profile=step.profile.name,
            )
            self.enter(Scene("What came back", received, before=self.heard.take()), "goes on")

    def _unasked(self, stage: Stage, at: int) -> bool:
        """Whether a step has no screen: it makes nothing, or is done and unchanged."""
        return _only_looks(stage.steps[at]) or self.runner.steps.stands(stage, at)

    def work(self, exercise: Exercise) -> None:
        """Read one command line after another until the exercise is done."""
        scene, typed = exercise.scene(), ""
        if exercise.done:
            self.enter(scene, "goes on")
            return
        self.here.take_turn()
        self.show(scene)
        if exercise.command:
            self.prompt.drop_typed_ahead()  # no command runs before the learner has seen it
        while True:
            self.line, self.who = exercise.command, exercise.who
            if self.here.embedded:
                watch = self.here.happened if self.follows else None
                read = partial(self.prompt.command, self.who, self.line, typed, watch)
            else:
                read = partial(self.prompt.run, self.who, self.line)
            entered = self.read(read)
            typed = entered.line if entered.changed else ""
            if entered.word == "hint":
                if isinstance(exercise, TasksExercise) and exercise.open_tasks > 1:
                    self.screen.say(f"The task: {exercise.title}")
                self.screen.say(exercise.hint())
            elif entered.word and entered.word != "solve":
                self.word(entered.word, exercise.scene())
            elif self._act(exercise, entered) or self._looked(exercise):
                return

    def _act(self, exercise: Exercise, entered: Entered) -> bool:
        """Do what was entered. Return whether it certainly completed the exercise."""
        if entered.changed:
            return False
        if not entered.unchanged and entered.word != "solve":
            with self.waiting():
                advice = self.here.shell(entered.line, exercise.who)
            if advice:
                self.screen.say(advice)
            return False
        try:
            return exercise.run()
        except StslabError as error:
            if not self.follows:
                raise
            self.screen.say(error.message)
            return False

    def _looked(self, exercise: Exercise) -> bool:
        """Show what has changed in the account. Return whether the exercise is done."""
        self.here.happened()  # first, so that changes during the look are noticed next time
        self.screen.below(exercise.news)
        if exercise.done:
            self.read(lambda: self.prompt.enter("goes on"))
        return exercise.done

    # Checks

    def _check(self, stage: Stage, at: int, check: Check) -> CheckRecord:
        question, target = None, questions.target(check)
        if check.ask is not None and check.call:
            params = resolve(check.params, self.runner.scope())
            found = self.decide(check.identity, check.service, check.operation, params)
            self.verdict = expected(check) if found.allowed is None else found
            callers = self._callers(check)
            same = (name for name, met in callers.items() if met == self.verdict)
            who = next(same, questions.caller(check))
            if who in callers:
                question = questions.whose(callers, who, target)
            else:
                question = questions.question(self.verdict, who, target, check, self.lab)
                callers = {who: self.verdict}
        past = self.runner.past
        if stage.id not in past.held():  # left half done, it keeps its answers
            answers = {(one.stage, one.number) for one in past.predictions()}
            question = None if (stage.id, at) in answers else question
        asking = self._asking(check, question, callers) if question else None
        said = self._answer(asking) if asking else None
        self.asks = self._to_be_asked(stage, at + 1)
        record = self.runner.prove(stage, at)
        if question is None or asking is None:
            self.heard.lines.append((record.held, record.says))
            return record
        if said is not None:
            answer = question.answer(said)
            words = answer.text if answer else questions.DONT_KNOW
            concept = check.ask or stage.title
            self.runner.note(Prediction(stage.id, at, concept, words, said == question.right))
        message = f"{record.code}: {record.proof}" if record.code else record.proof
        answered = scenes.Answered(
            title=asking.title,
            who=who,
            target=target,
            question=question,
            said=said or 0,
            verdict=self.verdict,
            held=record.held,
            message=message,
            because=check.because or "",
            refusal=message if record.denied else "",
            answer=scenes.in_brief(self.runner.checks.answer),
        )
        if said is not None and said != question.right:
            self.wrong.append((asking, answered))
        self.enter(answered, "goes on")
        return record

    def _to_be_asked(self, stage: Stage, first: int) -> frozenset[access.Key]:
        return questions.to_come(self.lab, stage, first) if self.predict else frozenset()

    def _callers(self, check: Check) -> dict[str, Verdict]:
        """The verdicts for both profiles that could be the caller, if they differ; else nothing."""
        profile = self.lab.profiles.get(check.identity)
        if profile is None or not profile.environment:
            return {}
        params = resolve(check.params, self.runner.scope())
        verdicts = {
            name: self.decide(name, check.service, check.operation, params)
            for name in profile.sources
        }
        return verdicts if len({met.allowed for met in verdicts.values()}) > 1 else {}

    def _asking(
        self, check: Check, question: questions.Question, callers: Mapping[str, Verdict]
    ) -> scenes.Asking:
        every = [each for each in self.lab.checks if each.ask is not None]
        number = next(at for at, each in enumerate(every, 1) if each is check)
        call = evidence.call_of(check, self.runner.scope())
        names = self.here.names()
        return scenes.Asking(
            title=questions.asked(self.lab, check),
            command=self.here.command(call),
            question=question,
            claims=evidence.claims_of(call),
            evidence={
                who: replace(met, documents=evidence.renamed(met.documents, names))
                for who, met in callers.items()
            },
            target=questions.target(check),
            place=f"question {number} of {len(every)}",
            before=self.heard.take(),
        )

    def _answer(self, asking: scenes.Asking) -> int | None:
        """The digit of the learner's answer; None if they skip the question."""
        if not self.predict:
            return None
        self.line = asking.command
        digits = [questions.UNSURE, *(answer.digit for answer in asking.question.answers)]
        self.show(asking)
        back = ""
        while True:
            entered = self.read(partial(self.prompt.digit, digits, back))
            if entered.word == "skip":
                return None
            if entered.line:
                return int(entered.line)
            back = "" if self.word(entered.word, asking) else " (`back` shows the question)"


def _only_looks(step: "Step") -> bool:
    return step.undo is None and not (step.profile or step.clock or step.token)


def learn(
    workspace: Workspace,
    opened: Open,
    lab: Lab,
    stages: Sequence[Stage],
    how: How,
    *,
    predict: bool,
) -> None:
    """Go through the lab, guided or by hand; UndoIncomplete if something is left."""
    loop = set_up(workspace, opened, lab, how)
    loop.predict = predict
    if how is How.HAND:
        loop.hand, loop.follows = loop.here.hand(), True
    resumed = loop.runner.start_or_resume()
    try:
        loop.go(stages, loop.runner.stages_done, resumed=resumed)
    except Quit:
        say_how_to_go_on(workspace.paper)
        return
    finished = end(workspace.paper, lab, stages, loop.runner)
    if finished.outcome != "open":
        with suppress(Quit):
            loop.ended(finished)


def set_up(workspace: Workspace, opened: Open, lab: Lab, how: How) -> Loop:
    console = workspace.paper.console
    plain = not draws_over(console)

    def hear(event: Event) -> None:
        loop.hear(event)  # the loop is made below

    runner = opened.runner(lab, workspace.journal, hear, workspace.describe, how)
    here = Here(workspace, opened, lab, runner)
    loop = Loop(
        here=here,
        screen=Screen(console, here.command, clears=not plain),
        prompt=Prompt(console, lambda: here.status(loop.stage, loop.who, plain=plain), plain=plain),
        words={"why": lambda paper: here.why(paper, loop.stage if how is How.HAND else None)},
    )
    loop.heard.names = here.names
    return loop
