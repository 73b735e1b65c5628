"""The prompt: a line to type at, filled in or empty, a status line below it, and its words.

prompt_toolkit draws it. With ``TERM=dumb`` or ``--plain`` it is a plain line with the same words.
"""

import asyncio
import os
import select
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import msgspec
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, get_app
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style
from rich.console import Console

from stslab.aws.command import names_after
from stslab.cli.run.exercises import Exercise
from stslab.cli.run.here import Here
from stslab.errors import StslabError
from stslab.lab.model import Stage
from stslab.lesson import access
from stslab.lesson.byhand import ByHand
from stslab.lesson.verdict import UNKNOWN
from stslab.render.lesson import scenes
from stslab.render.lesson.scenes import Asking, Scene
from stslab.render.lesson.screen import Screen
from stslab.render.terminal.paper import Paper
from stslab.render.text.safe import visible
from stslab.runner.journal.records import UNFINISHED

_POLL = 0.3  # seconds
_DIGITS = "0123456789"
_FILLED_IN = "Enter runs it. Typing replaces it; the arrow keys edit it.\n"
WORDS: Mapping[str, str] = {  # at the prompt, and what each does
    "why": "explain the last failure",
    "hint": "a nudge, then a pointer, then the command",
    "solve": "do it for me",
    "access": "who can do what",
    "policies": "the policies that apply",
    "more": "a longer explanation, and pages of AWS",
    "copy": "copy the command",
    "back": "this screen again",
    "skip": "skip this question, or the rest of the stage",
    "status": "how far the run is",
    "quit": "stop here, and continue later; so does Ctrl-C on an untouched line",
    "help": "these words",
}
_ALSO = {"h": "help", "?": "help", "exit": "quit"}


class Skip(Exception):  # noqa: N818 - the learner's choice
    """The learner skips the rest of a stage."""


class Quit(Exception):  # noqa: N818 - stopping is not an error
    """The learner leaves; the run can be continued later."""


class Entered(msgspec.Struct, frozen=True):
    """The learner's input: a ``word`` of stslab, or a command ``line``."""

    word: str = ""
    line: str = ""
    unchanged: bool = False  # the line is the one that was filled in
    changed: bool = False  # something happened elsewhere while the line was typed
    argument: str = ""  # the text after the word


class _Interrupted(str):
    """What was typed so far when something happened elsewhere."""

    __slots__ = ()


Watch = Callable[[], bool]  # whether something has happened that should be shown


class Prompt:
    """Reads the learner's input; Quit at its end. ``status`` returns the status line's text."""

    def __init__(self, console: Console, status: Callable[[], str], *, plain: bool) -> None:
        self._console = console
        self._status = status
        self._plain = plain
        self._session: PromptSession[str] | None = None
        self._touched: list[object] = []  # the line, since a command was filled in
        self._typed = ""  # where it could not run, for the next line

    def command(
        self, who: str, line: str = "", typed: str = "", watch: Watch | None = None
    ) -> Entered:
        """Read a command line for the profile ``who``; ``line``, or ``typed``, is filled in.

        If ``watch`` returns True, return what was typed so far.
        """
        lead = _FILLED_IN if (line or self._typed) and not self._plain else ""
        if self._plain:
            self._console.print()
        typed = "" if typed == line else typed
        text = self._read(f"{lead}{who} $ ", line, typed=typed, watch=watch)
        if isinstance(text, _Interrupted):
            return Entered(line=str(text), changed=True)
        text, word = text.strip(), word_of(text)
        return Entered(word, "" if word else text, unchanged=bool(line) and text == line.strip())

    def run(self, who: str, line: str) -> Entered:
        """Show a command that Enter runs; it can't be edited."""
        self._console.print(f"\n{who} $ {visible(line)}", soft_wrap=True)
        entered = self.enter("runs it")
        return entered if entered.word else Entered(line=line, unchanged=True)

    def digit(self, digits: Sequence[int], aside: str = "") -> Entered:
        """Read one of these digits, as the ``line``, or a word. A digit needs no Enter."""
        self.drop_typed_ahead()  # nobody answers a question before it is shown
        while True:
            text = self._read(f"Your answer{aside}: ", "", _DIGITS).strip()
            if text.isdecimal() and int(text) in digits:
                return Entered(line=text)
            word = word_of(text)
            if word:
                return Entered(word=word)
            *others, last = (*digits[1:], digits[0])
            no_answer = f"{text} is no answer here. " if text.isdecimal() else ""
            self._not_here(text, f"{no_answer}Type {', '.join(map(str, others))} or {last}")

    def enter(self, does: str, more: str = "", keys: str = "", *, runs: bool = False) -> Entered:
        """Read Enter or a word. ``does`` says what Enter does; ``more`` is a further word.

        ``keys`` need no Enter. Where there are some, a command line ends the prompt too; the next
        one begins with it. If it ``runs`` commands, it is the ``line``.
        """
        self.drop_typed_ahead()
        while True:
            text = self._read(f"Enter {does}: ", "", keys)
            first, _, argument = text.strip().partition(" ")
            word = more if first and more.startswith(first.lower()) else word_of(text)
            if word or not text.strip():
                return Entered(word=word, argument=argument.strip())
            if (keys or runs) and argument:
                self._typed = "" if runs else text
                return Entered(line=text)
            self._not_here(text, f"Enter {does}")

    def _not_here(self, text: str, does: str) -> None:
        start = text.strip().lower()
        could = [word for word in WORDS if start and word.startswith(start)]
        could = could or get_close_matches(start, WORDS)
        other = f"type {' or '.join(could) or 'a word: `help` lists them'}."
        if " " in start:
            other = 'run your command in another terminal, after:\n  eval "$(stslab env)"'
        self._console.print(f"{does}, or {other}")

    def drop_typed_ahead(self) -> None:
        if not sys.stdin.isatty():
            return
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        if self._session is not None:
            clear_typeahead(self._session.input)

    def _read(
        self, message: str, line: str, keys: str = "", typed: str = "", watch: Watch | None = None
    ) -> str:
        touched, typed, self._typed = bool(typed), typed or self._typed, ""
        if self._plain:
            return self._read_plainly(message, typed or line, watch)
        if self._session is None:
            self._session = _session(self._status)
            self._session.default_buffer.on_cursor_position_changed += self._touched.append
        self._session.app.erase_when_done = False
        self._touched[:] = [typed] if touched else []
        try:
            return self._session.prompt(
                f"\n{message}",
                default=typed or line,
                key_bindings=_keys(keys, lambda: not self._touched),
                pre_run=_watching(watch) if watch else None,
            )
        except KeyboardInterrupt:
            if self._session.default_buffer.text in ("", line):
                raise
            return self._read(message, line, keys, watch=watch)  # what was typed is dropped
        except EOFError:
            raise Quit from None

    def _read_plainly(self, message: str, line: str, watch: Watch | None) -> str:
        """Read without redrawing: show the filled-in line; an empty input means that line."""
        self._console.print(self._status(), soft_wrap=True)
        if line:
            self._console.print(f"{message}{visible(line)}", soft_wrap=True)
            message = "Enter runs it: "
        self._console.print(message, end="")
        while watch and not select.select([sys.stdin], [], [], _POLL)[0]:
            if watch():
                self._console.print()
                return _Interrupted(line)
        text = sys.stdin.readline()
        if not text:
            self._console.print()
            raise Quit
        return line if line and not text.strip() else text.rstrip("\n")


class _Words(Completer):
    def get_completions(self, document: Document, _: object) -> Iterator[Completion]:
        words = document.text_before_cursor.split(" ")
        for text in completions(words):
            yield Completion(text, start_position=-len(words[-1]))


def _session(status: Callable[[], str]) -> PromptSession[str]:
    bare = bool(os.environ.get("NO_COLOR"))
    style = Style.from_dict({"bottom-toolbar": "noreverse", "prompt": "" if bare else "bold"})
    return PromptSession(
        bottom_toolbar=status,
        completer=_Words(),
        complete_while_typing=False,
        enable_suspend=True,
        color_depth=ColorDepth.DEPTH_1_BIT if bare else None,
        style=style,
    )


def _watching(watch: Watch) -> Callable[[], None]:
    """A task that calls ``watch`` while the learner types, and ends the line if it is True."""

    async def look(app: Application[str]) -> None:
        while not watch():  # noqa: ASYNC110 - no event announces changed files
            await asyncio.sleep(_POLL)
        if not app.is_done:
            app.erase_when_done = True
            app.exit(result=_Interrupted(app.current_buffer.text))

    def begin() -> None:
        app = get_app()
        app.create_background_task(look(app))

    return begin


def _keys(keys: str, untouched: Callable[[], bool]) -> KeyBindings:
    """Each of these ``keys`` ends an empty line; what is typed replaces an untouched one."""
    bindings = KeyBindings()

    @bindings.add(Keys.Any, filter=Condition(untouched))
    @bindings.add(Keys.BracketedPaste, filter=Condition(untouched))
    def replace(event: Any) -> None:
        if event.data[:1] != " ":
            event.current_buffer.text = ""
        event.current_buffer.insert_text(event.data.replace("\r\n", "\n").replace("\r", "\n"))

    for key in keys:

        @bindings.add(key, filter=Condition(lambda: not get_app().current_buffer.text))
        def answer(event: Any) -> None:
            event.app.exit(result=event.data)

    return bindings


def completions(words: Sequence[str]) -> Iterable[str]:
    """The completions of the last of these words."""
    last = words[-1]
    if len(words) == 1:
        return sorted(word for word in (*WORDS, "aws") if word.startswith(last))
    if words[0] != "aws":
        return ()
    return sorted(name for name in names_after(words[1:-1]) if name.startswith(last))


def word_of(text: str) -> str:
    """The word that a text means: itself, or the only word that begins with it; else ""."""
    text = _ALSO.get(text.strip().lower(), text.strip().lower())
    found = [word for word in WORDS if text and word.startswith(text)]
    return found[0] if len(found) == 1 else ""


# -- what the words do, at any scene ---------------------------------------------------------------

_RUNS = (
    "Where a profile stands before the line, as in `admin $`, and where Enter tries again, any"
    " other line runs in a shell, with the lab's profiles."
)
_NOTHING = "There is nothing else to do here. Go on with Enter."
_COMPARE = (
    "Does each policy that is shown allow this call? A digit answers; `policies` shows the full"
    " policies."
)
_LATER = "`more` explains more after the question: now it could give the answer away."
_NO_POLICY = "No policy is shown: does this call need one that allows it? A digit answers."


class AtPrompt:
    """A learner at the terminal: shows a scene, waits for Enter, and does what the words ask."""

    lacks: tuple[str, ...] = ()  # words that do nothing here

    def __init__(self, here: Here, screen: Screen, prompt: Prompt) -> None:
        self.here, self.screen, self.prompt = here, screen, prompt
        self.lab, self.runner, self.decide = here.lab, here.runner, here.decide
        self.waiting = here.workspace.lock.paused
        self.over = False
        self.exercise: Exercise | None = None  # the last one of the stage
        self.hand: ByHand | None = None  # if the stages are done by hand
        self.stage: Stage | None = None
        self.line = ""  # the shown command
        self.verdict = UNKNOWN  # the account's, on the call of that command
        self.asks = frozenset[access.Key]()  # the cells of the next questions: they are hidden
        self._instead = ""  # a word that was entered between the parts of a long text

    def enter(self, scene: Scene, does: str) -> None:
        self.line = ""
        self.show(scene)
        self.entered(scene, does)

    def entered(self, scene: Scene, does: str, more: str = "") -> Entered:
        """Wait for Enter, or for the further word ``more``; other words are done."""
        while True:
            entered = self.read(lambda: self.prompt.enter(does, more))
            if entered.word in ("", more):
                return entered
            self.word(entered.word, scene)

    def show(self, scene: Scene) -> None:
        self.screen.show(scene, self._more)
        if self._instead == "back":  # the scene is longer than the screen, and `q` ended it
            self._instead = ""
        self._do_instead(scene)

    def _do_instead(self, scene: Scene) -> bool:
        """Do what was entered between the parts of a long text; see :meth:`word`."""
        word, self._instead = self._instead, ""
        return bool(word) and self.word(word, scene)

    def read(self, read: Callable[[], Entered], *, page: bool = False) -> Entered:
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
            self.show(scene)
            return True
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
        if self.exercise:
            self.exercise.why(paper)
        else:
            self.here.why(paper, self.stage if self.hand else None)

    def _help(self, paper: Paper) -> None:
        words = [(word, does) for word, does in WORDS.items() if word not in self.lacks]
        paper.prose("At the prompt, a word or its first letters:", indent=1, style="bold")
        paper.blank()
        paper.fields(words, indent=3)
        paper.blank()
        paper.prose(_RUNS, indent=1)

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
            pages = self.stage.pages
            return Scene(self.stage.title, partial(scenes.story, text=text, pages=pages))
        return None

    def _more(self) -> bool:
        """Whether the rest of a long text is to be shown. As in every pager, `q` ends it."""
        more = partial(self.prompt.enter, "shows more, `q` ends it", keys="q ")
        entered = self.read(more, page=True)
        self._instead = "back" if entered.word == "quit" else entered.word
        return not (self._instead or entered.line)

    def table(self) -> tuple[access.CellState, ...]:
        return access.table(self.lab, self.runner.stages_done, self.runner.scope(), self.decide)

    def _nothing_for(self, word: str, scene: Scene) -> str:
        """The message for a word that shows nothing; at a question, one that doesn't answer it."""
        if word in self.lacks:
            return f"`{word}` does nothing here."
        if word == "copy":
            return "There is no command here."
        if not isinstance(scene, Asking):
            return _NOTHING
        if word == "more":
            return _LATER
        return _COMPARE if any(met.documents for met in scene.evidence.values()) else _NO_POLICY
