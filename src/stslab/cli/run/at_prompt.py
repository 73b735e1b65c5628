"""A learner at the prompt: scenes, what the words do at any of them, and questions."""

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from stslab.cli.run.exercises import Exercise
from stslab.cli.run.here import TEXTS, Here
from stslab.cli.run.prompt import WORDS, Prompt, Quit, Skip, Typed
from stslab.errors import StslabError
from stslab.lab.model import Check, Stage
from stslab.lesson import access, evidence, questions
from stslab.lesson.byhand import ByHand
from stslab.lesson.verdict import UNKNOWN, Verdict, expected
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Asking, Scene
from stslab.render.lesson.screen import Heard, Screen
from stslab.render.terminal.paper import Paper
from stslab.runner.journal.records import UNFINISHED, Prediction
from stslab.runner.ports import Call


class AtPrompt:
    """A learner at the terminal: shows a scene, waits for Enter, and does what the words ask."""

    lacks: tuple[str, ...] = ()  # words that do nothing here

    def __init__(self, here: Here, screen: Screen, prompt: Prompt, *, predict: bool) -> None:
        self.here, self.screen, self.prompt = here, screen, prompt
        self.predict = predict
        self.heard = Heard(names=here.names)
        self.lab, self.runner, self.decide = here.lab, here.runner, here.decide
        self.waiting = here.workspace.lock.paused
        self.over = False
        self.exercise: Exercise | None = None  # the last one of the stage
        self.hand: ByHand | None = None  # if the stages are done by hand
        self.stage: Stage | None = None
        self.line = ""  # the shown command, as `copy` gives it: with its profile
        self.verdict = UNKNOWN  # the account's, on the call of that command
        self.asks = frozenset[access.Key]()  # the cells of the next questions: they are hidden
        self._hinted: Scene | None = None  # the last question at which a hint was asked for
        self._instead = ""  # a word that was entered between the parts of a long text

    def enter(self, scene: Scene, does: str) -> None:
        self.line, self.screen.command = "", lambda: ""
        self.show(scene)
        self.entered(scene, does)

    def entered(self, scene: Scene, does: str, more: str = "") -> Typed:
        """Wait for Enter, or for the further word ``more``; other words are done."""
        while True:
            entered = self.read(lambda: self.prompt.enter(does, more))
            if entered.word in ("", more):
                return entered
            self.word(entered.word, scene)

    def show(self, scene: Scene) -> bool:
        """Show a scene, and do a word that ends a long one. Return whether all of it is shown."""
        whole = self.screen.show(scene, self._more)
        if self._instead == "back":  # the scene is longer than the screen, and `q` ended it
            self._instead = ""
        return self._do_instead(scene) or whole

    def _do_instead(self, scene: Scene) -> bool:
        """Do what was entered between the parts of a long text; see :meth:`word`."""
        word, self._instead = self._instead, ""
        return bool(word) and self.word(word, scene)

    def read(self, read: Callable[[], Typed], *, page: bool = False) -> Typed:
        """Read an entry. Raises Quit: the learner leaves. At a ``page`` `quit` ends only that."""
        with self.waiting():
            entered = read()
        if entered.word == "quit" and not page:
            raise Quit
        self.here.awake()
        if not self.over and self.runner.run.state not in UNFINISHED:
            self.screen.say("The run has ended in the meantime.")
            raise Quit
        return entered

    def word(self, word: str, scene: Scene) -> bool:
        """Handle a word at a scene. Return whether the scene is on the screen afterwards."""
        if word == "skip" and word not in self.lacks:
            raise Skip
        if word == "back":
            return self.show(scene)
        shown = self._scene_of(word, scene)
        try:
            if shown is not None:
                self.screen.show(shown, self._more)
            elif word == "why":
                self.screen.page(self.why, self._more)
            elif word == "help":
                self.screen.page(self._help, self._more)
            elif word == "copy" and self.line:
                self.screen.copy(self.line)
            else:
                self.screen.say(self._nothing_for(word, scene))
        except StslabError as error:
            self.screen.say(error.message)
        return self._do_instead(scene)

    def why(self, paper: Paper) -> None:
        if self.exercise and (self.exercise.enter or not self.exercise.done):
            self.exercise.why(paper)
        else:
            self.here.why(paper, self.stage if self.hand else None)

    def _help(self, paper: Paper) -> None:
        words = [(word, does) for word, does in WORDS.items() if word not in self.lacks]
        paper.prose("At the prompt, a word or its first letters:", indent=1, style="bold")
        paper.blank()
        paper.fields(words, indent=3)
        paper.prose(TEXTS["runs"], indent=1, apart=True)

    def _scene_of(self, word: str, scene: Scene) -> Scene | None:
        asking = isinstance(scene, Asking)
        if word == "status" and word not in self.lacks:
            stages = self.runner.map(self.stage.id if self.stage else "")
            welcome = partial(scenes.welcome, stages=stages, where=self.here.place)
            return Scene(self.lab.title, welcome)
        if word == "access":
            matrix = partial(scenes.matrix, cells=self.table(), asked=self.asks)
            return Scene("Who can do what", matrix)
        if word == "policies":
            policies = partial(scenes.policies, verdict=self.verdict, marked=not asking)
            return Scene("The policies that apply", policies)
        if word == "more" and self.stage and not asking:
            text = self.stage.explain or self.stage.intro
            return Scene(self.stage.title, partial(scenes.story, text=text, pages=self.stage.pages))
        return None

    def _more(self) -> bool:
        """Whether to show the rest of a long text. As in every pager, `q` ends it."""
        more = partial(self.prompt.enter, "shows more, `q` ends the text", keys="q ")
        entered = self.read(more, page=True)
        self._instead = "back" if entered.word == "quit" else entered.word
        return not (self._instead or entered.line)

    def table(self) -> tuple[access.CellState, ...]:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)

    def _nothing_for(self, word: str, scene: Scene) -> str:
        """The message for a word that shows nothing; at a question, one that doesn't answer it."""
        if not isinstance(scene, Asking):
            return f"`{word}` does nothing here."
        if word == "more":
            return TEXTS["later"]
        shown = any(met.documents for met in scene.evidence.values())
        told, self._hinted = scene is self._hinted, scene
        return TEXTS["no more" if told else "compare" if shown else "no policy"]

    # The question before a check, and its answer

    def to_be_asked(self, stage: Stage, first: int) -> frozenset[access.Key]:
        return questions.to_come(self.lab, stage, first) if self.predict else frozenset()

    def _callers(self, call: Call) -> dict[str, Verdict]:
        """The verdicts for both profiles that could be the caller, if they differ; else nothing."""
        profile = self.lab.profiles.get(call.identity)
        if profile is None or not profile.environment:
            return {}
        verdicts = {name: self.decide(replace(call, identity=name)) for name in profile.sources}
        return verdicts if len({met.allowed for met in verdicts.values()}) > 1 else {}

    def asking(self, stage: Stage, at: int, check: Check) -> Asking | None:
        """The question before a check; None if there is none, or it was answered before."""
        if check.ask is None or not check.call:
            return None
        call = evidence.call_of(check, self.runner.scope())
        found = self.decide(call)
        self.verdict = expected(check) if found.allowed is None else found
        past = self.runner.past
        answered = {(one.stage, one.number) for one in past.every(Prediction)}
        if (stage.id, at) in answered and stage.id not in past.held():  # it was left half done
            return None
        target, callers = questions.target(check), self._callers(call)
        same = (name for name, met in callers.items() if met == self.verdict)
        who = next(same, questions.caller(check))
        if who in callers:
            question: questions.Question | None = questions.whose(callers, who, target)
        else:
            question = questions.question(self.verdict, who, target, check, self.lab)
            callers = {who: self.verdict}
        if question is None:
            return None
        every = [each for each in self.lab.checks if each.ask is not None]
        number = next(count for count, each in enumerate(every, 1) if each is check)
        names = self.here.names()
        return Asking(
            title=questions.asked(self.lab, check),
            who=who,
            command=self.here.command(call),
            question=question,
            claims=evidence.claims_of(call),
            evidence={
                name: replace(met, documents=evidence.renamed(met.documents, names))
                for name, met in callers.items()
            },
            target=target,
            place=f"question {number} of {len(every)}",
            before=self.heard.take(),
        )

    def answer(self, asking: Asking) -> int | None:
        """The digit of the learner's answer; None if they skip the question."""
        if not self.predict:
            return None
        self.line, self.screen.command = asking.command, lambda: ""
        digits = [questions.UNSURE, *(choice.digit for choice in asking.question.choices)]
        stands = self.show(asking)
        while True:
            back = "" if stands else " (`back` shows the question)"
            entered = self.read(partial(self.prompt.digit, digits, back))
            if entered.word == "skip":
                return None
            if entered.line:
                return int(entered.line)
            stands = self.word(entered.word, asking)
