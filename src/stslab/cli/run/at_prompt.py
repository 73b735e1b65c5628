"""Base class of the lesson's prompts: show a scene, wait for Enter, handle words like `why`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stslab.cli.run.here import Here
from stslab.cli.run.prompt import Entered, Prompt, draw_help
from stslab.errors import StslabError
from stslab.lab.model import Stage
from stslab.lesson import access, scenes
from stslab.lesson.verdict import UNKNOWN, Verdict
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.paper import Paper
from stslab.runner.journal.records import UNFINISHED

_NOTHING = "There is nothing else to do here. Go on with Enter."
_COMPARE = (
    "Does each policy that is shown allow this call? A digit answers; `policies` shows the full"
    " policies."
)
_LATER = "`more` explains more after the question: now it could give the answer away."
_NO_POLICY = "No policy is shown: does this call need one that allows it? A digit answers."


class Skip(Exception):  # noqa: N818 - the learner's choice
    """The learner skips the rest of a stage."""


class Quit(Exception):  # noqa: N818 - stopping is not an error
    """The learner leaves; the run can be continued later."""


@dataclass(kw_only=True)
class AtPrompt:
    """A learner at the terminal.

    ``words`` maps words about the account to functions that draw their answers. ``line`` is the
    shown command, ``verdict`` the account's on its call. ``asks`` are the cells of the access
    table that the next questions are about: they are hidden. ``lacks`` are the words that do
    nothing here.
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
    lacks: tuple[str, ...] = ()

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
        """Handle a word that was entered between the parts of a long text; as :meth:`word`."""
        word, self.instead = self.instead, ""
        return bool(word) and self.word(word, scene)

    def read(self, read: Callable[[], Entered], *, page: bool = False) -> Entered:
        """Read an entry. Raises Quit: the learner leaves. At a ``page`` `quit` ends only that."""
        with self.waiting():
            entered = read()
        if entered.end or (entered.word == "quit" and not page):
            raise Quit
        self.here.awake()
        if not self.over and self.runner.run.state not in UNFINISHED:
            self.screen.say("The run has ended in the meantime.")
            raise Quit
        return entered

    def word(self, word: str, scene: Any) -> bool:
        """Handle a word at a scene. Return whether the scene is on the screen afterwards."""
        if word == "skip" and word not in self.lacks:
            raise Skip
        shown = self._scene_of(word, scene)
        try:
            if shown is not None:
                self.screen.show(shown, self._more)
            elif word in self.words:
                self.screen.page(self.words[word], self._more)
            elif word == "help":
                self.screen.page(partial(draw_help, lacks=self.lacks), self._more)
            elif word == "copy" and self.line:
                self.screen.copy(self.line)
            else:
                self.screen.say(self._nothing_for(word, scene))
        except StslabError as error:
            self.screen.say(error.message)
        return self._instead(scene) or word == "back"

    def _scene_of(self, word: str, scene: Any) -> Any:
        """The scene that a word shows, or None."""
        if word == "back":
            return scene
        if word == "status" and word not in self.lacks:
            here = self.stage.id if self.stage else ""
            stages = self.runner.map(here)
            return scenes.Welcome(self.lab.title, "", stages, self.here.place, resumed=True)
        if word == "access":
            return scenes.Matrix("Who can do what", self.table(), frozenset(), asked=self.asks)
        if word == "policies":
            marked = not isinstance(scene, scenes.Asking)
            return scenes.Documents("The policies that apply", self.verdict, marked)
        if word == "more" and self.stage and not isinstance(scene, scenes.Asking):
            pages = tuple((page.title, page.url) for page in self.stage.pages)
            text = self.stage.explain or self.stage.intro
            return scenes.Story(self.stage.title, text, pages=pages)
        return None

    def _more(self) -> bool:
        """Whether the rest of a long text is to be shown. As in every pager, `q` ends it."""
        more = partial(self.prompt.enter, "shows more, `q` ends it")
        word = self.read(more, page=True).word
        self.instead = "back" if word == "quit" else word
        return not self.instead

    def table(self) -> tuple[access.CellState, ...]:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)

    def _nothing_for(self, word: str, scene: Any) -> str:
        """The message for a word that shows nothing; at a question, one that doesn't answer it."""
        if word in self.lacks:
            return f"`{word}` does nothing here."
        if word == "copy":
            return "There is no command to copy: the line is empty."
        if not isinstance(scene, scenes.Asking):
            return _NOTHING
        if word == "more":
            return _LATER
        return _COMPARE if any(met.documents for met in scene.evidence.values()) else _NO_POLICY
