"""What is the same at each prompt: a scene is shown and waited at, and words show others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stslab.cli.run.here import Here
from stslab.cli.run.prompt import Entered, Prompt, draw_help
from stslab.errors import StslabError
from stslab.lab.model import Stage
from stslab.lesson import access, scenes
from stslab.lesson.ports import UNKNOWN, Verdict
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.paper import Paper
from stslab.runner.journal.records import UNFINISHED

_NOTHING = "There is nothing to do here but to go on."
_COMPARE = (
    "Does each policy that is shown say yes to this call? A digit answers; `policies` shows the"
    " policies whole."
)
_LATER = "`more` tells the longer story after the question: now it could give the answer away."
_NO_POLICY = "No policy is shown: does this call need one that says yes? A digit answers."


class Skip(Exception):  # noqa: N818 - the learner's choice
    """The learner leaves the rest of a stage out."""


class Quit(Exception):  # noqa: N818 - the learner stops; nobody made an error
    """The learner leaves; the run goes on later."""


@dataclass(kw_only=True)
class AtPrompt:
    """A learner at the terminal, and what they are shown.

    ``words`` draw what the words show that are about the account. ``line`` is the command that
    stands there, ``verdict`` what the account says of the call that it is about. ``asks`` are the
    cells of the table that the learner is asked about from here on, before anything changes: they
    are not shown.
    """

    here: Here
    screen: Screen
    prompt: Prompt
    words: Mapping[str, Callable[[Paper], None]]
    over: bool = False
    stage: Stage | None = None
    verdict: Verdict = UNKNOWN
    line: str = ""
    instead: str = ""
    asks: frozenset[access.Key] = frozenset()

    def __post_init__(self) -> None:
        self.lab, self.runner, self.decide = self.here.lab, self.here.runner, self.here.decide
        self.waiting = self.here.laid.lock.paused

    def enter(self, scene: Any, does: str) -> None:
        self.show(scene)
        while True:
            entered = self.read(lambda: self.prompt.enter(does))
            if not entered.word:
                return
            self.word(entered.word, scene)

    def show(self, scene: Any) -> None:
        self.screen.show(scene, self._more)
        self._instead(scene)

    def _instead(self, scene: Any) -> bool:
        """Do the word that was entered where a long text was shown in parts; as :meth:`word`."""
        word, self.instead = self.instead, ""
        return bool(word) and self.word(word, scene)

    def read(self, read: Callable[[], Entered]) -> Entered:
        with self.waiting():
            entered = read()
        if entered.end or entered.word == "quit":
            raise Quit
        if not self.over and self.runner.run.state not in UNFINISHED:
            self.screen.say("The run has ended meanwhile.")
            raise Quit
        return entered

    def word(self, word: str, scene: Any) -> bool:
        """Do what a word says; the scene stays the one that is waited at: whether it is shown."""
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
                self.screen.say(_nothing_to_show(word, scene))
        except StslabError as error:
            self.screen.say(error.message)
        return self._instead(scene) or word == "back"

    def _scene_of(self, word: str, scene: Any) -> Any:
        """The scene that a word shows; None for the others."""
        if word == "back":
            return scene
        if word == "status":
            here = self.stage.id if self.stage else ""
            stages = self.runner.map(here)
            return scenes.Welcome(self.lab.title, "", stages, self.here.place, resumed=True)
        if word == "access":
            return scenes.Matrix("Who can do what", self.table(), frozenset(), asked=self.asks)
        if word == "policies":
            marked = not isinstance(scene, scenes.Asking)
            return scenes.Documents("The policies that have a say", self.verdict, marked)
        if word == "more" and self.stage and not isinstance(scene, scenes.Asking):
            pages = tuple((page.title, page.url) for page in self.stage.pages)
            text = self.stage.explain or self.stage.intro
            return scenes.Story(self.stage.title, text, pages=pages)
        return None

    def _more(self) -> bool:
        self.instead = self.read(lambda: self.prompt.enter("shows more, `back` ends it")).word
        return not self.instead

    def table(self) -> tuple[access.CellState, ...]:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)


def _nothing_to_show(word: str, scene: Any) -> str:
    """What a word says that shows nothing here: at a question, a hint that does not answer it."""
    if not isinstance(scene, scenes.Asking):
        return _NOTHING
    if word == "more":
        return _LATER
    return _COMPARE if any(one.documents for one in scene.evidence.values()) else _NO_POLICY
