"""The line that a learner types at: filled in already or empty, with a line of status below it.

prompt_toolkit draws it at a terminal. A terminal that can't be drawn on (``TERM=dumb``,
``--plain``) gets the same words and a plain line.
"""

import asyncio
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console

from stslab.render.text.safe import visible

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import Application
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyBindings

    from stslab.render.terminal.paper import Paper

_POLL = 0.3  # seconds
WORDS: Mapping[str, str] = {
    "why": "explain the last refusal",
    "hint": "a nudge, then a pointer, then the command",
    "solve": "do it for me",
    "access": "who can do what",
    "policies": "the policies that have a say",
    "more": "the longer story, and pages of AWS",
    "copy": "copy the command",
    "back": "this screen again",
    "skip": "leave this question, or the rest of the stage, out",
    "status": "where the run stands",
    "quit": "stop here; the run goes on later",
    "help": "these words",
}
"""Each word, and what it does."""


class Entered(msgspec.Struct, frozen=True):
    """What was entered: a ``word`` of stslab's, or a command ``line``; ``end``: nothing more comes.

    ``unchanged``: the line is the one that stood there. ``changed``: something else happened
    while it was typed. ``argument`` is what stands behind the word.
    """

    word: str = ""
    line: str = ""
    unchanged: bool = False
    end: bool = False
    changed: bool = False
    argument: str = ""


class _Interrupted(str):
    """What had been typed when something else happened."""

    __slots__ = ()


Watch = Callable[[], bool]
"""Whether something has happened that a learner should be told."""


class Prompt:
    """Reads what the learner enters. ``status`` gives the bottom line's text."""

    def __init__(self, console: Console, status: Callable[[], str], *, plain: bool) -> None:
        self._console = console
        self.status = status
        self._plain = plain
        self._session: PromptSession[str] | None = None

    def command(self, who: str, line: str = "", watch: Watch | None = None) -> Entered:
        """A command line for ``who``; ``line`` stands there already and may be edited.

        A word counts behind it too. Once ``watch`` says so, what was typed until then is given.
        """
        lead = "Enter runs it; you may change it first.\n" if line and not self._plain else ""
        if self._plain:
            self._console.print()
        text = self._read(f"{lead}{who} $ ", line, watch=watch)
        if text is None:
            return Entered(end=True)
        if isinstance(text, _Interrupted):
            return Entered(line=str(text), changed=True)
        behind = text.strip().removeprefix(line.strip()).strip()
        word = word_of(text) or (behind if behind in WORDS else "")
        if word:
            return Entered(word=word)
        return Entered(line=text.strip(), unchanged=bool(line) and text.strip() == line.strip())

    def run(self, who: str, line: str) -> Entered:
        """A command that may be run as it stands, or not at all."""
        self._console.print(f"\n{who} $ {visible(line)}", soft_wrap=True)
        entered = self.enter("runs it")
        return entered if entered.word or entered.end else Entered(line=line, unchanged=True)

    def digit(self, digits: Sequence[int], aside: str = "") -> Entered:
        """One of these digits, as the ``line``; or a word. A digit needs no Enter.

        What was typed ahead is dropped, so that no answer is given before it was asked for.
        """
        self.drop_typed_ahead()
        while True:
            text = self._read(f"Your answer{aside}: ", "", digits)
            if text is None:
                return Entered(end=True)
            text = text.strip()
            if text.isdigit() and int(text) in digits:
                return Entered(line=text)
            word = word_of(text)
            if word:
                return Entered(word=word)
            *others, last = (*digits[1:], digits[0])
            self._not_here(text, f"Type {', '.join(map(str, others))} or {last}")

    def enter(self, does: str, more: Sequence[str] = ()) -> Entered:
        """Enter, which ``does`` something, or a word; ``more`` are words that do here alone."""
        self.drop_typed_ahead()
        while True:
            text = self._read(f"Enter {does}: ", "")
            if text is None:
                return Entered(end=True)
            first, _, argument = text.strip().partition(" ")
            word = first if first in more else word_of(text)
            if word or not text.strip():
                return Entered(word=word, argument=argument.strip())
            self._not_here(text, f"Enter {does}")

    def _not_here(self, text: str, does: str) -> None:
        """Say what may be entered in place of ``text``."""
        start = text.strip().lower()
        could = " or ".join(word for word in WORDS if start and word.startswith(start))
        other = f"type {could or 'a word: `help` lists them'}"
        if " " in start:
            other = 'run your command in another terminal, after: eval "$(stslab env)"'
        self._console.print(f"{does}, or {other}.")

    def drop_typed_ahead(self) -> None:
        """Forget what was typed before it was asked for."""
        if not sys.stdin.isatty():
            return
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        if self._session is not None:
            from prompt_toolkit.input.typeahead import clear_typeahead

            clear_typeahead(self._session.input)

    def _read(
        self, message: str, line: str, digits: Sequence[int] = (), watch: Watch | None = None
    ) -> str | None:
        if self._plain:
            return self._read_plainly(message, line, watch)
        if self._session is None:
            self._session = _session(lambda: self.status())  # noqa: PLW0108 - it may change
        self._session.app.erase_when_done = False
        try:
            return self._session.prompt(
                f"\n{message}",
                default=line,
                key_bindings=_answering(digits) if digits else None,
                pre_run=_watching(watch) if watch else None,
            )
        except EOFError:
            return None

    def _read_plainly(self, message: str, line: str, watch: Watch | None = None) -> str | None:
        """Without redrawing: the line that stands there is shown, and an empty line means it."""
        self._console.print(self.status(), soft_wrap=True)
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
            return None
        return line if line and not text.strip() else text.rstrip("\n")


def _session(status: Callable[[], str]) -> "PromptSession[str]":
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.output import ColorDepth
    from prompt_toolkit.styles import Style

    bare = bool(os.environ.get("NO_COLOR"))
    style = Style.from_dict({"bottom-toolbar": "noreverse", "prompt": "" if bare else "bold"})
    return PromptSession(
        bottom_toolbar=status,
        completer=_completer(),
        complete_while_typing=False,
        history=InMemoryHistory(),
        color_depth=ColorDepth.DEPTH_1_BIT if bare else None,
        style=style,
    )


def _watching(watch: Watch) -> Callable[[], None]:
    """What looks, beside the line that is typed, and ends it."""
    from prompt_toolkit.application import get_app

    async def look(app: "Application[str]") -> None:
        while not watch():  # noqa: ASYNC110 - files tell nobody when they change
            await asyncio.sleep(_POLL)
        if not app.is_done:
            app.erase_when_done = True
            app.exit(result=_Interrupted(app.current_buffer.text))

    def begin() -> None:
        app = get_app()
        app.create_background_task(look(app))

    return begin


def _answering(digits: Sequence[int]) -> "KeyBindings":
    """Digits that answer at once, where nothing else stands on the line."""
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    for digit in digits:

        @bindings.add(str(digit))
        def answer(event: Any, digit: int = digit) -> None:
            if event.current_buffer.text:
                event.current_buffer.insert_text(str(digit))
            else:
                event.app.exit(result=str(digit))

    return bindings


def _completer() -> Any:
    from prompt_toolkit.completion import Completer, Completion

    class Words(Completer):
        """Completes stslab's words, and services, operations and options of ``aws``."""

        def get_completions(
            self, document: "Document", _event: "CompleteEvent"
        ) -> "Iterator[Completion]":
            before = document.text_before_cursor
            words = before.split(" ")
            for found in completions(words):
                yield Completion(found, start_position=-len(words[-1]))

    return Words()


def completions(words: Sequence[str]) -> Iterable[str]:
    """What may stand in place of the last of these words."""
    last = words[-1]
    if len(words) == 1:
        return sorted(word for word in (*WORDS, "aws") if word.startswith(last))
    if words[0] != "aws":
        return ()
    from stslab.aws.command import names_after

    return sorted(name for name in names_after(words[1:-1]) if name.startswith(last))


def word_of(text: str) -> str:
    """The word that a text means: itself, or the only one that begins so; empty for none."""
    text = text.strip().lower()
    if text in WORDS:
        return text
    if text in ("h", "?"):
        return "help"
    found = [word for word in WORDS if text and word.startswith(text)]
    return found[0] if len(found) == 1 else ""


def draw_help(paper: "Paper") -> None:
    paper.prose("At the prompt, a word or its first letters:", indent=1, style="bold")
    paper.blank()
    paper.fields(list(WORDS.items()), indent=3)
    paper.blank()
    text = "What else stands on a command line runs in your shell, with the lab's profiles."
    paper.prose(text, indent=1)
